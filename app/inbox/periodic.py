"""Runs periodic tasks, each in one process at a time however many there are: under a lease, with its progress stored.

It knows no task. A lease that its process does not renew ends, and another may begin.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, or_, select, update

from app.db.database import Database, DatabaseUnavailable, Record, upsert
from app.db.maintenance_tables import chores
from app.logs import describe_error
from app.twilio_api.errors import SendError

LEASE = timedelta(seconds=60)
# A process has started: once now, and once more when all that was missed before is older than a minute.
AGAIN_AFTER_START = timedelta(seconds=63)
BETWEEN_STARTS = timedelta(seconds=30)  # however often processes start
STARTS_TOGETHER = timedelta(seconds=5)  # of the processes of one installation
NEVER_BEGUN = datetime.min.replace(tzinfo=UTC)


class TaskLeaseLost(Exception):
    """Another process runs the task now."""


@dataclass(frozen=True, slots=True)
class TaskLease:
    """Our lease of a task: since when, what was reached before, and how far a run came that was not finished.

    It is `after_start` when a process that has started wants it; `begins_at` is since when the database is in use.
    """

    name: str
    token: str
    begun_at: datetime
    reached_at: datetime | None
    progress: Mapping[str, Any]
    begins_at: datetime | None = None
    after_start: bool = False


def state(tx: Connection, name: str) -> Record | None:
    """Return the row of a task, or None when nobody has ever begun it."""
    return tx.execute(select(chores).where(chores.c.name == name)).first()


def take(db: Database, name: str, *, every: timedelta | None = None) -> TaskLease | None:
    """Return our lease; None while another process has it, or before it is due (see `due_at`); without `every`: now.

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
        after_start = every is not None and _wanted_by_start(row) is not None
        return TaskLease(name, token, now, row.reached_at, row.progress, row.begins_at, after_start)


def _is_free(row: Record | None, every: timedelta | None, now: datetime) -> bool:
    if row is None:
        return True
    return not _is_held(row, now) and (every is None or due_at(row, every) <= now)


def _is_held(row: Record, now: datetime) -> bool:
    return bool(row.lease_until and row.lease_until > now)


def due_at(row: Record, every: timedelta) -> datetime:
    """Return when a task is to be done next: `every` so often, and twice after a process has started."""
    if row.begun_at is None:
        return NEVER_BEGUN
    usual: datetime = row.begun_at + every
    return min(usual, _wanted_by_start(row) or usual)


def _wanted_by_start(row: Record) -> datetime | None:
    """Return when a task is to be done for a process that has started; None when that has been done."""
    asked_at: datetime | None = row.asked_at
    begun_at: datetime | None = row.begun_at
    if asked_at is None or begun_at is None:
        return asked_at
    if begun_at < asked_at:
        return max(asked_at, begun_at + BETWEEN_STARTS)
    return asked_at + AGAIN_AFTER_START if begun_at < asked_at + AGAIN_AFTER_START else None


def ask(tx: Connection, name: str, now: datetime, begins_at: datetime) -> None:
    """Ask for a task to be done soon, for a process that has started; and store since when the database is in use.

    What was stored before of that stays. Processes that start together ask once. Where the use begins this moment there
    is nothing to be done at once: what comes from now on is for the second time.
    """
    upsert(tx, chores, {"name": name, "progress": {}}, update=())
    row = tx.execute(select(chores).where(chores.c.name == name).with_for_update()).one()
    wanted = {} if row.asked_at and row.asked_at > now - STARTS_TOGETHER else {"asked_at": now}
    if row.begins_at is None:
        wanted |= {"begins_at": begins_at}
        if row.begun_at is None and begins_at > now - AGAIN_AFTER_START:
            wanted |= {"begun_at": now}
    if wanted:
        tx.execute(update(chores).where(chores.c.name == name).values(**wanted))


def renew(db: Database, lease: TaskLease) -> None:
    """Lengthen our lease. Raises TaskLeaseLost, DatabaseUnavailable."""
    with db.write() as tx:
        _set(tx, lease, {"lease_until": db.now(tx) + LEASE})


def record_progress(db: Database, lease: TaskLease, progress: Mapping[str, Any]) -> None:
    """Store how far we are, for whoever goes on if we do not end it. Raises TaskLeaseLost, DatabaseUnavailable."""
    with db.write() as tx:
        _set(tx, lease, {"progress": dict(progress), "lease_until": db.now(tx) + LEASE})


