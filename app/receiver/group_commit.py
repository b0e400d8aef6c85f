"""Group commit: one request's thread writes the events of all that wait, then names the next to lead.

Everybody has an answer in time, whatever storage does. Once a commit has failed nobody waits long behind another
who tries, and a thread of its own finds out when storage works again.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from sqlalchemy import Connection

from app.db.database import Database, DatabaseUnavailable, RowsLocked
from app.db.engines import WAIT_SECONDS
from app.db.faults import SILENT
from app.db.writer_lock import time_limit
from app.logs import describe_error

ANSWER_SECONDS = 3.5  # for waiting and writing together; Twilio waits 5
LEAST_SECONDS = 0.5  # for writing, however long one has waited
QUICK_SECONDS = 1.0  # a failure before that is often a connection that was cut: another is taken
FAILING_TRY_SECONDS = 1.0  # of a caller, once a commit has failed
FAILING_WAIT_SECONDS = 0.3  # behind another who tries
BESIDE_LOCKS_SECONDS = 1.0  # after locks were met, none is waited for
PROBE_SECONDS = 2.0
PROBE_EVERY_SECONDS, LEAST_PAUSE_SECONDS = 2.0, 0.1  # while storage fails and nobody who wants to store tries
FRESH_SECONDS = 2.0  # what was stored so recently says that storage works
UNASKED_SECONDS = 10.0  # then nobody wants to know whether it works again
MOST_FAILED = 16  # of the items that could not be stored, enough to try as much

log = logging.getLogger("parley.webhooks")

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(eq=False)
class _Ticket(Generic[Item, Result]):
    """One caller's item, None to find out whether storage works. `asleep` is released when it is done or shall lead.

    A bare lock: an Event takes 2.8 us instead of 0.4, and every webhook needs one.
    """

    item: Item | None
    give_up_at: float
    asleep: threading.Lock = field(default_factory=threading.Lock)
    is_called: bool = False
    done: bool = False
    result: Result | None = None
    error: Exception | None = None

    def __post_init__(self) -> None:
        self.asleep.acquire()

    def call(self) -> None:
        if not self.is_called:
            self.is_called = True
            self.asleep.release()


class GroupCommit(Generic[Item, Result]):
    """Writes the items of concurrent callers in one transaction; each gets its own result or error.

    `write_all` may be called again with the same items when it is not known whether they were stored.
    `write_beside_locks` does the same without waiting for what others hold locked. `probe` writes as much as the
    items that it gets would, and leaves nothing.
    """

    def __init__(
        self,
        db: Database,
        write_all: Callable[[Connection, Sequence[Item]], Sequence[Result]],
        *,
        write_beside_locks: Callable[[Connection, Sequence[Item]], Sequence[Result]],
        probe: Callable[[Connection, Sequence[Item]], None],
    ) -> None:
        self._db = db
        self._write_all, self._write_beside_locks = write_all, write_beside_locks
        self._probe = probe
        self._lock = threading.Lock()
        self._waiting: list[_Ticket[Item, Result]] = []
        self._leader: _Ticket[Item, Result] | None = None
        self._beside_locks_until = 0.0
        self._health: StorageHealth[Item] = StorageHealth(self._watch)

    def add(self, item: Item) -> Result:
        """Return the item's result once it is on disk. Raises DatabaseUnavailable after at most 4 s: not stored."""
        ticket: _Ticket[Item, Result] = _Ticket(item, time.monotonic() + ANSWER_SECONDS)
        self._await(ticket)
        return ticket.result  # type: ignore[return-value]

    def known_problem(self) -> str:
        """Return why nothing can be stored, "" if that is not known; it does not wait."""
        failure = self._health.watched_failure()
        return str(failure) if failure else ""

    def problem(self) -> str:
        """Return why nothing can be stored now, "" if it can; it writes only if nothing was stored for a while.

        It takes 2 s at most, or twice that while others ask too.
        """
        if known := self.known_problem():
            return known
        if not self._health.one_asks.acquire(timeout=PROBE_SECONDS):
            return "it takes too long to find out whether webhooks can be stored"
        try:
            return "" if self._health.is_fresh() else self._probe_problem()
        finally:
            self._health.one_asks.release()

    def _probe_problem(self) -> str:
        try:
            self._await(_Ticket(None, time.monotonic() + PROBE_SECONDS))
        except DatabaseUnavailable as unavailable:
            return str(unavailable)
        except Exception as error:  # noqa: BLE001 - whatever it is: webhooks would meet it, too
            return describe_error(error)
        return ""

    def _await(self, ticket: _Ticket[Item, Result]) -> None:
        """Return when the ticket's item is on disk. Raises its error."""
        with self._lock:
            self._waiting.append(ticket)
            if self._leader is None:
                self._appoint(ticket)
        patience = ticket.give_up_at - time.monotonic()
        if self._health.failure and ticket.item is not None:
            self._health.record_asked()
            patience = FAILING_WAIT_SECONDS
        if not ticket.asleep.acquire(timeout=max(0.0, patience)):
            self._give_up(ticket)
        if not ticket.done:
            self._lead(ticket)
        if ticket.error:
            raise ticket.error

    def _appoint(self, ticket: _Ticket[Item, Result] | None) -> None:
        self._leader = ticket
        if ticket:
            ticket.call()

    def _give_up(self, ticket: _Ticket[Item, Result]) -> None:
        with self._lock:
            if ticket.is_called:
                return  # just now
            if ticket in self._waiting:
                self._waiting.remove(ticket)
        failure = self._health.failure or DatabaseUnavailable("the commit before this one takes too long", SILENT)
        raise DatabaseUnavailable(str(failure), failure.kind)

    def _lead(self, leader: _Ticket[Item, Result]) -> None:
        """Write for everybody who waits now, ourselves among them, and hand over to the first who came meanwhile."""
        group = self._take_waiting()
        try:
            with time_limit(self._seconds_for(leader)):
                group += self._write_or_fail(group)
        finally:
            with self._lock:
                self._appoint(self._waiting[0] if self._waiting else None)
        for ticket in group:
            ticket.done = True
            ticket.call()

    def _seconds_for(self, leader: _Ticket[Item, Result]) -> float:
        """Return how long a try may take; one who only wants to know whether storage works may take longer."""
        most = FAILING_TRY_SECONDS if self._health.failure and leader.item is not None else WAIT_SECONDS
        return min(most, max(LEAST_SECONDS, leader.give_up_at - time.monotonic()))

    def _take_waiting(self) -> list[_Ticket[Item, Result]]:
        with self._lock:
            group, self._waiting = self._waiting, []
        return group

    def _write_or_fail(self, group: list[_Ticket[Item, Result]]) -> list[_Ticket[Item, Result]]:
        """Write the group, or put an error on its tickets; return who else shares this error."""
        began = time.monotonic()
        error: Exception | None = self._write(group)
        if isinstance(error, RowsLocked):
            self._beside_locks_until = time.monotonic() + BESIDE_LOCKS_SECONDS
            error = self._write(group)
        elif isinstance(error, DatabaseUnavailable) and time.monotonic() < began + QUICK_SECONDS:
            error = self._write(group)
        if error and (isinstance(error, RowsLocked) or not isinstance(error, DatabaseUnavailable)):
            error = self._write_one_by_one(group, error, began + WAIT_SECONDS)
        if not isinstance(error, DatabaseUnavailable):
            self._health.record_stored()
            return []
        meanwhile = self._take_waiting()  # who came meanwhile would wait as long again
        for ticket in group + meanwhile:
            ticket.error = error
        self._health.record_failed(error, _items_of(group))
        return meanwhile

    def _write_one_by_one(
        self, group: list[_Ticket[Item, Result]], error: Exception, until: float
    ) -> DatabaseUnavailable | None:
        """Write each ticket alone, or put its own error on it; return the error of storage if none could be written."""
        for ticket in group:
            ticket.error = self._write([ticket]) if time.monotonic() < until else error
        errors = [ticket.error for ticket in group]
        of_storage = [error for error in errors if isinstance(error, DatabaseUnavailable)]
        return of_storage[0] if len(of_storage) == len(errors) else None

    def _write(self, group: list[_Ticket[Item, Result]]) -> Exception | None:
        items = _items_of(group)
        write = self._write_beside_locks if time.monotonic() < self._beside_locks_until else self._write_all
        try:
            with self._db.write(priority=True) as tx:
                results = write(tx, items) if items else self._probe(tx, self._health.failed_items) or ()
        except Exception as error:  # noqa: BLE001 - handed to every caller of the group
            return error
        for ticket, result in zip((one for one in group if one.item is not None), results, strict=True):
            ticket.result = result
        return None

    def _watch(self) -> None:
        """Try until storage works again, or nobody asks any more."""
        due_at = time.monotonic() + PROBE_EVERY_SECONDS
        while self._health.is_to_be_tried(max(LEAST_PAUSE_SECONDS, due_at - time.monotonic())):
            due_at = time.monotonic() + PROBE_EVERY_SECONDS
            with suppress(Exception):  # it is noted, and tried again
                self._await(_Ticket(None, time.monotonic() + WAIT_SECONDS))


