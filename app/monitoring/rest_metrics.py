"""Adds up the requests to Twilio by their result: the totals of all processes and machines are in the database."""

from __future__ import annotations

from functools import cache
from typing import Any

from sqlalchemy import Connection, bindparam, select

from app.db.database import Database, insert_into
from app.db.tables import rest_calls
from app.twilio_api.client import CallCounts


def store(calls: CallCounts, db: Database) -> None:
    """Add to the totals what was counted since the last time. Raises DatabaseUnavailable: it is kept for later."""
    counts = calls.take()
    if not counts:
        return
    # In one order: two processes must not wait for each other's rows.
    rows = [{"result": result, "more": count} for result, count in sorted(counts.items())]
    try:
        with db.write() as tx:
            tx.execute(_add(tx.dialect.name), rows)
    except BaseException:
        calls.put_back(counts)
        raise


def totals(tx: Connection) -> dict[str, int]:
    """Return how many requests had which result, ever."""
    return {row.result: row.calls for row in tx.execute(select(rest_calls))}


@cache
def _add(dialect: str) -> Any:
    insert = insert_into(dialect, rest_calls).values(result=bindparam("result"), calls=bindparam("more"))
    more = {"calls": rest_calls.c.calls + insert.excluded.calls}
    return insert.on_conflict_do_update(index_elements=["result"], set_=more)
