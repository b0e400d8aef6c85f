"""Makes SQLAlchemy's engines, one for each kind of database, with what Parley needs of a connection."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, exc

WAIT_SECONDS = 3.0  # nobody waits longer than this for storage


def sqlite_engine(url: Any) -> Engine:
    """Return the engine for an SQLite file."""
    path = Path(url.database)
    engine = create_engine(
        url,
        pool_size=30,
        max_overflow=10,
        pool_timeout=WAIT_SECONDS,
        hide_parameters=True,
        connect_args={"timeout": 1.0},  # for writers that take no turns, such as the sqlite3 shell
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
        tx.exec_driver_sql("BEGIN IMMEDIATE" if tx.get_execution_options().get("writes") else "BEGIN")

    return engine


def _file_id(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def postgresql_engine(url: Any, connections: int) -> Engine:
    """Return the engine for PostgreSQL, with at most so many connections."""
    milliseconds = int(WAIT_SECONDS * 1000)
    return create_engine(
        url,
        pool_size=connections,
        max_overflow=0,
        pool_timeout=WAIT_SECONDS,
        pool_pre_ping=True,
        hide_parameters=True,
        connect_args={
            "connect_timeout": int(WAIT_SECONDS),
            "tcp_user_timeout": milliseconds,
            "keepalives_idle": 10,  # a connection on which nobody speaks finds out too that the other side is gone
            "keepalives_interval": 3,
            "options": f"-c statement_timeout={milliseconds} -c lock_timeout={milliseconds}",
        },
    )