def finish(db: Database, lease: TaskLease, *, complete: bool = True, reached_at: datetime | None = None) -> None:
    """End our lease; a `complete` run leaves nothing to go on with, and all that happened before `reached_at` is done.

    Never takes back what was reached. Raises TaskLeaseLost, DatabaseUnavailable.
    """
    with db.write() as tx:
        ended: dict[str, Any] = {"lease_until": None, "lease_token": None, "done_at": db.now(tx)}
        _set(tx, lease, ended | ({"progress": {}} if complete else {}))
        if reached_at is not None:
            later = or_(chores.c.reached_at.is_(None), chores.c.reached_at < reached_at)
            tx.execute(update(chores).where(chores.c.name == lease.name, later).values(reached_at=reached_at))


def _set(tx: Connection, lease: TaskLease, values: Mapping[str, Any]) -> None:
    ours = (chores.c.name == lease.name, chores.c.lease_token == lease.token)
    if tx.execute(update(chores).where(*ours).values(**values)).rowcount == 0:
        raise TaskLeaseLost(f"another process does {lease.name} now")


FIRST_MINUTE_SECONDS = 60.0  # of a process, in which it only answers
LONGEST_PAUSE_SECONDS = 5.0
SHORTEST_PAUSE_SECONDS = 0.2

log = logging.getLogger("parley.tasks")
Wait = Callable[[float], bool]


@dataclass(frozen=True)
class PeriodicTask:
    """What is done every so often. `do` gets its lease, and a function that waits and says whether to stop.

    What `can_wait` lets a process start in peace.
    """

    name: str
    every: timedelta
    do: Callable[[TaskLease, Wait], str]
    can_wait: bool = False


class PeriodicRunner:
    """Does the tasks that are due until stopped. What stops in between goes on at the next time.

    `at_start` is done first, again and again until the database can be reached.
    """

    def __init__(
        self, db: Database, wanted: Sequence[PeriodicTask], *, at_start: Callable[[], None] = lambda: None
    ) -> None:
        self._db, self._wanted, self._at_start = db, wanted, at_start
        self._pause, self._begun = FIRST_MINUTE_SECONDS, 0.0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="worker-tasks", daemon=True)

    def start(self) -> None:
        """Start the thread and return."""
        self._thread.start()

    def ask_to_stop(self) -> None:
        """Let no task begin, and let the one that is done come to a stop."""
        self._stopping.set()

    def stop(self, timeout_seconds: float) -> bool:
        """Wait for the thread to end; return whether it did."""
        self.ask_to_stop()
        if self._thread.is_alive():
            self._thread.join(max(0.0, timeout_seconds))
        return not self._thread.is_alive()

    def _run(self) -> None:
        until_it_works(self._at_start, self._stopping.wait)
        self._begun = time.monotonic()
        while not self._stopping.wait(min(self._pause, self._until_due())):
            for task in self._in_time():
                if not self._stopping.is_set():
                    self._try(task)

    def _in_time(self) -> list[PeriodicTask]:
        is_early = time.monotonic() - self._begun < self._pause
        return [task for task in self._wanted if not (is_early and task.can_wait)]

    def _until_due(self) -> float:
        """Return how long nothing is to be done: until something is due, but looking often for who has started."""
        try:
            with self._db.read() as tx:
                now = self._db.now(tx)
                rows = [(state(tx, task.name), task.every) for task in self._in_time()]
        except Exception:  # noqa: BLE001 - whoever does the first task will log it
            return self._pause
        free = [due_at(row, every) for row, every in rows if row and not _is_held(row, now)]
        pause = min([(at - now).total_seconds() for at in free], default=LONGEST_PAUSE_SECONDS)
        return min(LONGEST_PAUSE_SECONDS, max(SHORTEST_PAUSE_SECONDS, pause))

    def _try(self, task: PeriodicTask) -> None:
        try:
            lease = take(self._db, task.name, every=task.every)
            if lease is not None:
                log.info("task.done", extra={"chore": task.name, "outcome": task.do(lease, self._stopping.wait)})
        except TaskLeaseLost as lost:
            log.warning("task.lease_lost", extra={"chore": task.name, "reason": str(lost)})
        except (DatabaseUnavailable, SendError) as error:
            log.error("task.not_done", extra={"chore": task.name, "reason": str(error)})
        except Exception as error:  # noqa: BLE001 - the other tasks must still be done
            log.error("task.failed", extra={"chore": task.name, "error": describe_error(error)})


def until_it_works(step: Callable[[], None], wait: Wait) -> None:
    """Do a step that needs the database, again and again until it succeeds or `wait` says to stop."""
    while True:
        try:
            return step()
        except DatabaseUnavailable:
            if wait(1.0):
                return None
        except Exception as error:  # noqa: BLE001 - what comes after it must still be done
            log.error("process.start_step_failed", extra={"error": describe_error(error)})
            return None
