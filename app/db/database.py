"""Database: connections and transactions; SQLite and PostgreSQL differ here and nowhere above."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Row, Table, bindparam, exc, func, select
from sqlalchemy.engine import make_url

from app.db import faults, sqlite
from app.db.boot_clock import boot_id, boot_seconds
from app.db.engines import WAIT_SECONDS, Engines
from app.db.writer_lock import LockTimeout, WriterLock, time_left

Record = Row[*tuple[Any, ...]]  # a row of any columns
SCRUB_SECONDS = 10.0  # how long a scrub waits for those who read just then


class DatabaseUnavailable(Exception):
    """Storage cannot be used now; nothing was stored. The caller answers 503 or tries again later.

    `kind` is one of app.db.faults.KINDS.
    """

    def __init__(self, words: str, kind: str = faults.OTHER) -> None:
        super().__init__(words)
        self.kind = kind


class RowsLocked(DatabaseUnavailable):
    """Another transaction holds what was wanted; other rows may be written all the same."""


@dataclass(frozen=True, slots=True)
class Instant:
    """One moment by two clocks: the database's time, and seconds that nobody can set (see boot_clock.py).

    `boot` was read first, so what is measured from it ends no later than what is measured from `at`. `boot_id` names
    the start of the machine that it counts from; None where leases are measured with the database's clock.
    """

    at: datetime
    boot: float
    boot_id: str | None


class Database:
    """One database: `read()` and `write()` are its transactions, `now(tx)` its clock.

    Made before a fork, used after it: nothing is opened until the first transaction. At most `connections` are open
    to PostgreSQL at once, and stay open; who needs one more waits for it. Transactions with priority have one more,
    which they share with nobody. An SQLite file costs none. `clock` replaces the clocks, also the one that leases are
    measured with, unless `boot_clock` replaces that.
    """

    def __init__(
        self,
        url: str,
        *,
        clock: Callable[[], datetime] | None = None,
        boot_clock: Callable[[], float] | None = None,
        connections: int = 4,
    ) -> None:
        self.url = make_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self._clock = clock
        self.boot_seconds = boot_clock or ((lambda: clock().timestamp()) if clock else boot_seconds)
        self._writer_lock = WriterLock(Path(self.url.database or "")) if self.is_sqlite else None
        self.engines = Engines(self.url, connections, in_words=_said_of)

    @property
    def engine(self) -> Engine:
        """SQLAlchemy's engine; a command that asks the database nothing does not wait for its driver."""
        return self.engines.shared

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Give a transaction that sees one moment and changes nothing. Raises DatabaseUnavailable."""
        with _unavailable(), self.engine.connect() as tx:
            yield tx

    @contextmanager
    def write(self, *, priority: bool = False) -> Iterator[Connection]:
        """Give a transaction, on disk when the block ends well, undone when it raises. Raises DatabaseUnavailable.

        On SQLite one with priority waits for at most one that is not, however many of those wait.
        """
        transaction = Transaction(self, priority=priority)
        try:
            yield transaction.tx
            transaction.commit()
        finally:
            transaction.rollback()

    def transaction(self) -> Transaction:
        """Return a transaction to be committed step by step; the caller must end it with rollback()."""
        return Transaction(self)

    def scrub(self) -> bool:
        """Return whether no trace is left of what was deleted; nobody can write meanwhile, a second for about 100 MB.

        SQLite leaves it in free space and in its log. On PostgreSQL this does nothing: old rows are overwritten in
        time, see autovacuum. Raises DatabaseUnavailable when others use the file all the time, or there is no room
        for a copy.
        """
        if not self.is_sqlite:
            return False
        try:
            with self._alone():
                return sqlite.empty_log(Path(self.url.database or ""), timeout=SCRUB_SECONDS, rewrite=True)
        except sqlite3.Error as error:
            raise DatabaseUnavailable(f"the file could not be rewritten ({type(error).__name__}: {error})") from error

    def bound_log(self) -> bool:
        """Empty SQLite's write-ahead log when it is long; return whether it is bounded, False: somebody reads for long.

        Raises DatabaseUnavailable.
        """
        file = Path(self.url.database or "")
        if not self.is_sqlite or not sqlite.log_is_long(file):
            return True
        try:
            with self._alone():
                return sqlite.empty_log(file)
        except sqlite3.OperationalError:  # locked by somebody who is no process of ours
            return False

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Let nobody else of ours write to this SQLite file meanwhile. Raises DatabaseUnavailable."""
        assert self._writer_lock
        with _unavailable():
            self._writer_lock.acquire(WAIT_SECONDS)
            try:
                yield
            finally:
                self._writer_lock.release()

    def now(self, tx: Connection) -> datetime:
        """Return the time that leases are measured in: the database's own on PostgreSQL (many machines, one clock)."""
        if self._clock is not None:
            return self._clock()
        if self.is_sqlite:
            return datetime.now(UTC)
        now: datetime = tx.execute(select(func.clock_timestamp())).scalar_one()
        return now.astimezone(UTC)

    def instant(self, tx: Connection) -> Instant:
        """Return this moment by both clocks."""
        boot = self.boot_seconds()
        return Instant(self.now(tx), boot, self._boot_id)

    def instant_after(self, earlier: Instant) -> Instant:
        """Return this moment, after one that was asked for before; it costs no round trip."""
        boot = self.boot_seconds()
        return Instant(self.now_after(earlier.at, boot - earlier.boot), boot, earlier.boot_id)

    @property
    def _boot_id(self) -> str | None:
        return boot_id() if self.is_sqlite else None

    def now_after(self, moment: datetime, seconds: float) -> datetime:
        """Return the time `seconds` after now() was `moment`; it costs no round trip."""
        if self._clock is not None:
            return self._clock()
        return datetime.now(UTC) if self.is_sqlite else moment + timedelta(seconds=seconds)

    def close(self) -> None:
        """Close every connection that is not in use."""
        self.engines.dispose()
        if self._writer_lock:
            self._writer_lock.close()


