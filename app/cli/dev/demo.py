"""The demo of `make demo`: a short conversation of two customers, played through the emulator and printed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from app.cli.inbox_tail import Followed, Follower, show
from app.db.database import Database
from app.inbox import admin
from app.store import deliveries, messages
from app.store import replies as delivery_log
from app.twilio_api.events import MessageAdded

if TYPE_CHECKING:
    from app.emulator.client import Emulator

PATIENCE_SECONDS = 30.0
OUR_NUMBER = "+15550100099"


@dataclass(frozen=True)
class DemoLine:
    """One line of the story: who writes what, and whether an answer is due."""

    channel: str
    sender: str
    body: str
    is_answered: bool = True


LINES = (
    DemoLine("sms", "+15550100001", "Hi, is anybody there?"),
    DemoLine("whatsapp", "+15550100002", "Hello! Are you open today?"),
    DemoLine("sms", "+15550100001", "Where is my order?"),
    DemoLine("whatsapp", "+15550100002", "I would like to talk to a human, please."),
    DemoLine("sms", "+15550100001", "STOP", is_answered=False),
)


class StoryFailed(Exception):
    """Something in the story did not happen; says what."""


def play(emulator: Emulator, db: Database, follower: Follower) -> None:
    """Let the customers write, show each event as it is worked off, then the story. Raises StoryFailed."""
    answers: list[tuple[DemoLine, str]] = []
    for line in LINES:
        prefix = "whatsapp:" if line.channel == "whatsapp" else ""
        written = emulator.inbound(line.body, sender=prefix + line.sender, to=prefix + OUR_NUMBER, channel=line.channel)
        for followed in _until_quiet(emulator, db, follower, written["message_sid"]):
            show(followed)
        answers.append((line, _answer(db, written["message_sid"], line)))
    click.echo("\nThe story:\n")
    for line, answer in answers:
        click.echo(f"  {line.channel:<9} {line.body}\n  {'bot':>9} {answer}\n")


def _until_quiet(emulator: Emulator, db: Database, follower: Follower, message_sid: str) -> Iterator[Followed]:
    """Give events until the message is worked off and nothing moves any more, here or at the emulator."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    message_done = False
    while time.monotonic() < deadline:
        # Asked in this order: what the emulator has posted by now is in the inbox before we count.
        is_settled = message_done and emulator.settle(PATIENCE_SECONDS)
        is_idle = _is_idle(db)
        for followed in follower.look():
            event = followed.event
            message_done = message_done or (isinstance(event, MessageAdded) and event.message_sid == message_sid)
            yield followed
        if is_settled and is_idle:
            return
        time.sleep(0.02)
    raise StoryFailed(f"the message was not worked off within {PATIENCE_SECONDS:.0f} s; see instance/dev.log")


def _is_idle(db: Database) -> bool:
    with db.read() as tx:
        counts = admin.stats(tx, db.now(tx))
    return counts["pending"] + counts["processing"] == 0


def _answer(db: Database, message_sid: str, line: DemoLine) -> str:
    with db.read() as tx:
        replies = delivery_log.replies_to(tx, message_sid)
        states = [
            delivery.status
            for reply in replies
            for delivery in deliveries.list_deliveries(tx, message_sid=reply.message_sid or "-")
        ]
        decision = messages.decision(tx, messages.DecisionKey(message_sid))
    reason = decision.reason if decision else "no decision"
    final = "read" if line.channel == "whatsapp" else "delivered"
    if line.is_answered and states != [final]:
        raise StoryFailed(
            f'"{line.body}" should have one reply that is {final}, but has {" and ".join(states) or "none"}: {reason}'
        )
    if not line.is_answered and replies:
        raise StoryFailed(f'"{line.body}" should have no reply, but has {len(replies)}')
    if not replies:
        return f"(silent: {reason})"
    return f"{' '.join(replies[0].body.split())}  (rule {replies[0].rule}, {states[0]})"
