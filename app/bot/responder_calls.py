"""The calls of the responder that are under way: asked, answered, done with. It calls nobody.

A row lives from the question to the decision: it is deleted in the transaction that stores what was decided.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, select, update

from app.db.database import Record, insert_into
from app.db.tables import responder_calls


def call(tx: Connection, message_sid: str) -> Record | None:
    """Return the call about a message: `answered_at` is None while it is under way. None: nobody was asked."""
    return tx.execute(select(responder_calls).where(responder_calls.c.message_sid == message_sid)).first()


def note_asked(tx: Connection, message_sid: str, lane: str, now: datetime) -> None:
    """Write down that the responder is about to be asked."""
    row = {"message_sid": message_sid, "lane": lane, "asked_at": now}
    tx.execute(insert_into(tx.dialect.name, responder_calls).on_conflict_do_nothing(), row)


def note_answer(tx: Connection, message_sid: str, answer: Mapping[str, Any], now: datetime) -> bool:
    """Store what came back; return False when that was too late, because the decision has been made."""
    open_call = (responder_calls.c.message_sid == message_sid, responder_calls.c.answered_at.is_(None))
    stored = tx.execute(update(responder_calls).where(*open_call).values(answer=dict(answer), answered_at=now))
    return stored.rowcount > 0


def take(tx: Connection, message_sid: str) -> Record | None:
    """Return the call about a message and delete it: the decision is about to be stored. None: nobody was asked."""
    this = responder_calls.c.message_sid == message_sid
    return tx.execute(delete(responder_calls).where(this).returning(responder_calls)).first()
