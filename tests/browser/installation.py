"""Parley as somebody tries it: gunicorn with its inline worker beside an emulator, on free ports of loopback."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Select, func, select

from app import config
from app.db.database import Database
from app.db.schema import migrate
from app.db.tables import messages, replies
from app.emulator.client import Emulator
from app.inbox import admin
from tests.conftest import TOKEN
from tests.support import gunicorn_process
from tests.support.eventually import eventually

PUBLIC_URL = "http://127.0.0.1:8000"  # what webhooks are signed for; the port that listens is another
SECRET_KEY = "only-for-the-tests-of-the-page-0123456789abcdef"


@dataclass(frozen=True)
class Installation:
    """A running app with its emulator and its database."""

    url: str
    emulator: Emulator
    db: Database

    def address(self, path: str) -> str:
        """Return the full address of a page."""
        return self.url + path

    def has_answered(self, conversation_sid: str, count: int) -> bool:
        """Return whether that many replies have been sent, within the patience of a person."""
        sent = select(func.count()).where(replies.c.conversation_sid == conversation_sid, replies.c.state == "sent")
        return eventually(lambda: self._scalar(sent) == count)

    def has_noted(self, conversation_sid: str, count: int) -> bool:
        """Return whether that many messages of people are known."""
        known = select(func.count()).where(messages.c.conversation_sid == conversation_sid)
        return eventually(lambda: self._scalar(known) == count)

    def is_idle(self) -> bool:
        """Return whether no event is to be worked on, as soon as it is so."""
        return eventually(lambda: not self._open_events(), seconds=60)

    def id_of_dead(self, conversation_sid: str) -> int:
        """Return the id of the dead event of a conversation, as soon as there is one."""
        assert eventually(lambda: self._dead(conversation_sid))
        return self._dead(conversation_sid)[0]

    def _scalar(self, query: Select[Any]) -> Any:
        with self.db.read() as tx:
            return tx.scalar(query)

    def _open_events(self) -> int:
        with self.db.read() as tx:
            counts = admin.stats(tx, self.db.now(tx))
        return counts["pending"] + counts["processing"]

    def _dead(self, conversation_sid: str) -> list[int]:
        with self.db.read() as tx:
            rows = admin.list_events(
                tx, self.db.now(tx), admin.EventFilter(state="dead", conversation_sid=conversation_sid)
            )
        return [row.id for row in rows]


@contextmanager
def running(folder: Path, rules: Path, *, password: str = "", **more: str) -> Iterator[Installation]:
    """Give an installation with a database of its own; it is gone afterwards."""
    database = Database(config.from_environment({"DATABASE_URL": f"sqlite:///{folder / 'parley.db'}"}).database_url)
    migrate(database)
    with Emulator.start_set_up(receipt_delay=0.1) as emulator:
        environ = {
            "TWILIO_ACCOUNT_SID": "AC" + "1".zfill(32),
            "TWILIO_AUTH_TOKEN": TOKEN,
            "TWILIO_API_BASE_URL": emulator.url,
            "PUBLIC_URL": PUBLIC_URL,
            "DATABASE_URL": f"sqlite:///{folder / 'parley.db'}",
            "SECRET_KEY": SECRET_KEY,
            "BOT_RULES": str(rules),
            "BOT_ADMIN_PASSWORD": password,
            "WEB_CONCURRENCY": "1",
        }
        with gunicorn_process.serving(environ | more, folder / "app.log") as server:
            url = f"http://127.0.0.1:{server.port}"
            emulator.point_at(f"{url}/conversations/webhook", PUBLIC_URL)
            yield Installation(url, emulator, database)
    database.close()
