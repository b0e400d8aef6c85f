"""Gathers everything about one inbound message: the decision and its trace, replies, actions, deliveries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Table, select

from app.db.tables import decisions, deliveries, replies, rule_actions

_DECISION = ("message_sid", "timer_seconds", "code", "rule", "reason", "tried", "observed", "burst_of", "decided_at")
_REPLY = ("n", "body", "media", "content_sid", "content_variables", "state", "reason", "message_sid", "sent_at")
_ACTION = ("kind", "arguments", "state", "reason", "done_at")
_DELIVERY = ("participant_sid", "status", "error_code", "detail", "updated_at")


def trace_of(tx: Connection, message_sid: str) -> list[dict[str, Any]]:
    """Return the decisions on a message, that on its arrival first, then the follow-ups; [] when none is known.

    Each has the replies with their deliveries and the actions that it led to. Also a reply of ours may be named:
    then it is the story of the message that it answers.
    """
    found = _rows(tx, decisions, _DECISION, message_sid=message_sid)
    if not found and (answered := _answered_by(tx, message_sid)):
        found = _rows(tx, decisions, _DECISION, message_sid=answered)
    for decision in found:
        sid, after = decision["message_sid"], decision["timer_seconds"]
        decision["replies"] = _rows(tx, replies, _REPLY, reply_to=sid, timer_seconds=after)
        for reply in decision["replies"]:
            reply["deliveries"] = _rows(tx, deliveries, _DELIVERY, message_sid=reply["message_sid"] or "-")
        decision["actions"] = _rows(tx, rule_actions, _ACTION, message_sid=sid, timer_seconds=after)
    return found


def _answered_by(tx: Connection, message_sid: str) -> str:
    return tx.scalar(select(replies.c.reply_to).where(replies.c.message_sid == message_sid)) or ""


def _rows(tx: Connection, table: Table, columns: Sequence[str], **where: Any) -> list[dict[str, Any]]:
    """Return these columns of the rows that are so, in the order of their key."""
    query = select(*(table.c[name] for name in columns))
    query = query.where(*(table.c[name] == value for name, value in where.items()))
    return [dict(row._mapping) for row in tx.execute(query.order_by(*table.primary_key))]
