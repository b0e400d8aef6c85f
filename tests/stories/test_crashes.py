"""kill -9 and SIGTERM to real processes, while messages arrive: nothing lost, nothing said twice, order kept."""

import json
import random
import secrets
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import func, select

from app.db.tables import inbox, lanes
from app.emulator.client import Emulator
from tests.conftest import ORIGIN, TOKEN
from tests.support.arrivals import webhook_of
from tests.support.eventually import eventually
from tests.support.running_service import Service, post_until_stored

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

CONVERSATIONS, MESSAGES_EACH, SENDERS, KILLS = 50, 10, 10, 4
SEED = 20261122
RULES = """
[bot]
reply_budget = { count = 1000, per = "1d" }

[[rule]]
name = "echo"
reply = "Got it: {{ text }}"
"""


@dataclass(frozen=True)
class Battle:
    """What arrived in each conversation and what Twilio has as answered; how many were acknowledged, how many were
    being worked on when a process ended, and how many are in each state."""

    asked: dict[str, list[str]]
    answered: dict[str, list[str]]
    acknowledged: int
    interrupted: int
    states: dict[str, int]


@pytest.fixture(scope="module")
def battles(
    emulator_process: Emulator, postgresql_server: str, sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Battle]:
    """500 messages to an installation on each database, at the same time, while its processes are killed."""
    emulator_process.reset()
    emulator_process.faults(latency=0.15)  # so that many requests are under way when a process ends
    folder = tmp_path_factory.mktemp("battles")
    (folder / "parley.db").write_bytes(sqlite_template.read_bytes())
    name = f"battle_{secrets.token_hex(6)}"
    with psycopg.connect(postgresql_server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE parley_template")
    urls = {
        "sqlite": f"sqlite:///{folder}/parley.db",
        "postgresql": postgresql_server.replace("/postgres?", f"/{name}?"),
    }
    with ThreadPoolExecutor(len(urls)) as threads:
        started = {
            engine: threads.submit(fight, emulator_process, url, folder / engine, number)
            for number, (engine, url) in enumerate(urls.items(), start=1)
        }
        return {engine: battle.result() for engine, battle in started.items()}


def fight(emulator: Emulator, database_url: str, folder: Path, number: int) -> Battle:
    folder.mkdir()
    service = Service(environment(emulator, database_url, folder), folder / "log")
    forms = arrivals(emulator, number)
    try:
        for name in service.names:
            service.start(name)
        with ThreadPoolExecutor(SENDERS) as threads:
            posts = [
                threads.submit(post_until_stored, service.url, forms[n::SENDERS], pause=0.08) for n in range(SENDERS)
            ]
            batter(service, random.Random(SEED + number))
            acknowledged = sum(post.result() for post in posts)
        service.drains(len(forms), seconds=150)  # a busy machine takes its time
        answered = answered_in(emulator, forms)
        return Battle(asked_in(forms), answered, acknowledged, interrupted(service), service.stats())
    finally:
        service.close()


def batter(service: Service, die: random.Random) -> None:
    """Kill web or worker at random instants while they work; whoever was killed whole is started again at once."""
    for n in range(KILLS):
        processed = service.stats()["processed"]
        eventually(lambda: service.stats()["processed"] > processed, seconds=8)  # noqa: B023
        time.sleep(die.uniform(0, 0.6))
        name = service.names[n % len(service.names)]
        if die.random() < 0.4:
            service.kill_a_child(name, die)
        else:
            service.kill(name)
        if service.processes[name].poll() is not None:
            service.start(name)


def environment(emulator: Emulator, database_url: str, folder: Path) -> dict[str, str]:
    (folder / "rules.toml").write_text(RULES)
    return {
        "TWILIO_ACCOUNT_SID": "AC" + "1".zfill(32),
        "TWILIO_AUTH_TOKEN": TOKEN,
        "TWILIO_API_BASE_URL": emulator.url,
        "PUBLIC_URL": ORIGIN,
        "DATABASE_URL": database_url,
        "BOT_RULES": str(folder / "rules.toml"),
    }


def arrivals(emulator: Emulator, number: int) -> list[dict[str, str | None]]:
    """Return the webhooks of all messages: round by round, one in each conversation."""
    forms = []
    for round_number in range(MESSAGES_EACH):
        for conversation in range(CONVERSATIONS):
            sender, text = f"+1555010{number}{conversation:03}", f"message {round_number}"
            now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
            message = emulator.inbound(text, sender=sender)
            forms.append(webhook_of(message, text, sender) | {"DateCreated": now})
    return forms


def asked_in(forms: list[dict[str, str | None]]) -> dict[str, list[str]]:
    asked: dict[str, list[str]] = {}
    for form in forms:
        asked.setdefault(str(form["ConversationSid"]), []).append(str(form["MessageSid"]))
    return asked


def answered_in(emulator: Emulator, forms: list[dict[str, str | None]]) -> dict[str, list[str]]:
    ours: dict[str, list[str]] = {str(form["ConversationSid"]): [] for form in forms}
    for message in emulator.messages():
        if message["author"] == "support-bot" and message["conversation_sid"] in ours:
            reply_to = json.loads(message["attributes"])["parley"]["reply_to"]
            ours[message["conversation_sid"]].append(reply_to)
    return ours


def interrupted(service: Service) -> int:
    with service.db.read() as tx:
        return tx.scalar(select(func.count()).where(inbox.c.attempts > 1)) or 0


@pytest.fixture(params=["sqlite", "postgresql"])
def battle(request: pytest.FixtureRequest, battles: dict[str, Battle]) -> Battle:
    return battles[request.param]


def test_no_acknowledged_message_is_lost_by_kill_9(battle):
    asked = {sid for sids in battle.asked.values() for sid in sids}
    answered = {sid for sids in battle.answered.values() for sid in sids}

    assert battle.acknowledged == len(asked) == CONVERSATIONS * MESSAGES_EACH
    assert asked - answered == set()
    assert battle.interrupted > 0


def test_no_message_is_answered_twice_after_kill_9(battle):
    times = Counter(sid for sids in battle.answered.values() for sid in sids)

    assert {sid: count for sid, count in times.items() if count > 1} == {}


def test_replies_keep_the_order_of_their_conversation_across_kill_9(battle):
    assert battle.answered == battle.asked


def test_every_event_ends_in_exactly_one_state_after_kill_9(battle):
    processed = {"processed": CONVERSATIONS * MESSAGES_EACH}

    assert battle.states == dict.fromkeys(battle.states, 0) | processed


@pytest.fixture
def service(environ: dict[str, str], tmp_path: Path) -> Iterator[Service]:
    service = Service(environ | {"BOT_WORKER_THREADS": "8"}, tmp_path / "log")
    for name in service.names:
        service.start(name)
    yield service
    service.close()


def test_sigterm_finishes_what_is_begun_and_leaves_nothing_leased(service, emulator):
    emulator.faults(latency=2.0)  # long enough to see all four at it, on a busy machine too
    forms = [webhook_of(emulator.inbound("hello", sender=f"+15550101{n:03}"), "hello") for n in range(4)]
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    post_until_stored(service.url, [form | {"DateCreated": now} for form in forms])
    assert eventually(lambda: service.stats()["processing"] == 4)
    exit_codes = service.stop()
    with service.db.read() as tx:
        leased = tx.scalar(select(func.count()).where(lanes.c.lease_until.is_not(None)))

    assert set(exit_codes.values()) == {0}
    assert (service.stats()["processed"], leased) == (4, 0)
    assert len(emulator.replies()) == 4
