"""Job: one claimed event while a handler works on it, with its transaction, its lease, and how it ends."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import Connection

from app.db.database import Database, Instant
from app.inbox import leases, queue
from app.inbox.queue import Claimed

FREE_WAITING = timedelta(days=1)


class Reschedule(Exception):
    """The event must wait until `until`; nothing failed and the attempt does not count.

    What was done since the last commit is stored together with the wait; then `afterwards` is called.
    """

    def __init__(self, until: datetime, reason: str, afterwards: Callable[[], None] = lambda: None) -> None:
        super().__init__(reason)
        self.until, self.reason, self.afterwards = until, reason, afterwards


class DbSlot:
    """The right to be at the database. On SQLite one thread at a time has it, elsewhere everybody who wants it.

    More could write no faster there, and would take the processor from those who answer Twilio.
    """

    def __init__(self, *, one_at_a_time: bool = False) -> None:
        self._lock = threading.Lock() if one_at_a_time else None

    def __enter__(self) -> None:
        """Wait for it, and have it."""
        if self._lock:
            self._lock.acquire()

    def __exit__(self, *_error: object) -> None:
        """Leave it to others."""
        if self._lock:
            self._lock.release()

    @contextmanager
    def given_up(self) -> Iterator[None]:
        """Leave it to others meanwhile, then wait for it again; only for who has it."""
        self.__exit__()
        try:
            yield
        finally:
            self.__enter__()


class Job:
    """One claimed event while a handler works on it: its transaction, committed step by step.

    Every commit is fenced: it happens only while the lane is still ours. Whatever was done since the last one
    is committed together with the end of the event. While `may_claim_next` says so, the event that is due next is
    claimed in that commit too: it is `next_claim`.
    """

    def __init__(
        self,
        db: Database,
        claimed: Claimed,
        db_slot: DbSlot | None = None,
        may_claim_next: Callable[[], bool] = lambda: False,
    ) -> None:
        self.claimed = claimed
        self.next_claim: Claimed | None = None
        self._db = db
        self._db_slot = db_slot or DbSlot()
        self._may_claim_next = may_claim_next
        self._transaction = db.transaction()
        self._committed_at = claimed.instant.boot

    @property
    def tx(self) -> Connection:
        """The open transaction. On SQLite nobody else writes meanwhile, so never keep it over a network call."""
        return self._transaction.tx

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Give a transaction to read in that holds nobody up; what this event has written since its last commit
        is not seen. The lane is ours, so what its events have written stays as it is."""
        with self._db.read() as tx:
            yield tx

    @contextmanager
    def network_call(self, within: float | None = None) -> Iterator[Callable[[], None]]:
        """Leave the db slot to other threads during a network call; nothing may be uncommitted meanwhile.

        Gives the fence, to be asked whenever something is about to leave: it raises LeaseLost when this process was
        frozen, or looked for Twilio, for so long that another worker may be calling for us already; or for longer
        than `within`, in seconds since the last commit.
        """
        if self._transaction.is_open:
            raise RuntimeError("commit before you call the network")
        until = self._committed_at + within if within is not None else float("inf")
        self._ask_fence(until)
        with self._db_slot.given_up():
            yield partial(self._ask_fence, until)

    def _ask_fence(self, until: float) -> None:
        now = self._db.boot_seconds()
        self.claimed.lease.fence(now)
        if now >= until:
            raise leases.LeaseLost(f"lane {self.claimed.lane}: it took too long until the request could leave")

    @property
    def is_last_attempt(self) -> bool:
        return self.claimed.attempts >= queue.MAX_ATTEMPTS

    def counts_as_attempt(self, asked_to_wait: bool) -> bool:
        """Return whether a failure uses up an attempt: waiting as Twilio asks is free, for a day."""
        return not asked_to_wait or self.claimed.claimed_at - self.claimed.received_at > FREE_WAITING

    def now(self) -> datetime:
        """Return the time, by the clock that leases are measured with: it was asked at the claim."""
        return self._instant().at

    def _instant(self) -> Instant:
        return self._db.instant_after(self.claimed.instant)

    def commit(self) -> None:
        """Put what was done on disk and renew the lease. Raises LeaseLost, DatabaseUnavailable."""
        instant = self._instant()
        leases.hold(self.tx, self.claimed.lease, instant)
        self._transaction.commit()
        self.claimed.lease.held_until = instant.boot + leases.LEASE_SECONDS
        self._committed_at = instant.boot

    def rollback(self) -> None:
        """Undo what was done since the last commit."""
        self._transaction.rollback()

    def finish(self, state: str, outcome: str) -> None:
        """End the event. Raises LeaseLost, DatabaseUnavailable."""
        queue.finish(self.tx, self.claimed, state, outcome, self._instant())
        next_claim = queue.claim_next(self.tx, self._instant()) if self._may_claim_next() else None
        self._transaction.commit()
        self.next_claim = next_claim

    def postpone(self, outcome: str, wait: timedelta, *, counts_as_attempt: bool) -> None:
        """Try the event again after `wait`. Raises LeaseLost, DatabaseUnavailable."""
        queue.postpone(self.tx, self.claimed, outcome, wait, self._instant(), counts_as_attempt=counts_as_attempt)
        self._transaction.commit()
