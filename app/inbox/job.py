"""One claimed event while a handler works on it: its transaction, its lease, and how it ends or waits."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from sqlalchemy import Connection

from app.db.database import Database
from app.inbox import queue
from app.inbox.queue import Claimed

FREE_WAITING = timedelta(days=1)


class Postponed(Exception):
    """The event must wait until `until`; nothing failed and the attempt does not count.

    What was done since the last commit is stored together with the wait; then `afterwards` is called.
    """

    def __init__(self, until: datetime, reason: str, afterwards: Callable[[], None] = lambda: None) -> None:
        super().__init__(reason)
        self.until, self.reason, self.afterwards = until, reason, afterwards


class Work:
    """One claimed event while a handler works on it: its transaction, committed step by step.

    Every commit is fenced: it happens only while the lane is still ours. Whatever was done since the last one
    is committed together with the end of the event. While `goes_on` says so, the event that is due next is claimed
    in that commit too: it is `following`.
    """

    def __init__(
        self,
        db: Database,
        claimed: Claimed,
        desk: threading.Lock | None = None,
        goes_on: Callable[[], bool] = lambda: False,
    ) -> None:
        self.claimed = claimed
        self.following: Claimed | None = None
        self._db = db
        self._desk = desk
        self._goes_on = goes_on
        self._transaction = db.transaction()
        self._leased_until = claimed.counted_from + queue.LEASE_SECONDS

    @property
    def tx(self) -> Connection:
        """The open transaction. On SQLite nobody else writes meanwhile, so never keep it over a network call."""
        return self._transaction.tx

    @contextmanager
    def look(self) -> Iterator[Connection]:
        """Give a transaction to read in that holds nobody up; what this event has written since its last commit
        is not seen. The lane is ours, so what its events have written stays as it is."""
        with self._db.read() as tx:
            yield tx

    @contextmanager
    def away(self) -> Iterator[None]:
        """Leave the desk to other threads during a network call; nothing may be uncommitted meanwhile.

        Raises LeaseLost when too much time went by since the last commit, because this process was frozen:
        another worker may be calling the network for us already.
        """
        if self._transaction.is_open:
            raise RuntimeError("commit before you call the network")
        if time.monotonic() > self._leased_until:
            raise queue.LeaseLost(f"lane {self.claimed.lane} may have been taken over")
        if self._desk is None:
            yield
            return
        self._desk.release()
        try:
            yield
        finally:
            self._desk.acquire()

    @property
    def is_last_attempt(self) -> bool:
        return self.claimed.attempts >= queue.MAX_ATTEMPTS

    def is_spent_by(self, asked_to_wait: bool) -> bool:
        """Return whether a failure uses up an attempt: waiting as Twilio asks is free, for a day."""
        return not asked_to_wait or self.claimed.claimed_at - self.claimed.received_at > FREE_WAITING

    def now(self) -> datetime:
        """Return the time, by the clock that leases are measured with: it was asked at the claim."""
        return self._db.now_after(self.claimed.claimed_at, time.monotonic() - self.claimed.counted_from)

    def commit(self) -> None:
        """Put what was done on disk and renew the lease. Raises LeaseLost, DatabaseUnavailable."""
        leased_until = time.monotonic() + queue.LEASE_SECONDS
        queue.hold(self.tx, self.claimed, self.now())
        self._transaction.commit()
        self._leased_until = leased_until

    def rollback(self) -> None:
        """Undo what was done since the last commit."""
        self._transaction.rollback()

    def finish(self, state: str, outcome: str) -> None:
        """End the event. Raises LeaseLost, DatabaseUnavailable."""
        queue.finish(self.tx, self.claimed, state, outcome, self.now())
        following = queue.claim_next(self.tx, self.now()) if self._goes_on() else None
        self._transaction.commit()
        self.following = following

    def postpone(self, outcome: str, wait: timedelta, *, spent: bool) -> None:
        """Try the event again after `wait`. Raises LeaseLost, DatabaseUnavailable."""
        now = self.now()
        queue.postpone(self.tx, self.claimed, outcome, now + wait, now, spent=spent)
        self._transaction.commit()
