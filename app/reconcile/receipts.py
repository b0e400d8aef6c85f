"""Finds sent messages whose delivery receipts are overdue, and their state by REST; it stores no receipt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, or_, select

from app.db.database import upsert
from app.db.maintenance_tables import receipt_looks
from app.db.tables import conversations, deliveries, replies
from app.inbox.queue import NewEvent
from app.reconcile import webhooks
from app.reconcile.paced_client import PacedClient
from app.store.deliveries import NO_RECEIPT_AFTER

PAGE = 50  # Source: Twilio's OpenAPI description, 2026-04-14: the most receipts of one page
STILL_MOVING = NO_RECEIPT_AFTER
FINAL = ("delivered", "read", "failed", "undelivered")
LOOK_BACK = timedelta(days=2)  # a receipt that has not come by then comes no more
MOST = 5_000  # of one run; the others are looked at by the next


@dataclass(frozen=True)
class Quiet:
    """A message of which no final receipt has come: where it is, and since when it has been on its way.

    One that never `moved` has no receipt at all.
    """

    message_sid: str
    conversation_sid: str
    service_sid: str
    sent_at: datetime
    moved: bool = True


def stopped(tx: Connection, *, since: datetime, now: datetime) -> list[Quiet]:
    """Return the messages sent since a time whose receipts should have come long ago, oldest first.

    Some carriers never tell more than "sent". So each is looked at again only when it is twice as old, and one
    without any receipt never again: where it went there may be none, and what Twilio gets later, it tells.
    """
    window = (since, now - STILL_MOVING)
    found = {one.message_sid: one for one in [*_of_others(tx, window), *_replies(tx, window)]}
    looks = tx.execute(select(receipt_looks).where(receipt_looks.c.looked_at >= since))
    looked = {row.message_sid: row.looked_at for row in looks}
    due = [one for one in found.values() if _is_due(one, looked, now)]
    return sorted(due, key=lambda one: one.sent_at)[:MOST]


def _is_due(one: Quiet, looked: Mapping[str, datetime], now: datetime) -> bool:
    at = looked.get(one.message_sid)
    return at is None or (one.moved and now - one.sent_at >= 2 * (at - one.sent_at))


def _replies(tx: Connection, window: tuple[datetime, datetime]) -> list[Quiet]:
    """Return replies of ours without any receipt, or with one that says nothing final."""
    joined = replies.outerjoin(deliveries, deliveries.c.message_sid == replies.c.message_sid).outerjoin(
        conversations, conversations.c.conversation_sid == replies.c.conversation_sid
    )
    query = (
        select(
            replies.c.message_sid,
            replies.c.conversation_sid,
            conversations.c.chat_service_sid,
            replies.c.sent_at,
            deliveries.c.status,
        )
        .select_from(joined)
        .where(replies.c.state == "sent", replies.c.sent_at.between(*window))
        .where(or_(deliveries.c.status.is_(None), deliveries.c.status.not_in(FINAL)))
        .order_by(replies.c.sent_at)
        .limit(MOST)
    )
    return [Quiet(row[0], row[1], row[2] or "", row[3], row[4] is not None) for row in tx.execute(query)]


def _of_others(tx: Connection, window: tuple[datetime, datetime]) -> list[Quiet]:
    """Return messages, whoever wrote them, of which one recipient's receipt says nothing final."""
    joined = deliveries.outerjoin(conversations, conversations.c.conversation_sid == deliveries.c.conversation_sid)
    query = (
        select(
            deliveries.c.message_sid,
            deliveries.c.conversation_sid,
            conversations.c.chat_service_sid,
            deliveries.c.first_at,
        )
        .select_from(joined)
        .where(deliveries.c.first_at.between(*window), deliveries.c.status.not_in(FINAL))
        .order_by(deliveries.c.first_at)
        .limit(MOST)
    )
    return [Quiet(row[0], row[1], row[2] or "", row[3]) for row in tx.execute(query)]


def look(calls: PacedClient, message: Quiet, now: datetime) -> list[NewEvent]:
    """Return the receipts of a message as the webhooks that tell of them. Raises Stopped, SendError."""
    found = calls.listed(
        lambda client: _receipts(client, message).page(page_size=PAGE), conversation_sid=message.conversation_sid
    )
    return [webhooks.delivery_updated(message.service_sid, one, now) for one in found if one.status]


def _receipts(client: Any, message: Quiet) -> Any:
    v1 = client.conversations.v1
    scope = v1.services(message.service_sid) if message.service_sid else v1
    return scope.conversations(message.conversation_sid).messages(message.message_sid).delivery_receipts


def record_looked(tx: Connection, messages: Sequence[str], now: datetime) -> None:
    """Write down when receipts were looked at."""
    for sid in messages:
        upsert(tx, receipt_looks, {"message_sid": sid, "looked_at": now})
