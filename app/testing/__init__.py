"""A pytest plugin to test rules and responders offline: `pytest_plugins = ["app.testing"]`; see docs/testing.md.

Fixtures that read like verbs: bot, post_webhook, replay, run_worker, customer_writes. Each test has a database
of its own; Twilio is an emulator in a process of its own; no network but loopback.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from app import config, create_app
from app.common.quoting import quoted
from app.db.database import Database
from app.db.schema import migrate
from app.emulator.client import Emulator
from app.recordings import expectations, files
from app.recordings.files import SUFFIX, RecordedRequest
from app.runtime.worker import make_worker
from app.testing.bot_tester import ORIGIN, TOKEN, BotTester, Clock, webhooks_reaching
from app.twilio_api import events, parsing
from app.twilio_api.form import is_sid, webhook_date

Sign = Callable[[RecordedRequest], dict[str, str]]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the setting that says where the recordings are."""
    parser.addini("parley_fixtures", "folder of recorded webhooks (.http)", default="tests/fixtures")


@pytest.fixture
def clock() -> Clock:
    """The clock of the app: the real time, moved forward with clock.advance(seconds)."""
    return Clock()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated, empty SQLite database to copy."""
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    database = Database(f"sqlite:///{path}")
    migrate(database)
    database.close()
    return path


@pytest.fixture
def sqlite_url(tmp_path: Path, sqlite_template: Path) -> str:
    """The address of an empty, migrated SQLite database."""
    path = tmp_path / "parley.db"
    path.write_bytes(sqlite_template.read_bytes())
    return f"sqlite:///{path}"


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """The address of the database of the app."""
    return sqlite_url


@pytest.fixture(scope="session")
def emulator_process() -> Iterator[Emulator]:
    """One emulator for all tests."""
    with Emulator.start_set_up(receipt_delay=0.01) as emulator:
        yield emulator


@pytest.fixture
def emulator(emulator_process: Emulator) -> Emulator:
    """Twilio, offline: a process of its own, empty at the start of each test."""
    emulator_process.reset()
    emulator_process.point_at("")
    return emulator_process


@pytest.fixture
def rules_file() -> Path:
    """The rules that the app answers by; here the project's."""
    return config.DEFAULT_RULES


@pytest.fixture
def environ(database_url: str, emulator: Emulator, rules_file: Path) -> dict[str, str]:
    """The environment a process of ours would be started with."""
    return {
        "TWILIO_ACCOUNT_SID": "AC" + "1".zfill(32),
        "TWILIO_AUTH_TOKEN": TOKEN,
        "TWILIO_API_BASE_URL": emulator.url,
        "PUBLIC_URL": ORIGIN,
        "DATABASE_URL": database_url,
        "BOT_RULES": str(rules_file),
        "BOT_WORKER_THREADS": "2",
    }


@pytest.fixture
def app(environ: dict[str, str], clock: Clock) -> Iterator[Flask]:
    """The application."""
    application = create_app(config.from_environment(environ), clock=clock, boot_clock=clock.boot_seconds)
    yield application
    application.extensions["parley"].db.close()


@pytest.fixture
def sign_webhook() -> Sign:
    """Return the headers of a request with its signature."""
    return lambda request: files.sign(request, ORIGIN, TOKEN)


@pytest.fixture
def deliver(app: Flask, sign_webhook: Sign) -> Callable[[RecordedRequest], TestResponse]:
    """Post a request through the real URL, signed."""

    def post(request: RecordedRequest) -> TestResponse:
        client = app.test_client()
        headers = sign_webhook(request)
        return client.open(request.target, method=request.method, headers=headers, data=request.body)

    return post


@pytest.fixture
def fixtures_folder(pytestconfig: pytest.Config) -> Path:
    """Where the recordings are: the ini option parley_fixtures."""
    return pytestconfig.rootpath / str(pytestconfig.getini("parley_fixtures"))


