"""A process that is killed loses no notification, and sends it again under the same id."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
from sqlalchemy import select

from app.db.notify_tables import notifications
from app.emulator.client import Emulator
from tests.conftest import ORIGIN
from tests.support.eventually import eventually
from tests.support.notified import SECRET, listening
from tests.support.running_service import Service, environ_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]
RULES = """
[notify]
hand_over = "crm"

[[rule]]
name = "ask for a person"
reply = "A colleague comes."
hand_over = true
"""
listen = contextmanager(listening)


@pytest.fixture
def port(free_port: Callable[[], int]) -> int:
    return free_port()


@pytest.fixture
def service(emulator: Emulator, database_url: str, rules_file: Path, tmp_path: Path, port: int) -> Iterator[Service]:
    """One installation, with a target at a port where nobody listens yet."""
    told = {"BOT_NOTIFY": f"crm=http://127.0.0.1:{port}/hook", "BOT_NOTIFY_SECRET": SECRET}
    running = Service(environ_of(emulator, database_url, rules_file, **told), tmp_path / "log")
    emulator.point_at(running.url, ORIGIN)
    yield running
    running.close()


@pytest.fixture
def rows(service: Service) -> Callable[[], Sequence[Any]]:
    """Return what is stored of notifications."""

    def read() -> Sequence[Any]:
        with service.db.read() as tx:
            return tx.execute(select(notifications)).all()

    return read


def start(service: Service) -> None:
    for name in service.names:
        service.start(name)
    assert eventually(lambda: answers(service), seconds=120)


def answers(service: Service) -> bool:
    """Return whether the endpoint is there: what is not signed is refused."""
    try:
        return requests.post(service.url, data={"Body": "x"}, timeout=5).status_code == 403
    except requests.RequestException:
        return False


def kill(service: Service) -> None:
    for name in service.names:
        service.kill(name)


def test_what_was_written_down_before_a_kill_is_sent_after_it(service, emulator, rows, port):
    start(service)
    emulator.inbound("a human please")
    assert emulator.settle()
    assert eventually(rows, seconds=120)
    kill(service)
    (before,) = rows()
    assert before.state in ("waiting", "sending")

    with listen(port) as crm:
        start(service)
        assert eventually(lambda: [row.state for row in rows()] == ["sent"], seconds=150)

    assert set(crm.ids) == {before.webhook_id}


def test_what_was_posted_as_the_process_was_killed_comes_again_under_the_same_id(service, emulator, rows, port):
    with listen(port) as crm:
        crm.held = threading.Event()
        start(service)
        emulator.inbound("a human please")
        assert emulator.settle()
        assert eventually(lambda: crm.posts, seconds=120)
        kill(service)
        crm.held.set()
        start(service)
        assert eventually(lambda: [row.state for row in rows()] == ["sent"], seconds=150)

    assert len(crm.ids) >= 2
    assert set(crm.ids) == {rows()[0].webhook_id}
