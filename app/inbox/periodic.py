"""What is done now and then by one process at a time, however many there are: whose turn it is, and how far it came.

It knows no chore. A lease that its process does not renew ends, and another may begin.
"""

from __future__ import annotations

import logging
import secrets
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, or_, select, update

from app.db.database import Database, DatabaseUnavailable, Record, upsert
from app.db.maintenance_tables import chores
from app.logs import fault
from app.twilio_api.errors import SendError

LEASE = timedelta(seconds=60)


class LeaseLost(Exception):
    """Another process does the chore now."""


@dataclass(frozen=True, slots=True)
class Turn:
    """Our turn at a chore: since when, what was reached before, and how far a run came that was not finished."""

    name: str
    token: str
    begun_at: datetime
    reached_at: datetime | None
    progress: Mapping[str, Any]


def state(tx: Connection, name: str) -> Record | None:
    """Return the row of a chore, or None when nobody has ever begun it."""
    return tx.execute(select(chores).where(chores.c.name == name)).first()


def take(db: Database, name: str, *, every: timedelta | None = None) -> Turn | None:
    """Return our turn; None while another process has it, or before `every` has passed since the last one began.

    Raises DatabaseUnavailable.
    """
    with db.read() as tx:
        if not _is_free(state(tx, name), every, db.now(tx)):
            return None
    with db.write() as tx:
        upsert(tx, chores, {"name": name, "progress": {}}, update=())
        row = tx.execute(select(chores).where(chores.c.name == name).with_for_update()).one()
        now, token = db.now(tx), secrets.token_hex(8)
        if not _is_free(row, every, now):
            return None
        held = {"lease_until": now + LEASE, "lease_token": token, "begun_at": now}
        tx.execute(update(chores).where(chores.c.name == name).values(**held))
        return Turn(name, token, now, row.reached_at, row.progress)


def _is_free(row: Record | None, every: timedelta | None, now: datetime) -> bool:
    if row is None:
        return True
    if row.lease_until and row.lease_until > now:
        return False
    return every is None or row.begun_at is None or row.begun_at + every <= now


def renew(db: Database, turn: Turn) -> None:
    """Lengthen our turn. Raises LeaseLost, DatabaseUnavailable."""
    with db.write() as tx:
        _set(tx, turn, {"lease_until": db.now(tx) + LEASE})


def note_progress(db: Database, turn: Turn, progress: Mapping[str, Any]) -> None:
    """Store how far we are, for whoever goes on if we do not come to the end. Raises LeaseLost, DatabaseUnavailable."""
    with db.write() as tx:
        _set(tx, turn, {"progress": dict(progress), "lease_until": db.now(tx) + LEASE})


def finish(db: Database, turn: Turn, *, complete: bool = True, reached_at: datetime | None = None) -> None:
    """End our turn; a `complete` one leaves nothing to go on with, and all that happened before `reached_at` is done.

    Never takes back what was reached. Raises LeaseLost, DatabaseUnavailable.
    """
    with db.write() as tx:
        ended: dict[str, Any] = {"lease_until": None, "lease_token": None, "done_at": db.now(tx)}
        _set(tx, turn, ended | ({"progress": {}} if complete else {}))
        if reached_at is not None:
            later = or_(chores.c.reached_at.is_(None), chores.c.reached_at < reached_at)
            tx.execute(update(chores).where(chores.c.name == turn.name, later).values(reached_at=reached_at))


def _set(tx: Connection, turn: Turn, values: Mapping[str, Any]) -> None:
    ours = (chores.c.name == turn.name, chores.c.lease_token == turn.token)
    if tx.execute(update(chores).where(*ours).values(**values)).rowcount == 0:
        raise LeaseLost(f"another process does {turn.name} now")


LONGEST_PAUSE_SECONDS = 60.0

log = logging.getLogger("parley.chores")
Wait = Callable[[float], bool]


@dataclass(frozen=True)
class Chore:
    """What is done every so often. `do` gets its turn, and a function that waits and says whether to stop."""

    name: str
    every: timedelta
    do: Callable[[Turn, Wait], str]


class Rounds:
    """Does the chores whose time has come until stopped. What stops in between goes on at the next time."""

    def __init__(self, db: Database, wanted: Sequence[Chore]) -> None:
        self._db, self._wanted = db, wanted
        self._stopping = threading.Event()
        shortest = min((chore.every.total_seconds() for chore in wanted), default=LONGEST_PAUSE_SECONDS)
        self._pause = min(LONGEST_PAUSE_SECONDS, max(0.2, shortest / 4))
        self._thread = threading.Thread(target=self._run, name="worker-chores", daemon=True)

    def start(self) -> None:
        """Start the thread and return; it looks for the first time after a pause, so that it holds up no start."""
        self._thread.start()

    def ask_to_stop(self) -> None:
        """Let no chore begin, and let the one that is done come to a stop."""
        self._stopping.set()

    def stop(self, timeout_seconds: float) -> bool:
        """Wait for the thread to end; return whether it did."""
        self.ask_to_stop()
        if self._thread.is_alive():
            self._thread.join(max(0.0, timeout_seconds))
        return not self._thread.is_alive()

    def _run(self) -> None:
        while not self._stopping.wait(self._pause):
            for chore in self._wanted:
                if not self._stopping.is_set():
                    self._try(chore)

    def _try(self, chore: Chore) -> None:
        try:
            turn = take(self._db, chore.name, every=chore.every)
            if turn is not None:
                log.info("done", extra={"chore": chore.name, "outcome": chore.do(turn, self._stopping.wait)})
        except LeaseLost as lost:
            log.warning("left to another process", extra={"chore": chore.name, "reason": str(lost)})
        except (DatabaseUnavailable, SendError) as error:
            log.error("not done", extra={"chore": chore.name, "reason": str(error)})
        except Exception as error:  # noqa: BLE001 - the other chores must still be done
            log.error("fault", extra={"chore": chore.name, "fault": fault(error)})
