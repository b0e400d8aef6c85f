"""Many processes on one PostgreSQL: killed again and again, killed for good, and the database itself away.

`KILL_SECONDS` and `OUTAGE_SECONDS` in the environment say for how long; a minute each unless set.
"""

import json
import os
import random
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from app.db.tables import decisions, inbox
from app.emulator.client import Emulator
from app.inbox.leases import LEASE_SECONDS
from tests.support.arrivals import webhook_of
from tests.support.eventually import eventually
from tests.support.postgresql_server import Server
from tests.support.running_service import OPEN_STATES, Service, environ_of, post_until_stored
from tests.support.steady_load import RULES, answered, steady_load

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600), pytest.mark.engines("postgresql")]
KILL_SECONDS = float(os.environ.get("KILL_SECONDS", "60"))
OUTAGE_SECONDS = float(os.environ.get("OUTAGE_SECONDS", "60"))
SEED = 20261122


@pytest.fixture
def start_service(emulator: Emulator, tmp_path: Path) -> Iterator[Callable[..., Service]]:
    """Start two web processes and workers on a database; of two workers all, or those that are named."""
    (tmp_path / "rules.toml").write_text(RULES)
    started = []

    def start(database_url: str, *workers: str) -> Service:
        environ = environ_of(emulator, database_url, tmp_path / "rules.toml")
        service = Service(environ, tmp_path / "log", workers=2)
        started.append(service)
        names = ["web", *(workers or ("worker 1", "worker 2"))]
        for name in names:
            service.start(name)
        assert eventually(lambda: service.log_text().count("wakeups.listening") == len(names) - 1, seconds=30)
        return service

    yield start
    for service in started:
        service.close()


def test_kill_9_of_a_web_and_a_worker_process_every_second_loses_and_doubles_nothing(
    start_service, database_url, emulator
):
    emulator.faults(latency=0.15)
    service, die = start_service(database_url), random.Random(SEED)
    with steady_load(emulator, service.url, customers=30, pause=0.5) as load:
        kills = kill_one_of_each_every_second(service, die, KILL_SECONDS)
        # On a busy machine it takes longer until a worker has lived long enough to finish anything.
        assert eventually(lambda: service.stats()["processed"] or not kill_one_of_each_every_second(service, die, 1.0))

    assert service.drains(load.count, seconds=90)
    assert service.stats()["dead"] == 0
    assert answered(emulator) == load.written  # none lost, none twice, each conversation in its order
    assert kills >= KILL_SECONDS * 0.8
    assert interrupted(service) > 0


def interrupted(service: Service) -> int:
    """Return how many events somebody was working on when it was killed."""
    with service.db.read() as tx:
        return tx.scalar(select(func.count()).where(inbox.c.attempts > 1)) or 0


def kill_one_of_each_every_second(service: Service, die: random.Random, seconds: float) -> int:
    """Kill a web process, which gunicorn starts again, and a worker, which is started again here; return how often."""
    kills, deadline = 0, time.monotonic() + seconds
    while time.monotonic() < deadline:
        second = time.monotonic() + 1.0
        worker = die.choice(["worker 1", "worker 2"])
        time.sleep(die.uniform(0, 0.5))
        service.kill_a_child("web", die)
        service.kill(worker)
        service.start(worker)
        kills += 1
        time.sleep(max(0.0, second - time.monotonic()))
    return kills


def test_the_lanes_of_a_worker_that_was_killed_for_good_are_taken_over_within_the_lease(
    start_service, database_url, emulator
):
    service = start_service(database_url, "worker 1")
    emulator.faults(latency=6.0)
    first, others = sms(emulator, range(8)), sms(emulator, range(8, 16))
    post_until_stored(service.url, first)
    assert eventually(lambda: service.stats()["processing"] == len(first))
    service.start("worker 2")
    service.kill("worker 1")
    emulator.faults(latency=0.0)
    post_until_stored(service.url, others)
    assert eventually(lambda: service.stats()["processed"] == len(others))
    assert service.stats()["processing"] == len(first)  # nobody waited for the leases of the other
    assert service.drains(len(first) + len(others), seconds=LEASE_SECONDS + 10)

    assert {len(sids) for sids in answered(emulator).values()} == {1}


