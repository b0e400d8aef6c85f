"""The app that is shot at: takes a request, reads what it stored, and works some of that off."""

import logging
from dataclasses import dataclass, field
from pathlib import Path

from flask import Flask
from sqlalchemy import select

from app import config, create_app
from app.db.database import Database, Record
from app.db.schema import migrate
from app.db.tables import inbox
from app.inbox.worker import Worker
from app.runtime.process import Runtime
from app.runtime.worker import make_worker
from app.testing.bot_tester import ORIGIN, TOKEN
from app.twilio_api import form, parsing
from tests.fuzz.shots import Seen, Shot, send
from tests.support.hostile_requests import signed_bytes

NOBODY = "http://127.0.0.1:9"  # Twilio cannot be reached: the bot does all that comes before a request to it


@dataclass
class Target:
    """An app to be shot at, and what it has logged as a fault since the last shot."""

    app: Flask
    worker: Worker
    faults: list[str] = field(default_factory=list)
    told: set[int] = field(default_factory=set)

    def take(self, shot: Shot) -> Seen:
        """Return what comes of a shot; what was accepted must be an event that can be read."""
        self.faults.clear()
        seen = send(self.app, shot)
        if seen.wrong or self.faults:
            return Seen(seen.status, seen.seconds, "; ".join([seen.wrong or "a fault was logged", *self.faults]))
        return _read(shot, seen) if seen.status == 204 else seen

    def work(self, most: int) -> list[tuple[str, Shot]]:
        """Work off up to so many events; return the faults met, each with a shot that brings the event again."""
        for _ in range(most):
            if not self.worker.work_once():
                break
        with self._parley.db.read() as tx:
            rows = tx.execute(select(inbox).where(inbox.c.outcome.like("% at %.py:% in %"))).all()
        new = [row for row in rows if row.id not in self.told]
        self.told |= {row.id for row in new}
        return [(f"was stored, but working on it raised {row.outcome}", _shot_of(row)) for row in new]

    @property
    def _parley(self) -> Runtime:
        parley: Runtime = self.app.extensions["parley"]
        return parley

    def __enter__(self) -> "Target":
        return self

    def __exit__(self, *_error: object) -> None:
        self._parley.db.close()


def _shot_of(row: Record) -> Shot:
    request = signed_bytes(row.body, ORIGIN, TOKEN, row.target)
    return Shot(row.method, row.target, tuple(request.headers.items()), row.body, str(len(row.body)))


def _read(shot: Shot, seen: Seen) -> Seen:
    try:
        parsing.parse(form.read_form(shot.method, shot.target, shot.body))
    except Exception as error:
        return Seen(seen.status, seen.seconds, f"was stored, but reading it raised {type(error).__name__}: {error}")
    return seen


def target_app(folder: Path) -> Target:
    """Return an app on an empty SQLite database in a folder."""
    for old in folder.iterdir():
        old.unlink(missing_ok=True)
    settings = config.from_environment(
        {
            "TWILIO_ACCOUNT_SID": "AC" + "1".zfill(32),
            "TWILIO_AUTH_TOKEN": TOKEN,
            "TWILIO_API_BASE_URL": NOBODY,
            "PUBLIC_URL": ORIGIN,
            "DATABASE_URL": f"sqlite:///{folder}/parley.db",
            "BOT_ADMIN_PASSWORD": "a password",
            "BOT_MAX_REPLY_AGE_SECONDS": "0",
        }
    )
    database = Database(settings.database_url)
    migrate(database)
    database.close()
    app = create_app(settings)
    return Target(app, make_worker(settings, app.extensions["parley"].db))


def keep_faults(faults: list[str]) -> None:
    """Let nothing be logged in this process any more but faults, to this list."""

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.getMessage() == "event.dead":  # what Twilio refuses for good ends so, as it should
                return
            faults.append(f"{record.getMessage()} {getattr(record, 'reason', '')}")
            if record.exc_info and record.exc_info[1]:
                faults.append(repr(record.exc_info[1]))

    kept = Kept(logging.ERROR)
    for name in ("parley", "app", ""):
        log = logging.getLogger(name)
        log.handlers[:] = [kept]
        log.propagate = False
