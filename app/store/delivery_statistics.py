"""Delivery statistics of a period: funnel, failures by code and time, time to delivery.

It only reads, and no query touches more than the deliveries of the period; receipts of agents' messages count too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from statistics import median, quantiles

from sqlalchemy import ColumnElement, Connection, case, func, select, text

from app.db.database import Record
from app.db.tables import FAILED, deliveries, delivery_events, messages, participants, replies
from app.twilio_api.addresses import channel_of

MOST_FAILURES = 10_000  # that the chart is drawn from
MOST_MEASURED = 1_000  # deliveries, the newest: enough for a median


@dataclass(frozen=True)
class Period:
    """How far back one looks, in steps of `step`; `name` is how an address says it."""

    name: str
    title: str
    step: timedelta
    steps: int

    def since(self, now: datetime) -> datetime:
        """Return when it began: at a whole step, of which the last one is not over yet."""
        midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        begun = (now - midnight) // self.step
        return midnight + self.step * (begun + 1 - self.steps)


PERIODS = (
    Period("24h", "24 hours", timedelta(hours=1), 24),
    Period("7d", "7 days", timedelta(hours=6), 28),
    Period("30d", "30 days", timedelta(days=1), 30),
)


@dataclass(frozen=True)
class Funnel:
    """How far the messages to single recipients came; who has read one was delivered it, too."""

    sent: int
    delivered: int
    read: int
    failed: int


@dataclass(frozen=True)
class Speed:
    """How long a channel takes from sent to delivered, by Twilio's clock; a tenth takes longer than `slow`."""

    channel: str
    measured: int
    median: timedelta
    slow: timedelta


def funnel(tx: Connection, since: datetime) -> Funnel:
    """Return how far the deliveries that began since a time have come."""
    return Funnel(*tx.execute(_FUNNEL.where(deliveries.c.first_at >= since)).one())


def failures(tx: Connection, period: Period, now: datetime) -> tuple[list[Mapping[int, int]], bool]:
    """Return for each step of a period how many deliveries that began in it failed, by error code (0: none given).

    Also whether there are older ones than the newest that were counted.
    """
    since = period.since(now)
    query = select(deliveries.c.first_at, deliveries.c.error_code).where(deliveries.c.first_at >= since, text(FAILED))
    rows = tx.execute(query.order_by(deliveries.c.first_at.desc()).limit(MOST_FAILURES + 1)).all()
    steps: list[Counter[int]] = [Counter() for _ in range(period.steps)]
    for first_at, code in rows[:MOST_FAILURES]:
        steps[min((first_at - since) // period.step, period.steps - 1)][code] += 1  # a clock may be ahead of ours
    return list(steps), len(rows) > MOST_FAILURES


def newest_failures(tx: Connection, since: datetime, *, limit: int = 20) -> Sequence[Record]:
    """Return the newest failed deliveries, each with the address it was for and the rule of our reply.

    `is_stored` says whether the message itself is: one that another program sent is not.
    """
    joined = (
        deliveries.outerjoin(participants, participants.c.participant_sid == deliveries.c.participant_sid)
        .outerjoin(replies, replies.c.message_sid == deliveries.c.message_sid)
        .outerjoin(messages, messages.c.message_sid == deliveries.c.message_sid)
    )
    is_stored = func.coalesce(replies.c.message_sid, messages.c.message_sid).is_not(None).label("is_stored")
    query = select(deliveries, participants.c.address, replies.c.rule, is_stored).select_from(joined)
    query = query.where(deliveries.c.first_at >= since, deliveries.c.status.in_(["failed", "undelivered"]))
    return tx.execute(query.order_by(deliveries.c.first_at.desc()).limit(limit)).all()


def speeds(tx: Connection, since: datetime) -> list[Speed]:
    """Return how long each channel took, of the newest deliveries that arrived; the busiest channel first.

    Measured is from the receipt "sent" to the receipt "delivered"; a delivery that lacks one of them is left out.
    """
    began, ended = _dated("sent"), _dated("delivered")
    newest = (
        select(deliveries.c.delivery_receipt_sid, deliveries.c.participant_sid)
        .where(deliveries.c.first_at >= since, deliveries.c.status.in_(["delivered", "read"]))
        .order_by(deliveries.c.first_at.desc())
        .limit(MOST_MEASURED)
        .subquery()
    )
    same_receipt = delivery_events.c.delivery_receipt_sid == newest.c.delivery_receipt_sid
    joined = newest.join(delivery_events, same_receipt).outerjoin(
        participants, participants.c.participant_sid == newest.c.participant_sid
    )
    query = select(participants.c.address, began, ended).select_from(joined)
    rows = tx.execute(query.group_by(newest.c.delivery_receipt_sid, participants.c.address)).all()
    took = sorted((_channel(address), max(end - start, timedelta())) for address, start, end in rows if start and end)
    found = [_speed(channel, [one[1] for one in group]) for channel, group in groupby(took, key=lambda one: one[0])]
    return sorted(found, key=lambda one: -one.measured)


def came_to(*statuses: str) -> ColumnElement[int]:
    """Return the number of deliveries with one of these statuses, to be counted in one pass with others."""
    return func.count(case((deliveries.c.status.in_(statuses), 1)))


# Counted in one pass over an index: grouping by status would take three times as long.
_FUNNEL = select(
    func.count(), came_to("delivered", "read"), came_to("read"), came_to("failed", "undelivered")
).select_from(deliveries)


def _dated(status: str) -> ColumnElement[datetime]:
    when = func.coalesce(delivery_events.c.dated, delivery_events.c.received_at)
    return func.min(case((delivery_events.c.status == status, when)))


def _speed(channel: str, took: Sequence[timedelta]) -> Speed:
    seconds = [one.total_seconds() for one in took]
    slow = quantiles(seconds, n=10, method="inclusive")[-1] if len(seconds) > 1 else seconds[0]
    return Speed(channel, len(took), timedelta(seconds=median(seconds)), timedelta(seconds=slow))


def _channel(address: str | None) -> str:
    return channel_of(address, "") if address else "unknown"