def sms(emulator: Emulator, numbers: range) -> list[dict[str, Any]]:
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return [
        webhook_of(emulator.inbound("hello", sender=f"+15550101{n:03}"), "hello") | {"DateCreated": now}
        for n in numbers
    ]


@pytest.fixture
def server(postgresql_server: str) -> Iterator[Server]:
    server = Server()
    yield server
    server.start()
    server.remove()


def test_a_database_that_is_away_for_a_while_costs_nothing_that_was_acknowledged(start_service, server, emulator):
    emulator.faults(latency=0.05)
    service = start_service(server.url)
    with steady_load(emulator, service.url, customers=20, pause=0.2) as load:
        assert eventually(lambda: service.stats()["processed"] > 50, seconds=30)
        server.crash()
        refused_before = load.answers["503"]
        time.sleep(OUTAGE_SECONDS)
        refused = load.answers["503"] - refused_before
        server.start()
        assert eventually(lambda: is_answering(service), seconds=20)

    assert service.drains(load.count, seconds=60)
    assert service.stats()["dead"] == 0
    assert answered(emulator) == load.written
    assert refused > 0
    assert load.answers["no answer"] == 0
    assert service.stop() == dict.fromkeys(service.names, 0)


def test_what_nobody_posts_again_after_an_outage_is_fetched_by_one_reconcile(start_service, server, emulator):
    emulator.faults(latency=0.05)
    service = start_service(server.url)
    with steady_load(emulator, service.url, customers=10, pause=0.4, gives_up=True) as lasting:
        with steady_load(emulator, service.url, customers=10, first=100, pause=0.4, gives_up=True) as ending:
            assert eventually(lambda: service.stats()["processed"] > 50, seconds=30)
            server.crash()
            time.sleep(OUTAGE_SECONDS)
        server.start()
        assert eventually(lambda: is_answering(service), seconds=20)

    written, given_up = lasting.written | ending.written, lasting.given_up | ending.given_up
    missed = {sid for sids in written.values() for sid in sids} - stored(service)
    assert missed <= given_up  # nothing acknowledged is lost
    assert service.drains(lasting.count + ending.count - len(missed), seconds=60)
    assert eventually(lambda: reconcile(service, "--dry-run")["too_recent"] == 0, seconds=90, pause=5)
    report = reconcile(service)
    assert (report["messages"], report["complete"]) == (len(missed), True)
    assert eventually(lambda: not any(service.stats()[state] for state in OPEN_STATES), seconds=60)

    answers, too_late = answered(emulator), found_too_late(service)
    assert service.stats()["dead"] == 0
    assert missed <= stored(service)
    assert too_late
    assert too_late <= missed
    assert answers == {sid: [one for one in sids if one not in too_late] for sid, sids in written.items()}
    assert too_late.isdisjoint(ending.given_up)  # who wrote no more is answered, however late


def stored(service: Service) -> set[str]:
    """Return the messages whose event was ever stored."""
    with service.db.read() as tx:
        keys = tx.scalars(select(inbox.c.event_key).where(inbox.c.event_type == "onMessageAdded"))
        return {key.partition(":")[2] for key in keys}


def reconcile(service: Service, *options: str) -> dict[str, Any]:
    """Return what `flask reconcile` reports."""
    return json.loads(service.command("reconcile", "--since", "1h", "--per-second", "100", "--json", *options))


def found_too_late(service: Service) -> set[str]:
    """Return the messages that were recorded and not answered, because something newer had been answered."""
    with service.db.read() as tx:
        return set(tx.scalars(select(decisions.c.message_sid).where(decisions.c.code == "found late")))


def is_answering(service: Service) -> bool:
    """Return whether more is answered now than a moment ago; the database may be away."""
    before = service.stats()["processed"]
    return eventually(lambda: service.stats()["processed"] > before, seconds=2)
