"""Messages of conversations and the decision about each. It decides nothing.

Webhooks arrive twice and out of order, so every update is a merge: an older fact never replaces a newer one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, exists, func, select, update

from app.db.database import Record, insert_into, insert_new, upsert
from app.db.maintenance_tables import purged_keys
from app.db.tables import decisions, inbox, messages
from app.store.conversations import is_older, record_last_message
from app.twilio_api.events import MessageAdded
from app.twilio_api.parsing import message_key

PART_OF_BURST = "part of burst"  # the code of a message that was decided together with one before it
LOOKED_BACK = 50  # messages; further back nobody looks for the same text
PURGED_KEPT_FOR = timedelta(days=400)
# No event is purged in its first day, so what comes sooner after its date was not; half a day is for wrong clocks.
NEVER_PURGED_WITHIN = timedelta(hours=12)


@dataclass(frozen=True, slots=True)
class DecisionKey:
    """Which decision about a message: on its arrival or, with a timer, on so many seconds after it without a human."""

    message_sid: str
    timer_seconds: int = 0


@dataclass(frozen=True, slots=True)
class NewDecision:
    """A decision that is about to be stored: its short code, the rule, the reason, and what was tried before."""

    key: DecisionKey
    conversation_sid: str
    code: str
    rule: str
    reason: str
    tried: Sequence[Sequence[str]] = ()  # the name of a guard or rule, and the first condition that failed
    observed: Sequence[str] = ()
    burst_of: str = ""  # the first message of the burst that it was decided with


_MESSAGE = select(messages).where(messages.c.message_sid == bindparam("sid"))
_DECISION = select(decisions).where(
    decisions.c.message_sid == bindparam("sid"), decisions.c.timer_seconds == bindparam("timer_seconds")
)
_WAS_PURGED = select(exists().where(purged_keys.c.key_hash == bindparam("key_hash")))
_NEWEST = (
    select(messages.c.message_sid, messages.c.author, messages.c.body, messages.c.created_at)
    .where(messages.c.conversation_sid == bindparam("sid"), messages.c.message_index < bindparam("before"))
    .order_by(messages.c.message_index.desc())
    .limit(LOOKED_BACK)
    .subquery()
)
_SAME_TEXTS = select(func.count()).where(
    _NEWEST.c.author == bindparam("author"),
    _NEWEST.c.body == bindparam("text"),
    _NEWEST.c.created_at > bindparam("since"),
)


def record_message(
    tx: Connection, sid: str, facts: Mapping[str, Any], *, dated: datetime | None, now: datetime
) -> None:
    """Store or update one message; `facts` are columns of `messages`, `dated` when they were true.

    An edit that arrived before the message itself keeps its text; what was removed never comes back.
    """
    row = {"attributes": {}, "media": [], **facts, "message_sid": sid, "updated_at": dated, "noted_at": now}
    if insert_new(tx, messages, row):
        if where := facts.get("conversation_sid"):
            record_last_message(tx, where, facts.get("created_at") or now)
        return
    known = tx.execute(_MESSAGE, {"sid": sid}).one()
    if known.removed_at:
        facts = {name: value for name, value in facts.items() if name not in ("body", "media")}
    if is_older(dated, known.updated_at):
        kept = {name: value for name, value in facts.items() if not getattr(known, name)}
    else:
        kept = {**facts, "updated_at": dated or known.updated_at}
    if kept:
        tx.execute(update(messages).where(messages.c.message_sid == sid).values(**kept))


def count_same_texts(
    tx: Connection, conversation_sid: str, author: str, text: str, *, before_index: int | None, since: datetime
) -> int:
    """Return how often somebody has written this very text in a conversation since a time; looks 50 messages back."""
    before = before_index if before_index is not None else 2**31
    asked = {"sid": conversation_sid, "author": author, "text": text, "before": before, "since": since}
    return tx.scalar(_SAME_TEXTS, asked) or 0


def record_decision(tx: Connection, decision: NewDecision, now: datetime) -> None:
    """Store why a message was or was not answered, on arrival or after a time without a human; the first one stays."""
    row = {
        "message_sid": decision.key.message_sid,
        "timer_seconds": decision.key.timer_seconds,
        "conversation_sid": decision.conversation_sid,
        "code": decision.code,
        "rule": decision.rule,
        "reason": decision.reason,
        "tried": [list(step) for step in decision.tried],
        "observed": list(decision.observed),
        "burst_of": decision.burst_of,
        "decided_at": now,
    }
    upsert(tx, decisions, row, update=())


def decision(tx: Connection, key: DecisionKey) -> Record | None:
    """Return a stored decision, or None."""
    return tx.execute(_DECISION, {"sid": key.message_sid, "timer_seconds": key.timer_seconds}).first()


def decided_among(tx: Connection, message_sids: Sequence[str]) -> set[str]:
    """Return which of these messages have been decided."""
    query = select(decisions.c.message_sid).where(decisions.c.message_sid.in_(message_sids))
    return set(tx.scalars(query)) if message_sids else set()


def decided_before(tx: Connection, decision: Record) -> set[str]:
    """Return which messages of the same conversation were decided before."""
    query = select(decisions.c.message_sid).where(
        decisions.c.conversation_sid == decision.conversation_sid, decisions.c.decided_at < decision.decided_at
    )
    return set(tx.scalars(query))


def has_burst(tx: Connection, message_sid: str) -> bool:
    """Return whether messages after this one were decided together with it."""
    first = select(decisions.c.message_sid).where(decisions.c.burst_of == message_sid).limit(1)
    return tx.scalar(first) is not None


def message(tx: Connection, sid: str) -> Record | None:
    """Return the row of a message, or None when no webhook has mentioned it."""
    return tx.execute(_MESSAGE, {"sid": sid}).first()


def remember_purged(tx: Connection, these: ColumnElement[bool], now: datetime) -> None:
    """Write down what is to be left of the messages among these events; call it just before they are deleted."""
    keys = tx.scalars(select(inbox.c.event_key).where(these, inbox.c.event_type == MessageAdded.event_type)).all()
    rows = [{"key_hash": key_hash, "purged_at": now} for key_hash in sorted(map(_hash_of, keys))]
    if rows:
        tx.execute(insert_into(tx.dialect.name, purged_keys).on_conflict_do_nothing(), rows)


def was_purged(tx: Connection, message_sid: str, sent_at: datetime | None, received_at: datetime) -> bool:
    """Return whether the event of a message was purged before this one came; asks nothing of one that came in time."""
    if sent_at is not None and abs(received_at - sent_at) < NEVER_PURGED_WITHIN:
        return False
    return bool(tx.scalar(_WAS_PURGED, {"key_hash": _hash_of(message_key(message_sid))}))


def _hash_of(event_key: str) -> str:
    return hashlib.sha256(event_key.encode()).hexdigest()
