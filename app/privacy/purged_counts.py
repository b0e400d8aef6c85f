"""What was counted in rows that are no longer there: numbers that only grow must not fall when old rows are deleted."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Connection, String, bindparam, cast, func, select

from app.db.database import insert_into
from app.db.maintenance_tables import purged_counts
from app.db.tables import deliveries, delivery_events, replies


@dataclass(frozen=True)
class Counted:
    """Rows of one table that are counted by a label; `metric` is the name of that number here."""

    metric: str
    label: ColumnElement[Any]
    those: ColumnElement[bool]


SENT_REPLIES = Counted("replies", replies.c.rule, replies.c.state == "sent")
DELIVERIES = Counted("deliveries", deliveries.c.status, deliveries.c.status != "")
FAILURES = Counted(
    "failures", cast(delivery_events.c.error_code, String), delivery_events.c.status.in_(["failed", "undelivered"])
)
OF_TABLE = {replies: SENT_REPLIES, deliveries: DELIVERIES, delivery_events: FAILURES}


def remember(tx: Connection, counted: Counted, *these: ColumnElement[bool]) -> None:
    """Add what is counted in these rows to what is remembered; call it just before they are deleted."""
    label = counted.label.label("label")
    found = tx.execute(select(label, func.count().label("more")).where(*these, counted.those).group_by(label)).all()
    rows = [{"metric": counted.metric, "label": row.label, "more": row.more} for row in found]
    if rows:
        tx.execute(_add(tx.dialect.name), sorted(rows, key=lambda row: str(row["label"])))


@cache
def _add(dialect: str) -> Any:
    insert = insert_into(dialect, purged_counts).values(
        metric=bindparam("metric"), label=bindparam("label"), number=bindparam("more")
    )
    more = {"number": purged_counts.c.number + insert.excluded.number}
    return insert.on_conflict_do_update(index_elements=["metric", "label"], set_=more)
