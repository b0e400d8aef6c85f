"""Plays a fault of storage under load and judges how the endpoint came through: what it lost, whom it let wait."""

import math
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path

import psycopg
import requests

from tests.conftest import ORIGIN, TOKEN
from tests.support.eventually import eventually
from tests.support.open_load import OpenLoad, open_load
from tests.support.running_service import Service

FAULT_SECONDS = 5.0
ANSWERED_SECONDS = 4.5  # Twilio waits five
OPEN_AGAIN_SECONDS = 10.0
READY_AGAIN_SECONDS = 5.0
UNREADY_SECONDS = 6.0  # what was stored 2 s ago counts, a look takes 2 s, and this machine may be busy
COMPUTED_SECONDS = 0.1
Fault = AbstractContextManager[None]


@contextmanager
def web_service(database_url: str, log: Path, *, started_by: Sequence[str] = ()) -> Iterator[Service]:
    """Give two web processes on a database; a worker is started by those who want one."""
    environ = {
        "TWILIO_ACCOUNT_SID": "AC" + "1".zfill(32),
        "TWILIO_AUTH_TOKEN": TOKEN,
        "PUBLIC_URL": ORIGIN,
        "DATABASE_URL": database_url,
        "BOT_INLINE_WORKER": "off",
    }
    service = Service(environ, log, workers=1, started_by=started_by)
    try:
        service.start("web")
        assert eventually(lambda: readiness(service) == 200, seconds=30)
        yield service
    finally:
        service.close()


def readiness(service: Service) -> int:
    """Return the status of /readyz; 0 when there is no answer in time."""
    try:
        return requests.get(service.url.replace("/conversations/webhook", "/readyz"), timeout=10).status_code
    except requests.RequestException:
        return 0


def play(service: Service, fault: Fault, *, is_seen: bool = True) -> tuple[OpenLoad, float]:
    """Post steadily before, during and after a fault; return what was answered, and when the fault was over."""
    with open_load(service.url) as load:
        assert_it_stores(load, since=0.0)
        with fault:
            until = time.monotonic() + FAULT_SECONDS
            if is_seen:
                assert eventually(lambda: readiness(service) == 503, seconds=UNREADY_SECONDS * slowness())
            time.sleep(max(0.0, until - time.monotonic()))  # the fault lasts
        over = time.monotonic()
        assert_it_stores(load, since=over + 0.5)
    return load, over


def assert_it_stores(load: OpenLoad, since: float, count: int = 50) -> None:
    """So many webhooks that were sent since then are stored, after a while."""
    assert eventually(lambda: load.count(204, since=since) >= count, seconds=3 * OPEN_AGAIN_SECONDS)


def slowness() -> float:
    """Return how many times as long as it should computing takes just now: 1 on a machine that nobody else uses.

    What is promised in seconds is promised for a machine of one's own.
    """
    began, computed = time.monotonic(), time.thread_time()
    while time.thread_time() < computed + COMPUTED_SECONDS:
        pass
    return max(1.0, (time.monotonic() - began) / COMPUTED_SECONDS)


def assert_the_door_stayed_open(load: OpenLoad, over: float, stored: set[str]) -> None:
    """Nothing acknowledged is lost, everybody had an answer in time, and it was open again soon."""
    assert load.acknowledged() <= stored
    assert load.count(0) == 0
    assert load.slowest_seconds() < ANSWERED_SECONDS * (slow := slowness())
    assert load.last_refused_at() < over + OPEN_AGAIN_SECONDS * slow


def assert_readiness_follows(service: Service, fault: Fault) -> None:
    """While nobody posts anything /readyz sees that a fault is there, and that it is over."""
    assert eventually(lambda: readiness(service) == 200, seconds=OPEN_AGAIN_SECONDS * slowness())
    with fault:
        # Each answer comes from one of two processes; after so many of one kind both have said it.
        unready_within = 2 * UNREADY_SECONDS * slowness()
        assert eventually(lambda: {readiness(service) for _ in range(6)} == {503}, seconds=unready_within)
    assert seconds_to_six_alike(service, 200) < READY_AGAIN_SECONDS * slowness()


def seconds_to_six_alike(service: Service, status: int) -> float:
    """Return after which time both processes answer so: since when six answers in a row are of this kind."""
    begun = since = time.monotonic()
    alike = 0
    while alike < 6 and time.monotonic() < begun + 3 * OPEN_AGAIN_SECONDS:
        asked_at = time.monotonic()
        if readiness(service) != status:
            alike = 0
            continue
        since = since if alike else asked_at
        alike += 1
    return since - begun if alike == 6 else math.inf


def stored_in_postgresql(url: str) -> set[str]:
    """Return the SIDs of the messages that are on disk."""
    with psycopg.connect(url) as reader:
        return {key.partition(":")[2] for (key,) in reader.execute("SELECT event_key FROM inbox")}


def stored_in_sqlite(file: Path) -> set[str]:
    """Return the SIDs of the messages that are on disk."""
    with closing(sqlite3.connect(file)) as reader:
        return {key.partition(":")[2] for (key,) in reader.execute("SELECT event_key FROM inbox")}
