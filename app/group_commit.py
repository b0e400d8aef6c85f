"""Many threads, one commit: whoever gets the lock writes for all that wait; the others find theirs done."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from sqlalchemy import Connection

from app.db import WAIT_SECONDS, Database, DatabaseUnavailable

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(eq=False)
class _Ticket(Generic[Item, Result]):
    item: Item
    done: bool = False
    result: Result | None = None
    error: Exception | None = None


class GroupCommit(Generic[Item, Result]):
    """Writes the items of concurrent callers in one transaction; each gets its own result or error."""

    def __init__(self, db: Database, write_all: Callable[[Connection, Sequence[Item]], Sequence[Result]]) -> None:
        self._db = db
        self._write_all = write_all
        self._waiting: list[_Ticket[Item, Result]] = []
        self._list_lock = threading.Lock()
        self._commit_lock = threading.Lock()

    def add(self, item: Item) -> Result:
        """Return the item's result once it is on disk.

        Raises DatabaseUnavailable, also after 3 s of waiting for others; then it counts as not stored.
        """
        deadline = time.monotonic() + WAIT_SECONDS
        ticket: _Ticket[Item, Result] = _Ticket(item)
        with self._list_lock:
            self._waiting.append(ticket)
        if not self._commit_lock.acquire(timeout=WAIT_SECONDS):
            self._give_up(ticket)
            raise DatabaseUnavailable("the commit before this one takes too long")
        try:
            if not ticket.done:
                self._write_waiting(deadline)
        finally:
            self._commit_lock.release()
        if ticket.error:
            raise ticket.error
        return ticket.result  # type: ignore[return-value]

    def _give_up(self, ticket: _Ticket[Item, Result]) -> None:
        with self._list_lock:
            if ticket in self._waiting:
                self._waiting.remove(ticket)

    def _write_waiting(self, deadline: float) -> None:
        group = self._take_waiting()
        error = self._write(group)
        if isinstance(error, DatabaseUnavailable):
            self._refuse(group + self._take_waiting(), error)  # who came meanwhile would wait as long again
        elif error is not None:
            for ticket in group:
                ticket.error = self._write([ticket]) if time.monotonic() < deadline else error

    def _take_waiting(self) -> list[_Ticket[Item, Result]]:
        with self._list_lock:
            group, self._waiting = self._waiting, []
        return group

    def _refuse(self, group: list[_Ticket[Item, Result]], error: DatabaseUnavailable) -> None:
        for ticket in group:
            ticket.error, ticket.done = error, True

    def _write(self, group: list[_Ticket[Item, Result]]) -> Exception | None:
        try:
            with self._db.write(urgent=True) as tx:
                results = self._write_all(tx, [ticket.item for ticket in group])
        except Exception as error:  # noqa: BLE001 - handed to every caller of the group
            for ticket in group:
                ticket.done = True
            return error
        for ticket, result in zip(group, results, strict=True):
            ticket.result, ticket.done = result, True
        return None
