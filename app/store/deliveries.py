"""Delivery receipts, each merged into the state of its delivery."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, bindparam, exists, insert, select, update

from app.db.database import Record, upsert
from app.db.tables import deliveries, delivery_events, participants, replies

# The highest wins in any order of arrival: a late "sent" never overwrites "delivered".
LATTICE = ("sent", "undelivered", "failed", "delivered", "read")
ARRIVED = ("delivered", "read")
NO_RECEIPT = "sent, no receipt"  # what a reply is called of which Twilio has reported nothing
NO_RECEIPT_AFTER = timedelta(minutes=10)  # receipts were seen 1 to 5 s after a message was sent
_DELIVERY = deliveries.c.delivery_receipt_sid == bindparam("receipt_sid")
_KNOWN_DELIVERY = select(deliveries).where(_DELIVERY).with_for_update()
_NEW_DELIVERY = insert(deliveries).returning(deliveries)
_MERGED = ("status", "error_code", "detail", "channel_message_sid", "first_at", "updated_at")
_MERGE = (
    update(deliveries)
    .where(_DELIVERY)
    .values({name: bindparam(f"new_{name}") for name in _MERGED})
    .returning(deliveries)
)


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


def merge_status(known: str, new: str) -> str:
    """Return the newest state of a delivery whatever the order of arrival; an unknown status loses to a known one."""
    return max(known, new, key=lambda status: LATTICE.index(status) if status in LATTICE else -1)


def record_receipt(tx: Connection, receipt: Receipt, *, inbox_id: int, received_at: datetime) -> Record:
    """Store a receipt in the history and merge it into its delivery; return the delivery's row.

    It need not be of a message that we know: it is linked by MessageSid whenever that is stored. What arrived after
    all has no error any more; the history keeps it.
    """
    history = {
        "inbox_id": inbox_id,
        "delivery_receipt_sid": receipt.delivery_receipt_sid,
        "status": receipt.status,
        "error_code": receipt.error_code,
        "dated": receipt.dated,
        "received_at": received_at,
    }
    upsert(tx, delivery_events, history, update=())
    this = {"receipt_sid": receipt.delivery_receipt_sid}
    known = tx.execute(_KNOWN_DELIVERY, this).first()
    dated = receipt.dated or received_at
    if known is None:
        row = {name: getattr(receipt, name) for name in Receipt.__dataclass_fields__ if name != "dated"}
        return tx.execute(_NEW_DELIVERY, {**row, "first_at": dated, "updated_at": dated}).one()
    status = merge_status(known.status, receipt.status)
    merged = {
        "new_status": status,
        "new_error_code": 0 if status in ARRIVED else receipt.error_code or known.error_code,
        "new_detail": "" if status in ARRIVED else known.detail,
        "new_channel_message_sid": receipt.channel_message_sid or known.channel_message_sid,
        "new_first_at": min(known.first_at, dated),
        "new_updated_at": max(known.updated_at, dated),
    }
    return tx.execute(_MERGE, {**this, **merged}).one()


def record_detail(tx: Connection, delivery_receipt_sid: str, detail: str, error_code: int = 0) -> None:
    """Store what Twilio's REST API said of a failed delivery; no answer of it erases an error code."""
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


def without_receipt(
    tx: Connection, now: datetime, *, since: datetime | None = None, limit: int = 20
) -> Sequence[Record]:
    """Return our replies that Twilio took and of which no receipt came within NO_RECEIPT_AFTER, newest first.

    Only where a phone is in the conversation: of what goes to chat clients alone there never is a receipt.
    """
    on_phone = (participants.c.conversation_sid == replies.c.conversation_sid, participants.c.address != "")
    query = (
        select(replies.c.message_sid, replies.c.conversation_sid, replies.c.rule, replies.c.reply_to, replies.c.sent_at)
        .where(replies.c.state == "sent", replies.c.sent_at <= now - NO_RECEIPT_AFTER)
        .where(~exists().where(deliveries.c.message_sid == replies.c.message_sid), exists().where(*on_phone))
    )
    if since:
        query = query.where(replies.c.sent_at >= since)
    return tx.execute(query.order_by(replies.c.sent_at.desc()).limit(limit)).all()


def history(tx: Connection, sid: str) -> list[dict[str, Any]]:
    """Return the deliveries of a MessageSid or DeliveryReceiptSid, each with its receipts as they came."""
    this = (deliveries.c.message_sid == sid) | (deliveries.c.delivery_receipt_sid == sid)
    found = [dict(row._mapping) for row in tx.execute(select(deliveries).where(this))]
    for delivery in found:
        of_it = delivery_events.c.delivery_receipt_sid == delivery["delivery_receipt_sid"]
        receipts = tx.execute(select(delivery_events).where(of_it).order_by(delivery_events.c.inbox_id))
        delivery["history"] = [dict(row._mapping) for row in receipts]
    return found
