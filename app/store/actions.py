"""The ledger of rule actions: recorded before they are carried out. It carries out none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, select, update

from app.db.database import Record, insert_into
from app.db.tables import rule_actions
from app.store.messages import DecisionKey

OPEN = ("intended", "failed")


@dataclass(frozen=True, slots=True)
class Action:
    """The n-th thing (from 0) that a rule does because of a message, or of so many seconds without a human."""

    message_sid: str
    timer_seconds: int
    n: int
    conversation_sid: str
    rule: str
    kind: str  # set_attributes, add_participant, hand_over, pause, close
    arguments: Mapping[str, Any]
    state: str


_THIS = (rule_actions.c.message_sid == bindparam("sid"), rule_actions.c.timer_seconds == bindparam("after"))
_OPEN_ACTIONS = (
    select(*(rule_actions.c[name] for name in Action.__dataclass_fields__))
    .where(*_THIS, rule_actions.c.state.in_(OPEN))
    .order_by(rule_actions.c.n)
)


def intend(
    tx: Connection,
    key: DecisionKey,
    conversation_sid: str,
    rule: str,
    wanted: Sequence[tuple[str, Mapping[str, Any]]],
    now: datetime,
) -> None:
    """Write down what is about to be done, kinds with their arguments; the same message twice changes nothing."""
    rows = [
        {
            "message_sid": key.message_sid,
            "timer_seconds": key.timer_seconds,
            "n": n,
            "conversation_sid": conversation_sid,
            "rule": rule,
            "kind": kind,
            "arguments": dict(arguments),
            "state": "intended",
            "intended_at": now,
        }
        for n, (kind, arguments) in enumerate(wanted)
    ]
    if rows:
        tx.execute(insert_into(tx.dialect.name, rule_actions).on_conflict_do_nothing(), rows)


def open_actions(tx: Connection, key: DecisionKey) -> list[Action]:
    """Return what has yet to be done because of a decision, in its order."""
    named = {"sid": key.message_sid, "after": key.timer_seconds}
    return [Action(*row) for row in tx.execute(_OPEN_ACTIONS, named)]


def actions_of(tx: Connection, message_sid: str) -> Sequence[Record]:
    """Return all that rules did or would have done because of a message, whatever became of it."""
    query = select(rule_actions).where(rule_actions.c.message_sid == message_sid)
    return tx.execute(query.order_by(rule_actions.c.timer_seconds, rule_actions.c.n)).all()


def record_done(tx: Connection, action: Action, now: datetime) -> None:
    """Write down that it is done."""
    _set(tx, action, state="done", reason="", done_at=now)


def record_failed(tx: Connection, action: Action, reason: str) -> None:
    """Write down why it could not be done; a later attempt on the same event tries it again."""
    _set(tx, action, state="failed", reason=reason)


def skip(tx: Connection, key: DecisionKey, reason: str) -> None:
    """Write down why what is not done yet must not be done any more; this is final."""
    open_ones = (*_THIS, rule_actions.c.state.in_(OPEN))
    tx.execute(
        update(rule_actions).where(*open_ones).values(state="skipped", reason=reason),
        {"sid": key.message_sid, "after": key.timer_seconds},
    )


def _set(tx: Connection, action: Action, **values: Any) -> None:
    key = (
        rule_actions.c.message_sid == action.message_sid,
        rule_actions.c.timer_seconds == action.timer_seconds,
        rule_actions.c.n == action.n,
    )
    tx.execute(update(rule_actions).where(*key).values(**values))
