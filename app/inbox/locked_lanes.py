"""Stores events of lanes whose rows another transaction has locked, and wakes them later. Only PostgreSQL locks rows.

A worker that is frozen, or gone without a word, in the middle of a transaction holds its lanes until the server ends
its session. What comes for them is stored meanwhile; what it was stored without, a call for a worker, comes later.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, select, text

from app.db.database import Database
from app.db.tables import inbox, lanes
from app.inbox import queue
from app.inbox.queue import NewEvent

_MOST_AT_ONCE = 1_000
_NAMED = lanes.c.lane.in_(bindparam("names", expanding=True))
_KNOWN = select(lanes.c.lane).where(_NAMED)
_FREE = _KNOWN.order_by(lanes.c.lane).with_for_update(skip_locked=True)
_FORGOTTEN = (
    select(inbox.c.lane)
    .distinct()
    .select_from(inbox.outerjoin(lanes, inbox.c.lane == lanes.c.lane))
    .where(inbox.c.finished_at.is_(None), lanes.c.ready_at.is_(None))
    .limit(_MOST_AT_ONCE)
)


def add_beside_locks(db: Database, tx: Connection, events: Sequence[NewEvent]) -> list[bool]:
    """Store events as queue.add_all() does, but leave lanes asleep that somebody holds. Raises RowsLocked.

    That is for an event which somebody else is storing just now, and for a whole table that is locked.
    """
    tx.execute(text("SET LOCAL lock_timeout = '100ms'"))
    now = db.now(tx)
    queue.wake(tx, _without_held(tx, {event.lane for event in events}), now, now)
    return queue.insert_unknown(tx, events, now)


def wake_forgotten(db: Database) -> int:
    """Wake the lanes that have unfinished events and sleep; return how many. Raises DatabaseUnavailable."""
    if db.is_sqlite:
        return 0
    with db.read() as tx:
        names = set(tx.scalars(_FORGOTTEN))
    if not names:
        return 0
    with db.write() as tx:
        free = _without_held(tx, names)
        now = db.now(tx)
        queue.wake(tx, free, now, now)
    return len(free)


def _without_held(tx: Connection, names: set[str]) -> set[str]:
    """Return the lanes that nobody holds, ours until the transaction ends; and those that do not exist yet."""
    free = set(tx.scalars(_FREE, {"names": sorted(names)}))
    return free | names.difference(tx.scalars(_KNOWN, {"names": sorted(names)}))
