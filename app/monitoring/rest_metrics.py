"""Counts requests to Twilio by result, and adds them to the totals in the database."""

from __future__ import annotations

import threading
from collections import Counter
from functools import cache
from typing import Any

from sqlalchemy import Connection, bindparam, select

from app.db.database import Database, insert_into
from app.db.tables import rest_calls


class RestCalls:
    """What one process has asked of Twilio; safe from many threads."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()

    def record(self, result: str) -> None:
        """Count one request; `result` is "ok", an HTTP status from 300, "not connected", "no answer" or "not sent"."""
        with self._lock:
            self._counts[result] += 1

    def store(self, db: Database) -> None:
        """Add to the totals what was counted since the last time. Raises DatabaseUnavailable: it is kept for later."""
        with self._lock:
            counts, self._counts = self._counts, Counter()
        if not counts:
            return
        # In one order: two processes must not wait for each other's rows.
        rows = [{"result": result, "more": count} for result, count in sorted(counts.items())]
        try:
            with db.write() as tx:
                tx.execute(_add(tx.dialect.name), rows)
        except BaseException:
            with self._lock:
                self._counts.update(counts)
            raise


def totals(tx: Connection) -> dict[str, int]:
    """Return how many requests had which result, ever."""
    return {row.result: row.calls for row in tx.execute(select(rest_calls))}


@cache
def _add(dialect: str) -> Any:
    insert = insert_into(dialect, rest_calls).values(result=bindparam("result"), calls=bindparam("more"))
    more = {"calls": rest_calls.c.calls + insert.excluded.calls}
    return insert.on_conflict_do_update(index_elements=["result"], set_=more)
