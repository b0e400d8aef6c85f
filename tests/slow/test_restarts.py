"""A message that comes while nobody listens, as during a restart, is answered soon after, by itself."""

import os
import signal
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import text

from app.emulator.client import Emulator
from app.inbox import periodic
from app.reconcile.starting import TASK
from tests.conftest import ORIGIN, RULES
from tests.support.eventually import eventually
from tests.support.running_service import Service, environ_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
WITHIN_SECONDS = 75  # of the start
ORDER = "Please send your order number."


@pytest.fixture
def service(emulator: Emulator, database_url: str, tmp_path: Path) -> Iterator[Service]:
    """One installation to which the account's webhook goes: on SQLite web alone, on PostgreSQL a worker too."""
    (tmp_path / "rules.toml").write_text(RULES)
    running = Service(environ_of(emulator, database_url, tmp_path / "rules.toml"), tmp_path / "log")
    emulator.point_at(running.url, ORIGIN)
    yield running
    running.close()


@pytest.fixture
def writes(emulator: Emulator) -> Callable[[str], None]:
    """Let a customer write; the webhook has come, or was lost, when it returns."""

    def write(body: str) -> None:
        emulator.inbound(body)
        assert emulator.settle()

    return write


def has_begun(service: Service) -> bool:
    with service.db.read() as tx:
        row = periodic.state(tx, TASK)
    return row is not None and row.begins_at is not None


def test_a_message_that_comes_while_the_web_process_is_down_is_answered_within_75_s_of_its_start(
    service, writes, emulator
):
    for name in service.names:
        service.start(name)
    assert eventually(lambda: has_begun(service), seconds=60)
    writes("good morning")
    assert eventually(lambda: len(emulator.replies()) == 1, seconds=60)
    service.kill("web")
    writes("order 66")

    service.start("web")

    assert eventually(lambda: ORDER in emulator.replies(), seconds=WITHIN_SECONDS)
    assert emulator.replies().count(ORDER) == 1


@pytest.mark.engines("sqlite")
def test_an_installation_begins_with_its_server_though_nothing_could_be_written_before_processes_took_others_places(
    service,
):
    with service.db.write() as tx:
        tx.execute(text("ALTER TABLE chores RENAME TO out_of_reach"))  # so that nobody can write down the start
    service.start("web")
    assert eventually(lambda: len(service.children("web")) == 2, seconds=60)
    killed_at, first = datetime.now(UTC), set(service.children("web"))
    for child in first:
        os.kill(child, signal.SIGKILL)
    assert eventually(lambda: len(set(service.children("web")) - first) == 2, seconds=60)
    with service.db.write() as tx:
        tx.execute(text("ALTER TABLE out_of_reach RENAME TO chores"))
    assert eventually(lambda: has_begun(service), seconds=60)

    with service.db.read() as tx:
        assert periodic.state(tx, TASK).begins_at < killed_at
