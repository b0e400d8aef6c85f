"""Customers who write at a steady pace while something goes wrong, and what they were answered."""

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count

import requests

from app.emulator.client import Emulator
from tests.support.arrivals import webhook_of
from tests.support.running_service import signed

RULES = """
[bot]
reply_budget = { count = 100000, per = "1d" }

[[rule]]
name = "echo"
reply = "Got it: {{ text }}"
"""
PATIENCE_SECONDS = 5.0  # Twilio's with one request
PATIENCE_WITH_ONE_MESSAGE = 90.0


@dataclass
class Steady:
    """What was written in each conversation, in order; `given_up` are those that nobody acknowledged."""

    written: dict[str, list[str]] = field(default_factory=dict)
    given_up: set[str] = field(default_factory=set)
    answers: Counter[str] = field(default_factory=Counter)  # of our door: 204, 503, no answer

    @property
    def count(self) -> int:
        return sum(len(sids) for sids in self.written.values())


@contextmanager
def steady_load(
    emulator: Emulator, url: str, *, customers: int, pause: float, first: int = 0, gives_up: bool = False
) -> Iterator[Steady]:
    """Let each customer write a message, post it until it is acknowledged, pause, write the next.

    `first` is the number of the first customer. With `gives_up` each message is posted once, as by Twilio if not told
    otherwise. The lists are complete when the block has ended. Raises AssertionError for a message nobody would take.
    """
    steady, stop, faults = Steady(), threading.Event(), []

    def write(number: int) -> None:
        try:
            with requests.Session() as session:
                session.trust_env = False
                for n in count():
                    if stop.is_set():
                        return
                    _write_one(session, emulator, url, f"+15550100{number:03}", f"message {n}", steady, gives_up)
                    stop.wait(pause)
        except BaseException as fault:
            faults.append(fault)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(first, first + customers)]
    for thread in threads:
        thread.start()
    try:
        yield steady
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    if faults:
        raise faults[0]


def _write_one(
    session: requests.Session, emulator: Emulator, url: str, sender: str, text: str, steady: Steady, gives_up: bool
) -> None:
    message = emulator.inbound(text, sender=sender)
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    body, headers = signed(webhook_of(message, text, sender) | {"DateCreated": now})
    deadline = time.monotonic() + PATIENCE_WITH_ONE_MESSAGE
    while not _is_taken(session, url, body, headers, steady):
        if gives_up:
            steady.given_up.add(message["message_sid"])
            break
        assert time.monotonic() < deadline, f"nobody takes a message of {sender}"
        time.sleep(0.05)
    steady.written.setdefault(message["conversation_sid"], []).append(message["message_sid"])


def _is_taken(session: requests.Session, url: str, body: bytes, headers: dict[str, str], steady: Steady) -> bool:
    try:
        status = session.post(url, body, headers=headers, timeout=PATIENCE_SECONDS).status_code
    except requests.RequestException:
        steady.answers["no answer"] += 1
        return False
    steady.answers[str(status)] += 1
    return status == 204


def answered(emulator: Emulator) -> dict[str, list[str]]:
    """Return for each conversation the messages that our replies answer, in the order of the replies."""
    found: dict[str, list[str]] = {}
    for message in emulator.messages():
        if message["author"] == "support-bot":
            reply_to = json.loads(message["attributes"])["parley"]["reply_to"]
            found.setdefault(message["conversation_sid"], []).append(reply_to)
    return found
