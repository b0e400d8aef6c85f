"""The audit log: who did what on the page or by a command, and how it ended; never what a message says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select, update

from app.db.database import Record
from app.db.tables import audit_log

SENT, COMMAND_LINE = "sent a message", "command line"


def record_sent(tx: Connection, conversation_sid: str, message_sid: str, now: datetime) -> None:
    """Write down that a command sent a message."""
    record(tx, COMMAND_LINE, SENT, now, conversation_sid=conversation_sid, subject=message_sid)


def sent_by_commands(tx: Connection, message_sids: Sequence[str]) -> set[str]:
    """Return which of these messages our commands sent, as far as the log goes back."""
    named = audit_log.c.subject.in_(message_sids)
    return set(tx.scalars(select(audit_log.c.subject).where(named, audit_log.c.action == SENT)))


def record(
    tx: Connection,
    actor: str,
    action: str,
    now: datetime,
    *,
    conversation_sid: str = "",
    subject: str = "",
    detail: Mapping[str, Any] | None = None,
) -> int:
    """Write down an action and return its number; `subject` is a SID or an event's id, `detail` has no message text."""
    row = {
        "at": now,
        "actor": actor,
        "action": action,
        "conversation_sid": conversation_sid,
        "subject": subject,
        "detail": dict(detail or {}),
    }
    return int(tx.execute(insert(audit_log).values(**row).returning(audit_log.c.id)).scalar_one())


def complete(tx: Connection, number: int, detail: Mapping[str, Any], *, subject: str | None = None) -> None:
    """Write down how an action ended, in place of what was known when it began."""
    values: dict[str, Any] = {"detail": dict(detail)} | ({} if subject is None else {"subject": subject})
    tx.execute(update(audit_log).where(audit_log.c.id == number).values(**values))


def newest(
    tx: Connection, *, conversation_sid: str = "", before_id: int | None = None, limit: int = 50
) -> Sequence[Record]:
    """Return the newest actions, newest first; those in one conversation, or before one of them."""
    query = select(audit_log).order_by(audit_log.c.at.desc(), audit_log.c.id.desc()).limit(limit)
    if conversation_sid:
        query = query.where(audit_log.c.conversation_sid == conversation_sid)
    if before_id is not None:
        at = select(audit_log.c.at).where(audit_log.c.id == before_id).scalar_subquery()
        same = (audit_log.c.at == at) & (audit_log.c.id < before_id)
        query = query.where((audit_log.c.at < at) | same)
    return tx.execute(query).all()
