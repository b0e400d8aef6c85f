"""The cases of docs/operations.md that are about the disk: full, and brought back from a backup."""

import resource
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from app.twilio_api.form import webhook_date
from tests.conftest import ORIGIN, TOKEN
from tests.support import webhook_fixtures
from tests.support.arrivals import webhook_of
from tests.support.eventually import eventually
from tests.support.gunicorn_process import Gunicorn, serving
from tests.support.hostile_requests import exchange, on_the_wire
from tests.support.runbook import folder, follow, sqlite_url, time_passes

pytestmark = [pytest.mark.slow, pytest.mark.engines("sqlite")]

__all__ = ["folder", "follow", "sqlite_url", "time_passes"]
THANKS = "Thanks, we will be right back."


class TestDisk:
    @pytest.fixture
    def web(self, environ, folder) -> Iterator[Gunicorn]:
        """One web process, which works too; its output goes to another disk, so to say."""
        environ = environ | {"WEB_CONCURRENCY": "1", "PUBLIC_URL": ORIGIN}
        with serving(environ, folder / "output") as gunicorn:
            yield gunicorn

    def test_while_the_disk_is_full_nothing_is_acknowledged_and_later_all_is_answered(
        self, follow, web, folder, emulator, run_worker, time_passes
    ):
        first = self.customer_writes(web, emulator, 1)
        assert eventually(lambda: emulator.replies() == [THANKS])
        limit_files(web.process.pid, size_of(folder / "instance" / "parley.db-wal"))
        refused = [self.customer_writes(web, emulator, number) for number in (2, 3)]
        steps = follow("The disk is full, or the database away")
        steps.run("df -h .")
        limit_files(web.process.pid, resource.RLIM_INFINITY)
        steps.run("flask inbox purge --older-than 7 --yes")

        assert (first, refused) == (204, [503, 503])
        assert self.customer_writes(web, emulator, 4) == 204
        time_passes(120)
        steps.run("flask reconcile --since 2h")
        run_worker()
        assert emulator.replies() == [THANKS] * 4

    def customer_writes(self, web, emulator, number):
        sender = f"+1555010000{number}"
        message = emulator.inbound("hello", sender=sender)
        request = webhook_fixtures.with_fields(
            webhook_fixtures.load("onMessageAdded__sms_text"),
            webhook_of(message, "hello", sender) | {"DateCreated": webhook_date(datetime.now(UTC))},
        )
        headers = webhook_fixtures.sign(request, ORIGIN, TOKEN)
        return exchange(web.port, on_the_wire(replace(request, headers=headers), Connection="close")).status


def limit_files(parent: int, most_bytes: int) -> None:
    """Let the web process and its children write no file beyond a size: to them, the disk is full."""
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    for pid in [parent, *map(int, children)]:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (most_bytes, resource.RLIM_INFINITY))


def size_of(path: Path) -> int:
    return path.stat().st_size


@pytest.fixture
def arrives(emulator, post_webhook, clock):
    """Let a customer write, some minutes ago, and post the webhook."""

    def arrive(body, minutes):
        message = emulator.inbound(body, sender=f"+155501000{minutes:02}")
        told = {"DateCreated": webhook_date(clock() - timedelta(minutes=minutes))}
        changes = webhook_of(message, body, f"+155501000{minutes:02}") | told
        assert post_webhook("onMessageAdded__sms_text", changes).status_code == 204

    return arrive


@pytest.fixture
def lives_on(app, arrives, run_worker, emulator):
    """Answer a customer of whom the backup will know nothing, and miss another as everything ends."""

    def live():
        run_worker()
        arrives("after the backup", 3)
        run_worker()
        emulator.inbound("written while nobody was there", sender="+15550100002")
        app.extensions["parley"].db.close()

    return live


@pytest.fixture
def assert_restored(emulator, flask_command, run_worker, time_passes):
    """Follow the last steps: nobody is answered again, and who was missed is answered."""

    def check(steps):
        steps.run("BOT_MAX_REPLY_AGE_SECONDS=1 flask worker --drain")
        assert emulator.replies() == [THANKS] * 2
        assert "older than" in flask_command("inbox", "list")
        time_passes(120)
        steps.run("flask reconcile --since 1d")
        run_worker()
        assert emulator.replies() == [THANKS] * 3

    return check


def test_a_restored_sqlite_backup_answers_nobody_again_and_misses_nothing(
    follow, folder, arrives, lives_on, assert_restored
):
    steps = follow("Backup and restore: SQLite")
    arrives("waiting", 20)
    steps.run("sqlite3 instance/parley.db", only_if_installed=True)
    (folder / "parley-backup.db").unlink(missing_ok=True)
    steps.run("python -c")
    lives_on()
    steps.run("mv")
    steps.run("rm")
    steps.run("cp")
    steps.run("flask db upgrade")
    assert_restored(steps)


@pytest.mark.engines("postgresql")
class TestPostgresql:
    @pytest.fixture
    def environ(self, environ):
        with psycopg.connect(environ["DATABASE_URL"]) as server:
            programs = server.execute("SELECT setting FROM pg_config WHERE name = 'BINDIR'").fetchone()
        return environ | {"PATH": programs[0]}

    def test_a_restored_dump_answers_nobody_again_and_misses_nothing(self, follow, arrives, lives_on, assert_restored):
        steps = follow("Backup and restore: PostgreSQL")
        arrives("waiting", 20)
        steps.run("pg_dump")
        lives_on()
        steps.run("pg_restore")
        steps.run("flask db upgrade")
        assert_restored(steps)
