"""One installation that is tortured: an app on SQLite and one on PostgreSQL, emptied before each schedule."""

from dataclasses import dataclass
from pathlib import Path

import psycopg
from flask import Flask

from app import config, create_app
from app.db.database import Database
from app.db.schema import migrate
from app.db.tables import metadata
from app.inbox.worker import Worker
from app.runtime.process import Runtime
from app.runtime.worker import make_worker
from app.testing.bot_tester import ORIGIN, TOKEN
from tests.support.notified import SECRET
from tests.torture.clock import SharedClock
from tests.torture.schedules import Schedule

RESPONDER = "tests.torture.answering:answer"


@dataclass
class Installation:
    """An app without a connection to its database: each process that is forked opens its own."""

    app: Flask
    clock: SharedClock
    folder: Path
    url: str

    @property
    def database(self) -> str:
        return self.url.partition(":")[0]

    @property
    def log(self) -> Path:
        return self.folder / "log"

    def emptied_for(self, schedule: Schedule) -> Worker:
        """Forget everything, and return a worker that answers by the schedule's rules."""
        (self.folder / "rules.toml").write_text(schedule.rules)
        self.log.write_text("")
        self.clock.set_right()
        if schedule.database == "sqlite":
            _empty_file(self.folder)
        else:
            _empty_tables(self.url)
        parley: Runtime = self.app.extensions["parley"]
        return make_worker(parley.settings, parley.db)


def install(emulator_url: str, folder: Path, database_url: str = "") -> Installation:
    """Return an installation in a folder of its own, on SQLite unless another database is given."""
    folder.mkdir(parents=True)
    url = database_url or f"sqlite:///{folder}/parley.db"
    settings = config.from_environment(
        {
            "TWILIO_ACCOUNT_SID": "AC" + "1".zfill(32),
            "TWILIO_AUTH_TOKEN": TOKEN,
            "TWILIO_API_BASE_URL": emulator_url,
            "PUBLIC_URL": ORIGIN,
            "DATABASE_URL": url,
            "BOT_RULES": str(folder / "rules.toml"),
            "BOT_RESPONDER": RESPONDER,
            "BOT_NOTIFY": "crm=http://127.0.0.1:9/",  # never sent here: only what is written down counts
            "BOT_NOTIFY_SECRET": SECRET,
            "BOT_MAX_REPLY_AGE_SECONDS": "0",
        }
    )
    (folder / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    database = Database(settings.database_url)
    migrate(database)
    database.close()
    if database.is_sqlite:
        (folder / "template.db").write_bytes((folder / "parley.db").read_bytes())
    clock = SharedClock()
    return Installation(create_app(settings, clock=clock, boot_clock=clock.boot_seconds), clock, folder, url)


def _empty_file(folder: Path) -> None:
    for ending in ("", "-wal", "-shm"):
        (folder / f"parley.db{ending}").unlink(missing_ok=True)
    (folder / "parley.db").write_bytes((folder / "template.db").read_bytes())


def _empty_tables(url: str) -> None:
    # A migration fills this one, and what it says outlives the rows of others.
    names = ", ".join(table.name for table in metadata.sorted_tables if table.name != "installation_keys")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"TRUNCATE {names} RESTART IDENTITY")
