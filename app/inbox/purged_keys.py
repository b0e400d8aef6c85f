"""Keeps hashes of purged events' keys, so that an event that is posted again is still known."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, bindparam, exists, select

from app.db.database import insert_into
from app.db.maintenance_tables import purged_keys
from app.db.tables import inbox
from app.twilio_api.events import MessageAdded
from app.twilio_api.parsing import message_key

KEPT_FOR = timedelta(days=400)
# No event is purged in its first day, so what comes sooner after its date was not; half a day is for wrong clocks.
NEVER_PURGED_WITHIN = timedelta(hours=12)

_KNOWN = select(exists().where(purged_keys.c.key_hash == bindparam("key_hash")))


def remember(tx: Connection, these: ColumnElement[bool], now: datetime) -> None:
    """Write down what is to be left of these events; call it just before they are deleted."""
    keys = tx.scalars(select(inbox.c.event_key).where(these, inbox.c.event_type == MessageAdded.event_type)).all()
    rows = [{"key_hash": key_hash, "purged_at": now} for key_hash in sorted(map(_hash_of, keys))]
    if rows:
        tx.execute(insert_into(tx.dialect.name, purged_keys).on_conflict_do_nothing(), rows)


def knows(tx: Connection, message_sid: str, sent_at: datetime | None, received_at: datetime) -> bool:
    """Return whether the event of a message was purged before this one came; asks nothing of one that came in time."""
    if sent_at is not None and abs(received_at - sent_at) < NEVER_PURGED_WITHIN:
        return False
    return bool(tx.scalar(_KNOWN, {"key_hash": _hash_of(message_key(message_sid))}))


def _hash_of(event_key: str) -> str:
    return hashlib.sha256(event_key.encode()).hexdigest()
