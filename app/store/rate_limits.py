"""Until when Twilio asked us to send nothing: to one conversation, or from the whole account."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, func, select

from app.db.database import insert_into
from app.db.tables import gate

ACCOUNT = "account"

_OPENS_AT = select(func.max(gate.c.not_before)).where(
    gate.c.scope.in_(bindparam("scopes", expanding=True)), gate.c.not_before > bindparam("now")
)


def close(tx: Connection, scope: str, wait: timedelta, now: datetime) -> None:
    """Let nobody send to `scope` (a ConversationSid, or ACCOUNT for all) for a time; never shortens a wait."""
    closed = {"not_before": now + wait, "set_at": now}
    insert = insert_into(tx.dialect.name, gate).values(scope=scope, **closed)
    later = insert.excluded.not_before > gate.c.not_before
    tx.execute(insert.on_conflict_do_update(index_elements=["scope"], set_=closed, where=later))


def opens_at(tx: Connection, conversation_sid: str, now: datetime) -> datetime | None:
    """Return until when Twilio asked us not to send to this conversation; None when we may."""
    at: datetime | None = tx.scalar(_OPENS_AT, {"scopes": [ACCOUNT, conversation_sid], "now": now})
    return at