def _items_of(group: Sequence[_Ticket[Item, Result]]) -> list[Item]:
    return [ticket.item for ticket in group if ticket.item is not None]


class StorageHealth(Generic[Item]):
    """One process's view; told by whoever writes, asked by many threads. While storage fails, one thread watches it."""

    def __init__(self, watch: Callable[[], None]) -> None:
        self.failure: DatabaseUnavailable | None = None
        self.failed_items: Sequence[Item] = ()
        self.one_asks = threading.Lock()
        self._watch = watch
        self._lock = threading.Lock()
        self._watcher: threading.Thread | None = None
        self._works_again = threading.Event()
        self._stored_at = self._asked_at = float("-inf")

    def is_fresh(self) -> bool:
        """Return whether something was stored just now, and nothing has failed since."""
        return self.failure is None and time.monotonic() < self._stored_at + FRESH_SECONDS

    def watched_failure(self) -> DatabaseUnavailable | None:
        """Return what is wrong while somebody finds out whether it still is; asking keeps them at it."""
        self.record_asked()
        return self.failure if self._watcher else None

    def record_asked(self) -> None:
        """Remember that somebody wants to know."""
        self._asked_at = time.monotonic()

    def record_stored(self) -> None:
        """Storage has taken something."""
        self._stored_at = time.monotonic()
        if self.failure:
            self.failure = None
            self._works_again.set()
            log.warning("storage.recovered")

    def record_failed(self, failure: DatabaseUnavailable, items: Sequence[Item]) -> None:
        """Storage took nothing of these items; see to it that somebody watches it."""
        with self._lock:
            self.failure = failure
            self.failed_items = items[:MOST_FAILED] or self.failed_items
            if not self._watcher:
                self.record_asked()
                self._works_again.clear()
                self._watcher = threading.Thread(target=self._watch, name="storage-watch", daemon=True)
                self._watcher.start()

    def is_to_be_tried(self, pause_seconds: float) -> bool:
        """Wait, or until it works again; return whether the watching thread shall try, else it is dismissed."""
        self._works_again.wait(pause_seconds)
        with self._lock:
            is_wanted = time.monotonic() < self._asked_at + UNASKED_SECONDS
            if self.failure and is_wanted:
                self._works_again.clear()
                return True
            self._watcher = None
            return False
