"""Overwrites what was deleted or changed in an SQLite file before; it deletes nothing itself."""

from __future__ import annotations

import sqlite3
from contextlib import closing

from app.db.database import Database, DatabaseUnavailable

PATIENCE_SECONDS = 10  # for those who read just then


def scrub(db: Database) -> bool:
    """Return whether no trace is left of what was deleted; nobody can write meanwhile, a second for about 100 MB.

    SQLite leaves it in free space and in its log. On PostgreSQL this does nothing: old rows are overwritten in time,
    see autovacuum. Raises DatabaseUnavailable when others use the file all the time, or there is no room for a copy.
    """
    if not db.is_sqlite:
        return False
    try:
        file = str(db.url.database)
        with db.alone(), closing(sqlite3.connect(file, timeout=PATIENCE_SECONDS, isolation_level=None)) as connection:
            connection.execute("VACUUM")
            busy, *_ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    except sqlite3.Error as error:
        raise DatabaseUnavailable(f"the file could not be rewritten ({type(error).__name__}: {error})") from error
    return not busy
