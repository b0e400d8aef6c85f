"""Requests a reconciliation soon after a process has started, for what was missed while it was down.

It loads nothing of what fetches: web processes need this too.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, select

from app.db.database import Database
from app.db.tables import inbox
from app.inbox import periodic

TASK = "reconcile"
ALWAYS = datetime(1970, 1, 1, tzinfo=UTC)  # of a database that was in use before this was noted
FIRST_MOMENTS = timedelta(seconds=60)  # other processes may have stored something before this one came to look


_server_started: float | None = None


def server_starts() -> None:
    """Say that a server starts here: the processes that it forks, also in place of others later, count as its start."""
    global _server_started
    _server_started = time.monotonic()


class Start:
    """A start of this process, or of its server, to be noted as soon as the database can be reached."""

    def __init__(self, db: Database) -> None:
        self._db, self._at = db, _server_started or time.monotonic()

    def record(self) -> None:
        """Want a run soon; a database without an event from before begins now. Raises DatabaseUnavailable."""
        with self._db.write() as tx:
            now = self._db.now(tx)
            started_at = now - timedelta(seconds=time.monotonic() - self._at)
            first = started_at.replace(microsecond=0)  # REST dates messages to the second, cut off
            begins_at = ALWAYS if _was_in_use(tx, started_at - FIRST_MOMENTS) else first
            periodic.ask(tx, TASK, now, begins_at)


def _was_in_use(tx: Connection, before: datetime) -> bool:
    """Return whether an event came before a time, or a run ended once."""
    row = periodic.state(tx, TASK)
    if row and row.reached_at:
        return True
    oldest = tx.scalar(select(inbox.c.received_at).order_by(inbox.c.id).limit(1))
    return oldest is not None and oldest < before
