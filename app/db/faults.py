"""Classifies errors of SQLite, PostgreSQL and the system: why storage cannot be used, as a kind and in words.

It goes by their codes, and by their text only where there is no code: SQLite's for a missing table or column, libpq's
for a server that it was not to connect to.
"""

from __future__ import annotations

import errno
from typing import NamedTuple

LOCKED, READ_ONLY, FULL, SILENT, OTHER = "locked", "read-only", "full", "no answer", "other"
KINDS = (LOCKED, READ_ONLY, FULL, SILENT, OTHER)

_READ_ONLY_TRANSACTION, _LOCK_NOT_AVAILABLE, _DEADLOCK, _UNDEFINED_TABLE = "25006", "55P03", "40P01", "42P01"
_UNDEFINED_COLUMN = "42703"
_NO_TABLES = "the database has no tables yet, or those of an older version; run `flask db upgrade`"


class Fault(NamedTuple):
    """Why, for people, and one of KINDS, to count by."""

    words: str
    kind: str


# SQLSTATE, or the beginning of SQLite's name for an error -> what to say.
_BY_CODE = {
    _UNDEFINED_TABLE: Fault(_NO_TABLES, OTHER),
    _UNDEFINED_COLUMN: Fault(_NO_TABLES, OTHER),
    _READ_ONLY_TRANSACTION: Fault("the database is read-only: a standby, or its provider wants it so", READ_ONLY),
    _LOCK_NOT_AVAILABLE: Fault("another transaction holds a lock on what must be written", LOCKED),
    "53100": Fault("the disk of the database is full", FULL),
    "SQLITE_BUSY": Fault("the database is locked by another program", LOCKED),
    "SQLITE_FULL": Fault("the disk is full", FULL),
    "SQLITE_READONLY": Fault("the database file is read-only", READ_ONLY),
}
_UNWRITABLE = Fault(
    "the database's files cannot be written: their permissions, or the file system, are read-only", READ_ONLY
)
_BY_ERRNO = {
    errno.ENOSPC: _BY_CODE["SQLITE_FULL"],
    errno.EDQUOT: _BY_CODE["SQLITE_FULL"],
    errno.EROFS: _UNWRITABLE,
    errno.EACCES: _UNWRITABLE,
    errno.EPERM: _UNWRITABLE,
}


def describe(error: BaseException) -> Fault:
    """Return why storage cannot be used."""
    if str(error).startswith(("no such table", "no such column")) or " has no column named " in str(error):
        return _BY_CODE[_UNDEFINED_TABLE]
    if "session is read-only" in str(error):
        return _BY_CODE[_READ_ONLY_TRANSACTION]
    known = _BY_CODE.get(code_of(error)) or getattr(error, "fault", None)
    if known is None and isinstance(error, OSError):
        known = _BY_ERRNO.get(error.errno or 0)
    return known or Fault(f"the database cannot be used now ({type(error).__name__})", OTHER)


def code_of(error: BaseException) -> str:
    """Return an error's SQLSTATE, or SQLite's name for its kind, such as SQLITE_BUSY; "" for all else."""
    name = getattr(error, "sqlite_errorname", None) or ""
    return getattr(error, "sqlstate", None) or "_".join(name.split("_")[:2])


def is_about_this_statement_only(error: BaseException) -> bool:
    """Return whether the same statements will pass one by one: a deadlock."""
    return code_of(error) == _DEADLOCK


def is_of_a_read_only_session(error: BaseException) -> bool:
    """Return whether the session can never write: after a failover its server is another's standby."""
    return code_of(error) == _READ_ONLY_TRANSACTION


def are_rows_locked(error: BaseException) -> bool:
    """Return whether another transaction held what was wanted for longer than one waits (PostgreSQL)."""
    return code_of(error) == _LOCK_NOT_AVAILABLE
