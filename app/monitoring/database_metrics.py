"""Metrics read from the database: queue, replies, deliveries, requests to Twilio.

They are asked for when somebody looks, so whoever does the work, here or on another machine, is counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Connection, Select, String, cast, func, literal, select, text, union_all

from app.db.database import Database, DatabaseUnavailable
from app.db.maintenance_tables import purged_counts
from app.db.tables import DEAD, FAILED, SETTLED, deliveries, delivery_events, lanes, replies
from app.db.tables import inbox as events
from app.inbox import queue
from app.inbox.admin import state_at
from app.monitoring import rest_metrics
from app.store import notifications, rate_limits
from app.store.delivery_statistics import came_to

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
    yield _gates(tx, now)
    yield from _replies(tx)
    yield from _notifications(tx)
    yield from _deliveries(tx)
    yield _counter(
        "parley_rest_calls", "Requests to Twilio, by result", "result", sorted(rest_metrics.totals(tx).items())
    )


def _queue(tx: Connection, now: datetime) -> Iterator[Metric]:
    from prometheus_client.core import GaugeMetricFamily

    size = GaugeMetricFamily("parley_inbox_events", "Events that wait, are worked on or are dead", labels=["state"])
    for state, count in open_events(tx, now).items():
        size.add_metric([state], count)
    yield size
    due = queue.oldest_due(tx, now)
    age = (now - due).total_seconds() if due else 0.0
    yield GaugeMetricFamily("parley_inbox_oldest_due_seconds", "How long the oldest due event has waited", value=age)


def _gates(tx: Connection, now: datetime) -> Metric:
    from prometheus_client.core import GaugeMetricFamily

    scopes = [one.scope for one in rate_limits.closed_gates(tx, now)]
    account = scopes.count(rate_limits.ACCOUNT)
    gates = GaugeMetricFamily("parley_gates_closed", "Whether requests to Twilio wait, and for whom", labels=["scope"])
    gates.add_metric(["account"], account)
    gates.add_metric(["conversation"], len(scopes) - account)
    return gates


def _notifications(tx: Connection) -> Iterator[Metric]:
    from prometheus_client.core import GaugeMetricFamily

    found = notifications.standings(tx, ())
    unsent = GaugeMetricFamily(
        "parley_notifications", "Notifications that wait, failed or are uncertain", labels=["target", "state"]
    )
    dead = GaugeMetricFamily("parley_notify_target_failing", "1 while nothing reaches a target", labels=["target"])
    for one in found:
        for state, number in (("waiting", one.waiting), ("failed", one.failed), ("uncertain", one.uncertain)):
            unsent.add_metric([one.target, state], number)
        dead.add_metric([one.target], int(one.failing_since is not None))
    yield from (unsent, dead)


def _replies(tx: Connection) -> Iterator[Metric]:
    from prometheus_client.core import GaugeMetricFamily

    found = tx.execute(_REPLIES).all()
    sent = [(rule, number) for rule, state, number in found if state == "sent"]
    yield _counter("parley_replies_sent", "Replies sent, by rule", "rule", sent)
    labels = ["rule", "result"]
    unsent = GaugeMetricFamily("parley_replies_unsent", "Replies that failed or must not be sent", labels=labels)
    for rule, state, number in found:
        if state != "sent":
            unsent.add_metric([rule, state], int(number))
    yield unsent


def _deliveries(tx: Connection) -> Iterator[Metric]:
    reached = list(tx.execute(_REACHED).one()._asdict().items())
    yield _counter("parley_deliveries", "Deliveries that came at least this far", "status", reached)
    lost = [("none" if code == "0" else code, number) for code, number in tx.execute(_FAILURES)]
    yield _counter("parley_delivery_failures", "Receipts of failed deliveries, by error code", "error_code", lost)


def _counter(name: str, text: str, label: str, numbers: Iterable[tuple[str, int]]) -> Metric:
    from prometheus_client.core import CounterMetricFamily

    counter = CounterMetricFamily(name, text, labels=[label])
    for value, number in numbers:
        counter.add_metric([value], int(number))
    return counter


def open_events(tx: Connection, now: datetime) -> dict[str, int]:
    """Return how many events are in each state that is not a good end; however many have ended, it reads none."""
    shown = state_at(now)
    joined = events.outerjoin(lanes, events.c.lane == lanes.c.lane)
    unfinished = select(shown, func.count()).select_from(joined).where(events.c.finished_at.is_(None)).group_by(shown)
    counts = {state: count for state, count in tx.execute(unfinished)}  # noqa: C416 - a Row is no pair to mypy
    counts["dead"] = tx.scalar(select(func.count()).select_from(events).where(text(DEAD))) or 0
    return {state: counts.get(state, 0) for state in OPEN_STATES}


def _purged(metric: str, *labels: str) -> ColumnElement[int]:
    """Return how many of these were counted in rows that are deleted; of all, when no label is given."""
    those = [purged_counts.c.label.in_(labels)] if labels else []
    number = func.coalesce(func.sum(purged_counts.c.number), 0)
    return select(number).where(purged_counts.c.metric == metric, *those).scalar_subquery()


def _rows_purged(metric: str, *more: ColumnElement[Any]) -> Select[Any]:
    return select(purged_counts.c.label, *more, purged_counts.c.number).where(purged_counts.c.metric == metric)


# Rows and what is remembered of deleted ones are counted in one statement: between two, a purge could go by.
# The conditions are those of the indexes, word for word: SQLite uses a partial index for no other.
_OF_REPLIES = union_all(
    select(replies.c.rule, replies.c.state, func.count().label("number"))
    .where(text(SETTLED))
    .group_by(replies.c.rule, replies.c.state),
    _rows_purged("replies", literal("sent")),
).subquery()
_REPLIES = (
    select(_OF_REPLIES.c.rule, _OF_REPLIES.c.state, func.sum(_OF_REPLIES.c.number))
    .group_by(_OF_REPLIES.c.rule, _OF_REPLIES.c.state)
    .order_by(_OF_REPLIES.c.rule, _OF_REPLIES.c.state)
)
_CODE = cast(delivery_events.c.error_code, String).label("code")
_OF_FAILURES = union_all(
    select(_CODE, func.count().label("number")).where(text(FAILED)).group_by(delivery_events.c.error_code),
    _rows_purged("failures"),
).subquery()
_FAILURES = (
    select(_OF_FAILURES.c.code, func.sum(_OF_FAILURES.c.number))
    .group_by(_OF_FAILURES.c.code)
    .order_by(_OF_FAILURES.c.code)
)
_REACHED = select(
    (func.count() + _purged("deliveries")).label("sent"),
    (came_to("delivered", "read") + _purged("deliveries", "delivered", "read")).label("delivered"),
    (came_to("read") + _purged("deliveries", "read")).label("read"),
).select_from(deliveries)
