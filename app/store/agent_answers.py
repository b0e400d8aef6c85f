"""The ledger of human agents' answers, keyed by their form so that each is sent once; never their text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import Connection, select

from app.db.database import upsert
from app.db.page_tables import agent_answers
from app.db.tables import audit_log

ACTION = "answered"  # what the audit log calls it
State = Literal["sending", "uncertain", "failed", "sent"]

_BY_AN_EARLIER_VERSION = timedelta(days=1)  # a form lives for as long as a session: 12 hours


@dataclass(frozen=True, slots=True)
class AgentAnswer:
    """One answer: the state of its last try, the message that it became, and its row in the audit log."""

    form: str
    conversation_sid: str
    author: str
    state: State
    begun_at: datetime
    tried_at: datetime
    message_sid: str | None
    audit_id: int


def find(tx: Connection, form: str, conversation_sid: str, now: datetime) -> AgentAnswer | None:
    """Return the answer of a form, also one of another conversation; None for a form that was never submitted."""
    query = select(*(agent_answers.c[name] for name in AgentAnswer.__dataclass_fields__))
    row = tx.execute(query.where(agent_answers.c.form == form)).first()
    return AgentAnswer(*row) if row else _of_an_earlier_version(tx, form, conversation_sid, now)


def sent_as(tx: Connection, message_sids: Sequence[str]) -> set[str]:
    """Return which of these messages are answers that are known as sent."""
    return set(tx.scalars(select(agent_answers.c.message_sid).where(agent_answers.c.message_sid.in_(message_sids))))


def save(tx: Connection, answer: AgentAnswer) -> None:
    """Write down an answer and the state of its last try."""
    upsert(tx, agent_answers, asdict(answer))


def _of_an_earlier_version(tx: Connection, form: str, conversation_sid: str, now: datetime) -> AgentAnswer | None:
    """Return an answer that 0.1.0, which may serve beside this version, has in the audit log only."""
    here = (audit_log.c.conversation_sid == conversation_sid, audit_log.c.at > now - _BY_AN_EARLIER_VERSION)
    for row in tx.execute(select(audit_log).where(*here, audit_log.c.action == ACTION).order_by(audit_log.c.at)):
        if row.detail.get("form") == form:
            state, tried_at = row.detail["state"], datetime.fromisoformat(row.detail["tried_at"])
            sid = row.subject or None
            return AgentAnswer(form, conversation_sid, row.actor, state, row.at, tried_at, sid, row.id)
    return None