@pytest.fixture
def post_webhook(
    deliver: Callable[[RecordedRequest], TestResponse],
    emulator: Emulator,
    clock: Clock,
    fixtures_folder: Path,
    environ: dict[str, str],
) -> Callable[..., TestResponse]:
    """Post a recorded webhook through the real URL, signed; keyword arguments change parameters.

    It is of our account and its DateCreated is now unless the test says otherwise. A message exists at the emulator,
    so that it can be answered.
    """

    def post(name: str, changes: dict[str, str | None] | None = None, /, **more: str | None) -> TestResponse:
        recorded = files.of_account(files.read(fixtures_folder / f"{name}{SUFFIX}"), environ["TWILIO_ACCOUNT_SID"])
        now = {"DateCreated": webhook_date(clock())}
        request = files.with_fields(recorded, now | (changes or {}), **more)
        _adopt(request, emulator)
        return deliver(request)

    return post


@pytest.fixture
def replay(
    app: Flask,
    deliver: Callable[[RecordedRequest], TestResponse],
    emulator: Emulator,
    clock: Clock,
    run_worker: Callable[[], None],
    fixtures_folder: Path,
    environ: dict[str, str],
) -> Callable[[str], list[str]]:
    """Replay the recordings that match a pattern, in the order of their names, and return the differences.

    The first is dated now, and as much time passes between them as it did. A difference is a decision other than
    the one stored beside a recording, unless what came before the recording explains it, or a webhook that was refused.
    """

    def run(pattern: str = f"*{SUFFIX}") -> list[str]:
        paths = sorted(fixtures_folder.glob(pattern))
        assert paths, f"no recording in {fixtures_folder} matches {quoted(pattern)}"
        requests = [files.read(path) for path in paths]
        dates = [date for request in requests if (date := files.newest_date(request))]
        offset = clock() - min(dates) if dates else timedelta()
        differences = []
        for path, request in zip(paths, requests, strict=True):
            moved = files.of_account(files.moved(request, offset), environ["TWILIO_ACCOUNT_SID"])
            _wait_for(moved, clock, emulator)
            _adopt(moved, emulator)
            answer = deliver(moved)
            run_worker()
            found = f"refused with {answer.status_code}" if answer.status_code >= 300 else _difference(app, path, moved)
            differences += [f"{path.name}: {found}"] if found else []
        return differences

    return run


@pytest.fixture
def webhooks_arrive(app: Flask, emulator: Emulator) -> Iterator[None]:
    """The emulator posts its webhooks, signed, to this app over HTTP."""
    with webhooks_reaching(app, emulator):
        yield


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
def run_worker(app: Flask, clock: Clock) -> Callable[[], None]:
    """Work off what is due now, as `flask worker --drain` does; what is scheduled for later, however soon, stays."""

    def run() -> None:
        parley = app.extensions["parley"]
        with clock.standing_still():
            make_worker(parley.settings, parley.db).drain()

    return run


@pytest.fixture
def flask_command(app: Flask) -> Callable[..., str]:
    """Run a `flask` command and return what it printed; a failure fails the test."""

    def run(*arguments: str) -> str:
        result = app.test_cli_runner().invoke(args=list(arguments))
        assert result.exit_code == 0, result.output
        return str(result.output)

    return run


@pytest.fixture
def bot(app: Flask, webhooks_arrive: None, emulator: Emulator, clock: Clock, tmp_path: Path) -> BotTester:
    """The bot as customers and agents meet it: bot.customer("+15550100001").says("hello"), then bot.replies()."""
    return BotTester(app, emulator, clock, tmp_path)


def _message_sid(request: RecordedRequest) -> str:
    event = parsing.parse(files.form_of(request))
    return event.message_sid if isinstance(event, events.MessageAdded) else ""


def _adopt(request: RecordedRequest, emulator: Emulator) -> None:
    form = dict(files.form_of(request))
    if _message_sid(request) and is_sid(form.get("ConversationSid"), "CH"):
        emulator.adopt(form)


def _wait_for(request: RecordedRequest, clock: Clock, emulator: Emulator) -> None:
    date = files.newest_date(request)
    ahead = (date - clock()).total_seconds() if date else 0.0
    if ahead > 0:
        clock.advance(ahead)
        emulator.advance(ahead)


def _difference(app: Flask, path: Path, request: RecordedRequest) -> str:
    expected, message_sid = expectations.read(path), _message_sid(request)
    with app.extensions["parley"].db.read() as tx:
        decided = expectations.of_message(tx, message_sid) if message_sid else None
    explained = expectations.explanation(expected, decided, time_passes=True)
    return "" if explained else expectations.difference(expected, decided)
