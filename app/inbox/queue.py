"""The durable queue: add, claim, finish, retry, bury. It orders events by lane and looks into none of them.

An event is pending until a worker claims its lane, processing while it is claimed, and then processed,
ignored or dead. A lane is claimed as a whole and worked oldest event first.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from functools import cache

from sqlalchemy import Connection, Insert, bindparam, case, exists, func, select, update

from app.db.database import Database, Instant, Record, insert_into
from app.db.tables import inbox, lanes
from app.db.wakeups import telling
from app.inbox import leases
from app.inbox.leases import LEASE_SECONDS, Lease

MAX_ATTEMPTS = 12  # about two hours, see back_off
LONGEST_BACK_OFF = timedelta(seconds=8 * 2 ** (MAX_ATTEMPTS - 1))


@dataclass(frozen=True, slots=True)
class NewEvent:
    """One verified webhook as it came: raw target, raw body, the headers that matter."""

    event_key: str
    event_type: str
    lane: str
    source: str
    method: str
    target: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Claimed:
    """The oldest event of a lane that is ours until the lease ends. `attempts` counts this one too."""

    instant: Instant  # of the claim; from there time is counted on
    lease: Lease
    id: int
    event_type: str
    lane: str
    method: str
    target: str
    body: bytes
    received_at: datetime
    attempts: int

    @property
    def claimed_at(self) -> datetime:
        return self.instant.at


# Statements of the hot paths, built once: building one costs as much as running it.
_DUE = select(lanes.c.lane).where(lanes.c.ready_at <= bindparam("now"), leases.FREE).order_by(lanes.c.ready_at).limit(1)
_NEXT_READY = select(func.min(lanes.c.ready_at)).where(lanes.c.ready_at > bindparam("now"))
UNFINISHED = (inbox.c.lane == bindparam("a_lane"), inbox.c.finished_at.is_(None))
STORED = [inbox.c[one.name] for one in fields(Claimed) if one.name in inbox.c]
_OLDEST_ID = select(inbox.c.id).where(*UNFINISHED).order_by(inbox.c.id).limit(1)
_LANE = update(lanes).where(lanes.c.lane == bindparam("a_lane"))
_LEASE = (
    update(lanes)
    .where(lanes.c.lane == _DUE.with_for_update(skip_locked=True).scalar_subquery())
    .values(leases.TAKE)
    .returning(lanes.c.lane)
)
_RELEASE = _LANE.values(ready_at=bindparam("ready_at"), ready_set_at=bindparam("now"), **leases.HAND_OVER)
_GIVE_BACK = _LANE.values(
    ready_at=case((exists(_OLDEST_ID), bindparam("now", type_=lanes.c.ready_at.type))),
    ready_set_at=bindparam("now"),
    **leases.HAND_OVER,
)
_START = (
    update(inbox)
    .where(inbox.c.id == _OLDEST_ID.scalar_subquery())
    .values(state="processing", attempts=inbox.c.attempts + 1)
    .returning(*STORED)
)
_FINISH = (
    update(inbox)
    .where(inbox.c.id == bindparam("an_id"))
    .values({name: bindparam(name) for name in ("state", "outcome", "finished_at")})
)


def add_all(db: Database, tx: Connection, events: Sequence[NewEvent]) -> list[bool]:
    """Store the events that are not known yet and wake their lanes; for each, return whether it was new."""
    now = db.now(tx)
    # Lanes first: their locks keep two groups with the same events, in another order, from waiting for each other.
    wake(tx, {event.lane for event in events}, now, now)
    return insert_unknown(tx, events, now)


def insert_unknown(tx: Connection, events: Sequence[NewEvent], now: datetime) -> list[bool]:
    """Store the events that are not known yet, and wake no lane; for each, return whether it was new."""
    stored = set(tx.execute(_add(tx.dialect.name), [row_of(event, now) for event in events]).scalars())
    return [_first_of(event.event_key, stored) for event in events]


def schedule(tx: Connection, event: NewEvent, due_at: datetime, now: datetime) -> bool:
    """Store an event of our own, due at a time if nothing else waits in its lane; return whether it was new."""
    wake(tx, {event.lane}, due_at, now)
    return bool(tx.execute(_add(tx.dialect.name), [row_of(event, now)]).scalars().all())


def row_of(event: NewEvent, now: datetime) -> dict[str, object]:
    """Return the columns of an event that has just come."""
    return {
        "event_key": event.event_key,
        "event_type": event.event_type,
        "lane": event.lane,
        "source": event.source,
        "state": "pending",
        "method": event.method,
        "target": event.target,
        "headers": event.headers,
        "body": event.body,
        "received_at": now,
    }


def stored_request(tx: Connection, event_key: str) -> Record | None:
    """Return method, target and body of an event that came; emptied where it was erased."""
    query = select(inbox.c.method, inbox.c.target, inbox.c.body).where(inbox.c.event_key == event_key)
    return tx.execute(query).one_or_none()


@cache
def _add(dialect: str) -> Insert:
    """Return the statement once built: building it anew costs more than running it."""
    add: Insert = insert_into(dialect, inbox).on_conflict_do_nothing().returning(inbox.c.event_key)
    return add


@cache
def _wake(dialect: str) -> Insert:
    insert = insert_into(dialect, lanes)
    ready = {name: insert.excluded[name] for name in ("ready_at", "ready_set_at")}
    idle = lanes.c.ready_at.is_(None)
    upsert = insert.on_conflict_do_update(index_elements=["lane"], set_=ready, where=idle)
    # RETURNING makes SQLAlchemy send the rows as one statement.
    wake: Insert = upsert.returning(lanes.c.lane)
    return telling(dialect, wake)


def _first_of(event_key: str, stored: set[str]) -> bool:
    """Return whether this is the one that was stored: of two equal posts in one group only the first was new."""
    new = event_key in stored
    stored.discard(event_key)
    return new


def wake(tx: Connection, lane_names: set[str], at: datetime, now: datetime) -> None:
    """Make idle lanes ready at a time; a lane that is ready, or waits for a back-off to end, stays as it is."""
    if lane_names:
        # Sorted, so that two transactions never wait for each other.
        ready = [{"lane": lane, "ready_at": at, "ready_set_at": now} for lane in sorted(lane_names)]
        tx.execute(_wake(tx.dialect.name), ready).all()


def pull_forward(tx: Connection, lane: str, instant: Instant) -> None:
    """Make a lane ready now that waits for a later time; one that somebody works on stays as it is."""
    waits = update(lanes).where(lanes.c.lane == lane, lanes.c.ready_at > bindparam("now"), leases.FREE)
    ready = waits.values(ready_at=bindparam("new_ready_at"), ready_set_at=bindparam("new_ready_at"))
    tx.execute(telling(tx.dialect.name, ready), {**leases.free_at(instant), "new_ready_at": instant.at})


def claim(db: Database, *, lease_seconds: int = LEASE_SECONDS) -> Claimed | None:
    """Return the oldest event of the lane that has been due longest, now ours; None when nothing is due.

    Ours until the lease ends; then any worker may take it. Safe from many threads, processes and machines.
    Raises DatabaseUnavailable; the caller waits and tries again.
    """
    with db.read() as tx:
        if tx.scalar(_DUE, leases.free_at(db.instant(tx))) is None:
            return None
    with db.write() as tx:
        return claim_next(tx, db.instant(tx), lease_seconds=lease_seconds)


def claim_next(tx: Connection, instant: Instant, *, lease_seconds: int = LEASE_SECONDS) -> Claimed | None:
    """Return the same as `claim`, ours once the transaction is committed; `instant` is this very moment."""
    token = leases.new_token(instant)
    asked = leases.free_at(instant) | leases.taken(token, instant, lease_seconds)
    while (lane := tx.scalar(_LEASE, asked)) is not None:
        event = tx.execute(_START, {"a_lane": lane}).first()
        if event is not None:
            return Claimed(instant, Lease(lane, token, instant.boot + lease_seconds), *event)
        tx.execute(_RELEASE, {"a_lane": lane, "ready_at": None, "now": instant.at})
    return None


def is_anything_due(tx: Connection, now: datetime) -> bool:
    """Return whether any lane is due, also one that another worker is busy with."""
    return tx.scalar(select(lanes.c.lane).where(lanes.c.ready_at <= now).limit(1)) is not None


def seconds_to_next(db: Database) -> float | None:
    """Return in how many seconds a lane that waits for its time will be due; None when no lane does."""
    with db.read() as tx:
        now = db.now(tx)
        at = tx.scalar(_NEXT_READY, {"now": now})
    return None if at is None else float((at - now).total_seconds())


def oldest_due(tx: Connection, now: datetime) -> datetime | None:
    """Return since when the lane that waits longest has been due; None when no lane is."""
    since: datetime | None = tx.scalar(select(func.min(lanes.c.ready_at)).where(lanes.c.ready_at <= now))
    return since


def finish(tx: Connection, claimed: Claimed, state: str, outcome: str, instant: Instant) -> None:
    """End an event as processed, ignored or dead, with the reason, and give its lane free. Raises LeaseLost."""
    leases.hold(tx, claimed.lease, instant)
    now = instant.at
    tx.execute(_FINISH, {"an_id": claimed.id, "state": state, "outcome": outcome, "finished_at": now})
    tx.execute(_GIVE_BACK, {"a_lane": claimed.lane, "now": now})  # sees what came until the lane was held


def postpone(
    tx: Connection, claimed: Claimed, outcome: str, wait: timedelta, instant: Instant, *, counts_as_attempt: bool
) -> None:
    """Return an event to pending for a time; `counts_as_attempt` says whether the attempt counts. Raises LeaseLost."""
    leases.hold(tx, claimed.lease, instant)
    attempts = claimed.attempts if counts_as_attempt else claimed.attempts - 1
    values = {"state": "pending", "outcome": outcome, "attempts": attempts}
    tx.execute(update(inbox).where(inbox.c.id == claimed.id).values(**values))
    released = {"a_lane": claimed.lane, "ready_at": instant.at + wait, "now": instant.at}
    tx.execute(telling(tx.dialect.name, _RELEASE), released)


def back_off(attempts: int, *, least_seconds: float = 0.0) -> timedelta:
    """Return how long to wait after attempt number `attempts`: up to 8 s, 16 s, ... 2.3 h, at random (full jitter).

    The waits of eleven retries add up to two and a quarter hours on average.
    """
    return timedelta(seconds=max(least_seconds, random.uniform(0, 8 * 2 ** (attempts - 1))))  # noqa: S311