class Transaction:
    """A write transaction that begins at the first use of `tx` and again after each commit.

    On SQLite it holds the machine's writer lock while it is open, so: no network in between.
    """

    def __init__(self, db: Database, *, priority: bool = False) -> None:
        self._db = db
        self._priority = priority
        self._tx: Connection | None = None

    @property
    def tx(self) -> Connection:
        """The open connection; begins a transaction when there is none."""
        if self._tx is None:
            self._tx = self._begin()
        return self._tx

    @property
    def is_open(self) -> bool:
        return self._tx is not None

    def commit(self) -> None:
        """Put everything since the last commit on disk. Raises DatabaseUnavailable: then nothing of it is stored."""
        self._end(lambda tx: tx.commit())

    def rollback(self) -> None:
        """Undo everything since the last commit; does nothing when no transaction is open."""
        self._end(lambda tx: tx.rollback())

    def _begin(self) -> Connection:
        writer_lock = self._db._writer_lock
        with _unavailable():
            engines = self._db.engines
            tx = (engines.priority if self._priority else engines.shared).connect().execution_options(writes=True)
            try:
                if writer_lock:
                    writer_lock.acquire(time_left(WAIT_SECONDS) or WAIT_SECONDS, priority=self._priority)
                try:
                    tx.begin()
                except BaseException:
                    if writer_lock:
                        writer_lock.release()
                    raise
            except BaseException:
                tx.close()
                raise
            return tx

    def _end(self, step: Callable[[Connection], None]) -> None:
        tx, self._tx = self._tx, None
        if tx is None:
            return
        with _unavailable():
            try:
                try:
                    step(tx)
                finally:
                    if self._db._writer_lock:
                        self._db._writer_lock.release()  # at once: others wait, and closing takes its time
            finally:
                tx.close()


def upsert(tx: Connection, table: Table, values: Mapping[str, Any], *, update: Sequence[str] | None = None) -> None:
    """Insert a row, or update the columns `update` (all that are given, if None) of the row with the same key."""
    given = tuple(values)
    tx.execute(_upsert(tx.dialect.name, table, given, given if update is None else tuple(update)), values)


@cache
def _upsert(dialect: str, table: Table, given: tuple[str, ...], update: tuple[str, ...]) -> Any:
    keys = [column.name for column in table.primary_key]
    insert = insert_into(dialect, table).values({name: bindparam(name) for name in given})
    changed = {name: insert.excluded[name] for name in update if name not in keys}
    if not changed:
        return insert.on_conflict_do_nothing()
    return insert.on_conflict_do_update(index_elements=keys, set_=changed)


def insert_new(tx: Connection, table: Table, values: Mapping[str, Any]) -> bool:
    """Insert a row unless there is one with the same key; return whether there was none."""
    return tx.execute(_insert_new(tx.dialect.name, table, tuple(values)), values).first() is not None


@cache
def _insert_new(dialect: str, table: Table, given: tuple[str, ...]) -> Any:
    insert = insert_into(dialect, table).values({name: bindparam(name) for name in given})
    return insert.on_conflict_do_nothing().returning(*table.primary_key)


def insert_into(dialect: str, table: Table) -> Any:
    """Return the INSERT of a dialect ("sqlite" or "postgresql"): the one that knows ON CONFLICT."""
    if dialect == "sqlite":
        from sqlalchemy.dialects.sqlite import insert

        return insert(table)
    from sqlalchemy.dialects.postgresql import insert as postgresql_insert

    return postgresql_insert(table)


@contextmanager
def _unavailable() -> Iterator[None]:
    """Turn what no driver says, a lock or a pooled connection that is not to be had, into DatabaseUnavailable."""
    try:
        yield
    except (exc.TimeoutError, LockTimeout, OSError) as error:
        raise _said_of(error) from error


def _said_of(error: BaseException) -> DatabaseUnavailable:
    words, kind = faults.describe(error)
    return RowsLocked(words, kind) if faults.are_rows_locked(error) else DatabaseUnavailable(words, kind)
