"""The metrics that are in the database: queue, replies, deliveries, requests to Twilio. It only reads.

They are asked for when somebody looks, so whoever does the work, here or on another machine, is counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import Connection, func, select, text

from app import inbox, rest_calls
from app.db import Database, DatabaseUnavailable
from app.delivery_statistics import funnel
from app.inbox_admin import state_at
from app.tables import FAILED, SETTLED, delivery_events, lanes, replies
from app.tables import inbox as events

if TYPE_CHECKING:
    from prometheus_client import Metric

OPEN_STATES = ("pending", "scheduled", "processing", "dead")


class StoredMetrics:
    """Collects them at each scrape; when the database is away, says that and nothing else."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def collect(self) -> list[Metric]:
        """Return the metrics as they are now."""
        from prometheus_client.core import GaugeMetricFamily

        try:
            with self._db.read() as tx:
                found = list(_metrics(tx, self._db.now(tx)))
        except DatabaseUnavailable:
            found = []
        up = GaugeMetricFamily("parley_database_up", "1 while the database can be asked", value=1 if found else 0)
        return [up, *found]


def _metrics(tx: Connection, now: datetime) -> Iterator[Metric]:
    yield from _queue(tx, now)
    yield from _replies(tx)
    yield from _deliveries(tx)
    yield _counter(
        "parley_rest_calls", "Requests to Twilio, by result", "result", sorted(rest_calls.totals(tx).items())
    )


def _queue(tx: Connection, now: datetime) -> Iterator[Metric]:
    from prometheus_client.core import GaugeMetricFamily

    size = GaugeMetricFamily("parley_inbox_events", "Events that wait, are worked on or are dead", labels=["state"])
    for state, count in open_events(tx, now).items():
        size.add_metric([state], count)
    yield size
    due = inbox.oldest_due(tx, now)
    age = (now - due).total_seconds() if due else 0.0
    yield GaugeMetricFamily("parley_inbox_oldest_due_seconds", "How long the oldest due event has waited", value=age)


def _replies(tx: Connection) -> Iterator[Metric]:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    labels = ["rule", "result"]
    settled = CounterMetricFamily("parley_replies", "Replies sent or suppressed, by rule", labels=labels)
    failed = GaugeMetricFamily("parley_replies_failed", "Replies that failed and wait for a person", labels=["rule"])
    for rule, state, count in tx.execute(_REPLIES):
        if state == "failed":
            failed.add_metric([rule], count)
        else:
            settled.add_metric([rule, state], count)
    yield from (settled, failed)


def _deliveries(tx: Connection) -> Iterator[Metric]:
    found = funnel(tx)
    reached = [("sent", found.sent), ("delivered", found.delivered), ("read", found.read)]  # none of them ever falls
    yield _counter("parley_deliveries", "Deliveries that came at least this far", "status", reached)
    lost = [(str(code) if code else "none", count) for code, count in tx.execute(_FAILURES)]
    yield _counter("parley_delivery_failures", "Receipts of failed deliveries, by error code", "error_code", lost)


def _counter(name: str, text: str, label: str, numbers: Iterable[tuple[str, int]]) -> Metric:
    from prometheus_client.core import CounterMetricFamily

    counter = CounterMetricFamily(name, text, labels=[label])
    for value, number in numbers:
        counter.add_metric([value], number)
    return counter


def open_events(tx: Connection, now: datetime) -> dict[str, int]:
    """Return how many events are in each state that is not a good end; however many have ended, it reads none."""
    shown = state_at(now)
    joined = events.outerjoin(lanes, events.c.lane == lanes.c.lane)
    unfinished = select(shown, func.count()).select_from(joined).where(events.c.finished_at.is_(None)).group_by(shown)
    counts = {state: count for state, count in tx.execute(unfinished)}  # noqa: C416 - a Row is no pair to mypy
    counts["dead"] = tx.scalar(select(func.count()).select_from(events).where(text("state = 'dead'"))) or 0
    return {state: counts.get(state, 0) for state in OPEN_STATES}


# The conditions are those of the indexes, word for word: SQLite uses a partial index for no other.
_REPLIES = (
    select(replies.c.rule, replies.c.state, func.count())
    .where(text(SETTLED))
    .group_by(replies.c.rule, replies.c.state)
    .order_by(replies.c.rule, replies.c.state)
)
_FAILURES = (
    select(delivery_events.c.error_code, func.count())
    .where(text(FAILED))
    .group_by(delivery_events.c.error_code)
    .order_by(delivery_events.c.error_code)
)
