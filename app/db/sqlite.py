"""SQLite engines: write-ahead log, fsync at each commit, and refusal of a file that was moved away."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, DateTime, Dialect, Engine, TypeDecorator, create_engine, event, exc

from app.common import private_files
from app.db import faults
from app.db.writer_lock import time_left

LONGEST_LOG = 32 * 1024 * 1024  # bytes of the write-ahead log, then it is emptied as soon as no one reads from it
USUAL_PAGES = 1000  # of 4 KB in the log, then SQLite begins to empty it: its own default
FEWEST_PAGES = 50
READERS_SECONDS = 0.5  # how long nobody can write while those who read come to an end
BUSY_SECONDS = 1.0  # one look of SQLite's own at what another program has locked, such as the sqlite3 shell


class Moment(TypeDecorator[datetime]):
    """An aware UTC time: timestamptz on PostgreSQL, text of one width (so it sorts) on SQLite."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class LogReplaced(OSError):
    """The log that a connection writes to has lost its name: who connects from now on does not see what is in it."""

    fault = faults.Fault(
        "the -wal beside the database file was deleted or replaced while Parley runs, and nothing more is stored: stop "
        "all its processes by SIGTERM, which writes into the file what only they have, and start again",
        faults.OTHER,
    )

    def __init__(self) -> None:
        super().__init__(self.fault.words)


def make_engine(url: Any, wait_seconds: float) -> Engine:
    """Return an engine whose writers wait up to `wait_seconds` for another program to let go of the file."""
    engine = create_engine(
        url,
        pool_size=30,
        max_overflow=10,
        pool_timeout=wait_seconds,
        hide_parameters=True,
        connect_args={"timeout": BUSY_SECONDS},
    )
    file = _ConnectedFile(Path(url.database), wait_seconds)
    event.listen(engine, "do_connect", file.make_private)
    event.listen(engine, "connect", file.prepare)
    event.listen(engine, "checkout", file.refuse_another)
    event.listen(engine, "begin", file.begin)
    return engine


class _ConnectedFile:
    """The file that all connections of an engine lead to, as long as it and its log keep their names."""

    def __init__(self, path: Path, wait_seconds: float) -> None:
        self._path, self._log, self._wait_seconds = path, _log_of(path), wait_seconds
        self._is_log_lost = False

    def make_private(self, _dialect: Any, _record: Any, _args: Any, _parameters: Any) -> None:
        """Make the file, if it is a new one, for its owner alone; SQLite's others beside it get the same."""
        with contextlib.suppress(OSError):
            private_files.touch(self._path)

    def prepare(self, connection: Any, _record: Any) -> None:
        """Set up a new connection, or close it: nobody else does."""
        connection.isolation_level = None  # BEGIN is ours, see begin()
        try:
            for pragma in ("journal_mode=WAL", "synchronous=FULL", f"journal_size_limit={LONGEST_LOG}"):
                connection.execute(f"PRAGMA {pragma}")
            connection.execute(f"PRAGMA wal_autocheckpoint={_pages_of_log(self._path)}")
        except BaseException:
            connection.close()
            raise

    def refuse_another(self, _connection: Any, record: Any, _proxy: Any) -> None:
        """Refuse a connection to a file that was moved or deleted, or whose log was: what it writes would be lost.

        SQLite deletes the log only when nobody has it open: that of a connection that lives keeps its name.
        """
        if record.info.setdefault("file", _file_id(self._path)) != _file_id(self._path):
            raise exc.DisconnectionError("the database file is another one now")
        self._is_log_lost |= (record.info.get("log") or _file_id(self._log)) != _file_id(self._log)
        if self._is_log_lost:
            raise LogReplaced
        record.info["log"] = _file_id(self._log)

    def begin(self, tx: Connection) -> None:
        """Begin a transaction; one that writes has SQLite's lock from its first moment."""
        if tx.get_execution_options().get("writes"):
            _begin_writing(tx, time.monotonic() + (time_left(self._wait_seconds) or self._wait_seconds))
        else:
            tx.exec_driver_sql("BEGIN")


def _pages_of_log(path: Path) -> int:
    """Return after how many pages SQLite empties the log: where little is free, the log must not fill the disk."""
    try:
        free = shutil.disk_usage(path.parent).free
    except OSError:
        return USUAL_PAGES
    return max(FEWEST_PAGES, min(USUAL_PAGES, free // 4096 // 8))


def log_is_long(path: Path) -> bool:
    """Return whether the write-ahead log has grown: somebody always reads, so it never begins anew by itself."""
    try:
        return _log_of(path).stat().st_size > LONGEST_LOG
    except OSError:
        return False


def empty_log(path: Path, *, timeout: float = READERS_SECONDS, rewrite: bool = False) -> bool:
    """Return whether all of the log is in the database now and the log is empty; nobody of ours may write meanwhile.

    With `rewrite` the database is written anew before, without what was deleted. Raises sqlite3.Error.
    """
    with contextlib.closing(sqlite3.connect(path, timeout=timeout, isolation_level=None)) as connection:
        if rewrite:
            connection.execute("VACUUM")
        busy, *_ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return not busy


def _begin_writing(tx: Connection, until: float) -> None:
    """Take SQLite's lock, also if another program has it for a while."""
    while not _try_to_begin(tx, until - time.monotonic()):
        pass


def _try_to_begin(tx: Connection, seconds: float) -> bool:
    """Return whether the lock is ours; False when another program has it and there is time to look again."""
    driver: Any = tx.connection.driver_connection
    if seconds < BUSY_SECONDS:
        driver.execute(f"PRAGMA busy_timeout = {max(1, int(seconds * 1000))}")
    try:
        tx.exec_driver_sql("BEGIN IMMEDIATE")
    except Exception as error:
        if seconds < BUSY_SECONDS or faults.code_of(error.__cause__ or error) != "SQLITE_BUSY":
            raise
        return False
    finally:
        if seconds < BUSY_SECONDS:
            driver.execute(f"PRAGMA busy_timeout = {int(BUSY_SECONDS * 1000)}")
    return True


def _log_of(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")


def _file_id(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino
