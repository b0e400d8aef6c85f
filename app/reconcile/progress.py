"""Stores how far each conversation has been compared with Twilio; used by run.py."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from app.db.database import upsert
from app.db.maintenance_tables import reconcile_cursors
from app.db.tables import conversations

_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Cursor:
    """When a conversation was looked at, up to which index nothing is missing, what was erased; None: never, nothing.

    A message older than `forgotten_before` was erased on somebody's wish and must not come back.
    """

    looked_at: datetime | None = None
    checked_index: int | None = None
    forgotten_before: datetime | None = None


def cursors(tx: Connection, conversation_sids: Sequence[str]) -> dict[str, Cursor]:
    """Return the cursors of these conversations, those that have one."""
    found: dict[str, Cursor] = {}
    for start in range(0, len(conversation_sids), _AT_ONCE):
        some = conversation_sids[start : start + _AT_ONCE]
        rows = tx.execute(select(reconcile_cursors).where(reconcile_cursors.c.conversation_sid.in_(some)))
        found |= {row.conversation_sid: Cursor(row.looked_at, row.checked_index, row.forgotten_before) for row in rows}
    return found


def last_messages(tx: Connection, conversation_sids: Sequence[str]) -> dict[str, datetime]:
    """Return when somebody wrote last in these conversations, those that we know of."""
    found: dict[str, datetime] = {}
    for start in range(0, len(conversation_sids), _AT_ONCE):
        some = conversation_sids[start : start + _AT_ONCE]
        columns = (conversations.c.conversation_sid, conversations.c.last_message_at)
        rows = tx.execute(select(*columns).where(columns[0].in_(some), columns[1].is_not(None)))
        found |= {row.conversation_sid: row.last_message_at for row in rows}
    return found


def record_looked(tx: Connection, conversation_sid: str, now: datetime) -> None:
    """Write down that a conversation was looked at, with whatever result: the others come first next time."""
    upsert(tx, reconcile_cursors, {"conversation_sid": conversation_sid, "looked_at": now})


def record_checked(tx: Connection, conversation_sid: str, checked_index: int, now: datetime) -> None:
    """Write down up to which message nothing is missing."""
    row = {"conversation_sid": conversation_sid, "looked_at": now, "checked_index": checked_index}
    upsert(tx, reconcile_cursors, row)


def forget(tx: Connection, conversation_sid: str, before: datetime) -> None:
    """Write down that the messages before a time were erased here: they must not be fetched again."""
    upsert(tx, reconcile_cursors, {"conversation_sid": conversation_sid, "forgotten_before": before})
