"""What we sent and what became of it: the replies ledger and the delivery receipts. It calls nobody."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Connection, Update, bindparam, func, select, update

from app.db import Record, insert_into, upsert
from app.tables import deliveries, delivery_events, replies

# The highest wins in any order of arrival: a late "sent" never overwrites "delivered".
LATTICE = ("sent", "undelivered", "failed", "delivered", "read")
OPEN = ("intended", "sending", "failed")


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply of ours: the n-th (from 0) answer to the inbound message `reply_to`."""

    reply_to: str
    n: int
    conversation_sid: str
    rule: str
    body: str
    state: str
    tried_at: datetime | None
    message_sid: str | None


_OPEN_REPLIES = (
    select(*(replies.c[name] for name in Reply.__dataclass_fields__))
    .where(replies.c.reply_to == bindparam("sid"), replies.c.state.in_(OPEN))
    .order_by(replies.c.n)
)
_COUNT_REPLIES = select(func.count()).where(
    replies.c.conversation_sid == bindparam("sid"), replies.c.n == 0, replies.c.state != "suppressed",
    replies.c.intended_at > bindparam("since"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Receipt:
    """One delivery receipt as it came; `error_code` is 0 when there is none."""

    delivery_receipt_sid: str
    message_sid: str
    conversation_sid: str
    participant_sid: str
    channel_message_sid: str
    status: str
    error_code: int
    dated: datetime | None


def intend(
    tx: Connection, reply_to: str, conversation_sid: str, rule: str, bodies: Sequence[str], now: datetime
) -> None:
    """Write down the replies that we are about to send; the same message twice changes nothing."""
    rows = [
        {"reply_to": reply_to, "n": n, "conversation_sid": conversation_sid, "rule": rule, "body": body,
         "state": "intended", "intended_at": now}
        for n, body in enumerate(bodies)
    ]  # fmt: skip
    tx.execute(insert_into(tx.dialect.name, replies).on_conflict_do_nothing(), rows)


def open_replies(tx: Connection, reply_to: str) -> list[Reply]:
    """Return the replies to a message that are neither sent nor suppressed, in their order."""
    return [Reply(*row) for row in tx.execute(_OPEN_REPLIES, {"sid": reply_to})]


def replies_to(tx: Connection, message_sid: str) -> Sequence[Record]:
    """Return all replies to an inbound message, whatever became of them."""
    return tx.execute(select(replies).where(replies.c.reply_to == message_sid).order_by(replies.c.n)).all()


def reply_sent_as(tx: Connection, message_sid: str) -> Record | None:
    """Return the reply that became this message; None for a message we never sent."""
    return tx.execute(select(replies).where(replies.c.message_sid == message_sid)).first()


def note_try(tx: Connection, reply: Reply, now: datetime) -> None:
    """Write down that a request may be on its way to Twilio from now on."""
    _set(tx, reply, state="sending", tried_at=now)


def note_sent(tx: Connection, reply: Reply, message_sid: str, now: datetime) -> None:
    """Write down the message that a reply became."""
    _set(tx, reply, state="sent", message_sid=message_sid, sent_at=now, reason="")


def note_failed(tx: Connection, reply: Reply, reason: str) -> None:
    """Write down why a reply could not be sent; `inbox retry` tries it again."""
    _set(tx, reply, state="failed", reason=reason)


def suppress(tx: Connection, reply: Reply, reason: str) -> None:
    """Write down why a reply must not be sent; this is final."""
    _set(tx, reply, state="suppressed", reason=reason)


def _set(tx: Connection, reply: Reply, **values: Any) -> None:
    tx.execute(_change(tuple(values)), {"a_message": reply.reply_to, "part": reply.n, **values})


@cache
def _change(columns: tuple[str, ...]) -> Update:
    this = (replies.c.reply_to == bindparam("a_message"), replies.c.n == bindparam("part"))
    return update(replies).where(*this).values({name: bindparam(name) for name in columns})


def count_replies(tx: Connection, conversation_sid: str, since: datetime) -> int:
    """Return how often we have answered in a conversation since a time; the parts of one reply count once."""
    return tx.scalar(_COUNT_REPLIES, {"sid": conversation_sid, "since": since}) or 0


def rules_fired(tx: Connection, conversation_sid: str, since: datetime) -> dict[str, datetime]:
    """Return when each rule last answered in a conversation, for those that did since a time."""
    ours = (replies.c.conversation_sid == conversation_sid, replies.c.state != "suppressed")
    query = select(replies.c.rule, func.max(replies.c.intended_at)).where(*ours, replies.c.intended_at > since)
    return {row[0]: row[1] for row in tx.execute(query.group_by(replies.c.rule))}


def merge_status(known: str, new: str) -> str:
    """Return the newest state of a delivery whatever the order of arrival; an unknown status loses to a known one."""
    return max(known, new, key=lambda status: LATTICE.index(status) if status in LATTICE else -1)


def record_receipt(tx: Connection, receipt: Receipt, *, inbox_id: int, received_at: datetime) -> Record:
    """Store a receipt in the history and merge it into its delivery; return the delivery's row.

    It need not be of a message that we know: it is linked by MessageSid whenever that is stored.
    """
    history = {"inbox_id": inbox_id, "delivery_receipt_sid": receipt.delivery_receipt_sid, "status": receipt.status,
               "error_code": receipt.error_code, "dated": receipt.dated, "received_at": received_at}  # fmt: skip
    upsert(tx, delivery_events, history, update=())
    this = deliveries.c.delivery_receipt_sid == receipt.delivery_receipt_sid
    known = tx.execute(select(deliveries).where(this).with_for_update()).first()
    dated = receipt.dated or received_at
    if known is None:
        row = {name: getattr(receipt, name) for name in Receipt.__dataclass_fields__ if name != "dated"}
        tx.execute(insert_into(tx.dialect.name, deliveries).values(**row, first_at=dated, updated_at=dated))
    else:
        merged = {
            "status": merge_status(known.status, receipt.status),
            "error_code": receipt.error_code or known.error_code,
            "channel_message_sid": receipt.channel_message_sid or known.channel_message_sid,
            "first_at": min(known.first_at, dated),
            "updated_at": max(known.updated_at, dated),
        }
        tx.execute(update(deliveries).where(this).values(**merged))
    return tx.execute(select(deliveries).where(this)).one()


def note_detail(tx: Connection, delivery_receipt_sid: str, detail: str, error_code: int = 0) -> None:
    """Store what Twilio's REST API said of a failed delivery; an error code once known is never erased."""
    values: dict[str, Any] = {"detail": detail}
    if error_code:
        values["error_code"] = error_code
    this = deliveries.c.delivery_receipt_sid == delivery_receipt_sid
    tx.execute(update(deliveries).where(this).values(**values))


def list_deliveries(
    tx: Connection, *, status: str | None = None, message_sid: str | None = None, limit: int = 20
) -> Sequence[Record]:
    """Return the newest deliveries, newest first, each with the rule of our reply (null: not sent by us)."""
    joined = deliveries.outerjoin(replies, replies.c.message_sid == deliveries.c.message_sid)
    query = select(deliveries, replies.c.rule, replies.c.reply_to).select_from(joined)
    if status:
        query = query.where(deliveries.c.status == status)
    if message_sid:
        query = query.where(deliveries.c.message_sid == message_sid)
    return tx.execute(query.order_by(deliveries.c.updated_at.desc()).limit(limit)).all()


def history(tx: Connection, sid: str) -> list[dict[str, Any]]:
    """Return the deliveries of a MessageSid or DeliveryReceiptSid, each with its receipts as they came."""
    this = (deliveries.c.message_sid == sid) | (deliveries.c.delivery_receipt_sid == sid)
    found = [dict(row._mapping) for row in tx.execute(select(deliveries).where(this))]
    for delivery in found:
        of_it = delivery_events.c.delivery_receipt_sid == delivery["delivery_receipt_sid"]
        receipts = tx.execute(select(delivery_events).where(of_it).order_by(delivery_events.c.inbox_id))
        delivery["history"] = [dict(row._mapping) for row in receipts]
    return found
