"""How many connections an installation opens to PostgreSQL: a small plan's limit is enough, also under load."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from app import config
from app.emulator.client import Emulator
from tests.support.arrivals import webhook_of
from tests.support.running_service import Service, post_until_stored

pytestmark = pytest.mark.slow

SMALL_PLAN = 20
SENDERS, MESSAGES_EACH = 32, 12
OPEN = """
SELECT count(*), count(*) FILTER (WHERE query LIKE 'LISTEN%') FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
only_postgresql = pytest.mark.engines("postgresql")


def settings(**environ: str) -> config.Settings:
    return config.from_environment({"DATABASE_URL": "postgresql://bot@db.example.com/parley", **environ})


def test_two_web_processes_and_a_worker_may_open_fewer_connections_than_a_small_plan_allows():
    defaults = settings()
    listening, release_command = 1, 1

    needed = defaults.web_concurrency * defaults.web_connections + defaults.worker_connections
    assert needed + listening + release_command < SMALL_PLAN


def test_a_web_process_that_works_may_open_the_connections_of_a_worker_as_well():
    working = settings(BOT_INLINE_WORKER="on", BOT_WORKER_THREADS="3")

    assert working.web_connections == settings().web_connections + working.worker_connections
    assert working.worker_connections == 3 + 1


@pytest.fixture
def service(environ: dict[str, str], emulator: Emulator, tmp_path: Path) -> Iterator[Service]:
    """Two web processes of 16 threads, and a worker of 8; every thread of which is busy with Twilio."""
    emulator.faults(latency=0.1)
    service = Service(environ | {"BOT_WORKER_THREADS": "8"}, tmp_path / "log")
    for name in service.names:
        service.start(name)
    yield service
    service.db.close()
    service.close()


@only_postgresql
def test_an_installation_under_load_opens_no_more_connections_than_it_says(service, emulator, database_url):
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    forms = [
        webhook_of(emulator.inbound("hello", sender=f"+15550101{n:03}"), "hello") | {"DateCreated": now}
        for n in range(SENDERS * MESSAGES_EACH)
    ]
    counts = []
    with psycopg.connect(database_url, autocommit=True) as admin, ThreadPoolExecutor(SENDERS) as threads:
        posts = [threads.submit(post_until_stored, service.url, forms[n::SENDERS]) for n in range(SENDERS)]
        while not all(post.done() for post in posts):
            counts += admin.execute(OPEN).fetchall()
            time.sleep(0.02)
        assert sum(post.result() for post in posts) == len(forms)
        counts += admin.execute(OPEN).fetchall()

    most, listening = (max(column) for column in zip(*counts, strict=True))
    assert 3 <= most < SMALL_PLAN
    assert listening == 1
    assert "worker.database_unavailable" not in service.log_text()
