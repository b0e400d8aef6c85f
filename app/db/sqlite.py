"""Opens the SQLite file: written ahead, fsynced at each commit, and never a file that was moved away."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, exc

from app.db import deadline, faults

BUSY_SECONDS = 1.0  # one look of SQLite's own at what another program has locked, such as the sqlite3 shell


def make_engine(url: Any, wait_seconds: float) -> Engine:
    """Return an engine whose writers wait up to `wait_seconds` for another program to let go of the file."""
    path = Path(url.database)
    engine = create_engine(
        url,
        pool_size=30,
        max_overflow=10,
        pool_timeout=wait_seconds,
        hide_parameters=True,
        connect_args={"timeout": BUSY_SECONDS},
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # BEGIN is ours: see below
        for pragma in ("journal_mode=WAL", "synchronous=FULL"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "checkout")
    def same_file(_connection: Any, record: Any, _proxy: Any) -> None:
        """Refuse a connection to a file that was moved or deleted: what it writes would be lost."""
        if record.info.setdefault("file", _file_id(path)) != _file_id(path):
            raise exc.DisconnectionError("the database file is another one now")

    @event.listens_for(engine, "begin")
    def begin(tx: Connection) -> None:
        if tx.get_execution_options().get("writes"):
            _begin_writing(tx, time.monotonic() + (deadline.left(wait_seconds) or wait_seconds))
        else:
            tx.exec_driver_sql("BEGIN")

    return engine


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


def _file_id(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino
