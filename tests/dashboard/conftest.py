"""The page as its users meet it: `page` is logged in through the real form, `visitor` is not."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from jinja2 import FileSystemBytecodeCache
from sqlalchemy import select
from werkzeug.test import TestResponse

from app import config, create_app
from app.db.database import Database
from app.db.tables import audit_log
from app.store import audit, messages
from tests.conftest import ORIGIN

PASSWORD = "correct-horse-battery"
NAME = "Maria"


@pytest.fixture(scope="session", autouse=True)
def compiled_templates(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Each test has an application of its own; compiling every template anew took most of the time."""
    before = Flask.jinja_options
    folder = tmp_path_factory.mktemp("templates")
    Flask.jinja_options = {**before, "bytecode_cache": FileSystemBytecodeCache(str(folder))}
    yield
    Flask.jinja_options = before


@pytest.fixture
def environ(environ: dict[str, str]) -> dict[str, str]:
    return environ | {"BOT_ADMIN_PASSWORD": PASSWORD}


class Browser:
    """A browser at the page: keeps cookies, sends what the forms on the page contain."""

    def __init__(self, client: FlaskClient, origin: str = ORIGIN) -> None:
        self.client, self.origin = client, origin

    def get(self, path: str, **more: Any) -> TestResponse:
        return self.client.get(path, base_url=self.origin, **more)

    def head(self, path: str, **more: Any) -> TestResponse:
        return self.client.head(path, base_url=self.origin, **more)

    def post(self, path: str, data: dict[str, str] | None = None, **more: Any) -> TestResponse:
        """Post a form as it is, with nothing added."""
        return self.client.post(path, base_url=self.origin, data=data or {}, **more)

    def form(self, path: str, action: str = "") -> dict[str, str]:
        """Return the hidden fields of the form on a page that posts to an address ending so."""
        return hidden_fields(self.get(path).text, action)

    def submit(self, path: str, action: str = "", **filled: str) -> TestResponse:
        """Fill in and submit a form of a page, as a browser does; `action` is the end of where it posts to."""
        fields = self.form(path, action)
        target = action_of(self.get(path).text, action) or path
        return self.post(target, {**fields, **filled}, headers={"Origin": self.origin})

    def log_in(self, password: str = PASSWORD, name: str = NAME, path: str = "/login") -> TestResponse:
        """Log in through the form."""
        return self.submit(path, name=name, password=password)


def forms_of(html: str) -> list[str]:
    """Return the forms of a page."""
    return re.findall(r"<form[^>]*method=\"post\".*?</form>", html, re.DOTALL)


def hidden_fields(html: str, action: str = "") -> dict[str, str]:
    """Return the hidden fields of the first form that posts to an address ending so."""
    inputs = re.findall(r"<input[^>]*type=\"hidden\"[^>]*>", _form_to(html, action))
    return {_attribute(one, "name"): _attribute(one, "value") for one in inputs}


def action_of(html: str, action: str) -> str:
    """Return where that form posts to."""
    return _attribute(_form_to(html, action).partition(">")[0], "action").replace("&amp;", "&")


def _form_to(html: str, action: str) -> str:
    forms = [one for one in forms_of(html) if re.search(rf"{re.escape(action)}(\?|\"|$)", one.partition(">")[0])]
    forms = forms if action else [one for one in forms_of(html) if "/logout" not in one]
    assert forms, f"no form posts to an address that ends with {action!r}"
    return forms[0]


def _attribute(tag: str, name: str) -> str:
    found = re.search(rf'\b{name}="([^"]*)"', tag)
    return found[1] if found else ""


@pytest.fixture
def visitor(app: Flask) -> Browser:
    """Somebody who has not logged in."""
    return Browser(app.test_client())


@pytest.fixture
def page(app: Flask) -> Browser:
    """Maria, who has logged in."""
    browser = Browser(app.test_client())
    assert browser.log_in().status_code == 303
    return browser


@pytest.fixture
def actions(db: Database) -> Callable[[], list[tuple[str, str]]]:
    """Return who did what, oldest first, without logging in and out."""

    def read() -> list[tuple[str, str]]:
        with db.read() as tx:
            rows = tx.execute(select(audit_log).order_by(audit_log.c.id)).all()
        return [(row.actor, row.action) for row in rows if not row.action.startswith("logged")]

    return read


@pytest.fixture
def newest_action(db: Database) -> Callable[[], Any]:
    """Return the newest row of the audit log."""

    def read() -> Any:
        with db.read() as tx:
            return audit.newest(tx, limit=1)[0]

    return read


@pytest.fixture
def app_with(environ: dict[str, str], clock: Callable[[], object]) -> Iterator[Callable[..., Flask]]:
    """Another process: the same database, other settings."""
    made = []

    def make(**settings: str) -> Flask:
        made.append(create_app(config.from_environment(environ | settings), clock=clock))
        return made[-1]

    yield make
    for app in made:
        app.extensions["parley"].db.close()


@pytest.fixture
def sid(customer_writes: Callable[..., dict[str, Any]], run_worker: Callable[[], None]) -> str:
    """A conversation in which a customer has written and the bot has answered."""
    found = customer_writes("hello")
    run_worker()
    return str(found["conversation_sid"])


@pytest.fixture
def thread(page: Browser) -> Callable[[str], str]:
    """Return what the page shows of a conversation."""
    return lambda sid: page.get(f"/c/{sid}").text


@pytest.fixture
def open_thread(page):
    """Open the conversation that a message is in; return the page."""
    return lambda message_sid: page.get(f"/m/{message_sid}", follow_redirects=True).text


@pytest.fixture
def notes(db, clock):
    """Store what somebody wrote in a conversation, as the worker does."""

    def note(sid, index, text="hello", author="+15550100001", **facts):
        facts = {"conversation_sid": sid, "author": author, "body": text, "message_index": index, **facts}
        message_sid = f"IM{sid[-1]}{index:031x}"
        with db.write() as tx:
            messages.record_message(tx, message_sid, facts, dated=None, now=clock())
        clock.advance(1)
        return message_sid

    return note
