"""The durable inbox: add, claim, finish, retry, bury. It orders events by lane and looks into none of them.

An event is pending until a worker claims its lane, processing while it is claimed, and then processed,
ignored or dead. A lane is claimed as a whole and worked oldest event first.
"""

from __future__ import annotations

import random
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import Connection, Insert, Select, bindparam, case, exists, func, or_, select, text, update

from app.db.database import Database, Record, insert_into
from app.db.tables import CLIENTS, inbox, lanes
from app.db.wakeups import telling

LEASE_SECONDS = 15
MAX_ATTEMPTS = 12  # about two hours, see back_off


class LeaseLost(Exception):
    """Another worker has the lane now; whatever we did since our last commit is undone."""


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
    """The oldest event of a lane that is ours until the lease ends. `attempts` counts this one too.

    `counted_from` is `claimed_at` on this process's monotonic clock: from there time is counted on.
    """

    claimed_at: datetime
    counted_from: float
    lease_token: str
    id: int
    event_type: str
    lane: str
    method: str
    target: str
    body: bytes
    received_at: datetime
    attempts: int


# Statements of the hot paths, built once: building one costs as much as running it.
_FREE = or_(lanes.c.lease_until.is_(None), lanes.c.lease_until <= bindparam("now"))
_DUE = select(lanes.c.lane).where(lanes.c.ready_at <= bindparam("now"), _FREE).order_by(lanes.c.ready_at).limit(1)
_NEXT_READY = select(func.min(lanes.c.ready_at)).where(lanes.c.ready_at > bindparam("now"))
_UNFINISHED = (inbox.c.lane == bindparam("a_lane"), inbox.c.finished_at.is_(None))
_STORED = [inbox.c[one.name] for one in fields(Claimed) if one.name in inbox.c]
_OLDEST_ID = select(inbox.c.id).where(*_UNFINISHED).order_by(inbox.c.id).limit(1)
_WAITING = (
    select(*_STORED)
    .where(*_UNFINISHED, inbox.c.id > bindparam("an_id"), inbox.c.event_type == bindparam("event_type"))
    .limit(bindparam("most"))
)
_FROM_CLIENTS = _WAITING.where(text(CLIENTS)).order_by(inbox.c.id.desc())  # in the words of its index, else unused
_FROM_ANYBODY = _WAITING.order_by(inbox.c.id)
_NEWEST_FIRST = _WAITING.with_only_columns(inbox.c.method, inbox.c.target, inbox.c.body).order_by(inbox.c.id.desc())
_LANE = update(lanes).where(lanes.c.lane == bindparam("a_lane"))
_LEASE = (
    update(lanes)
    .where(lanes.c.lane == _DUE.with_for_update(skip_locked=True).scalar_subquery())
    .values(lease_until=bindparam("until"), lease_token=bindparam("token"))
    .returning(lanes.c.lane)
)
_RENEW = _LANE.where(lanes.c.lease_token == bindparam("a_token")).values(lease_until=bindparam("lease_until"))
_RELEASE = _LANE.values(ready_at=bindparam("ready_at"), lease_until=None, lease_token=None)
_GIVE_BACK = _LANE.values(
    ready_at=case((exists(_OLDEST_ID), bindparam("now", type_=lanes.c.ready_at.type))),
    lease_until=None,
    lease_token=None,
)
_START = (
    update(inbox)
    .where(inbox.c.id == _OLDEST_ID.scalar_subquery())
    .values(state="processing", attempts=inbox.c.attempts + 1)
    .returning(*_STORED)
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
    wake(tx, {event.lane for event in events}, now)
    stored = set(tx.execute(_add(tx.dialect.name), [_row(event, now) for event in events]).scalars())
    return [_first_of(event.event_key, stored) for event in events]


def schedule(tx: Connection, event: NewEvent, due_at: datetime, now: datetime) -> bool:
    """Store an event of our own, due at a time if nothing else waits in its lane; return whether it was new."""
    wake(tx, {event.lane}, due_at)
    return bool(tx.execute(_add(tx.dialect.name), [_row(event, now)]).scalars().all())


def _row(event: NewEvent, now: datetime) -> dict[str, object]:
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


@cache
def _add(dialect: str) -> Insert:
    """Return the statement once built: building it anew costs more than running it."""
    return insert_into(dialect, inbox).on_conflict_do_nothing().returning(inbox.c.event_key)


@cache
def _wake(dialect: str) -> Insert:
    insert = insert_into(dialect, lanes)
    ready = {"ready_at": insert.excluded.ready_at}
    idle = lanes.c.ready_at.is_(None)
    upsert = insert.on_conflict_do_update(index_elements=["lane"], set_=ready, where=idle)
    # RETURNING makes SQLAlchemy send the rows as one statement.
    return telling(dialect, upsert.returning(lanes.c.lane))


def _first_of(event_key: str, stored: set[str]) -> bool:
    """Return whether this is the one that was stored: of two equal posts in one group only the first was new."""
    new = event_key in stored
    stored.discard(event_key)
    return new


def wake(tx: Connection, lane_names: set[str], at: datetime) -> None:
    """Make idle lanes ready at a time; a lane that is ready, or waits for a back-off to end, stays as it is."""
    if lane_names:
        # Sorted, so that two transactions never wait for each other.
        tx.execute(_wake(tx.dialect.name), [{"lane": lane, "ready_at": at} for lane in sorted(lane_names)]).all()


def pull_forward(tx: Connection, lane: str, now: datetime) -> None:
    """Make a lane ready now that waits for a later time; one that somebody works on stays as it is."""
    this = (
        lanes.c.lane == lane,
        lanes.c.ready_at > now,
        or_(lanes.c.lease_until.is_(None), lanes.c.lease_until <= now),
    )
    tx.execute(telling(tx.dialect.name, update(lanes).where(*this).values(ready_at=now)))


def claim(db: Database, *, lease_seconds: int = LEASE_SECONDS) -> Claimed | None:
    """Return the oldest event of the lane that has been due longest, now ours; None when nothing is due.

    Ours until the lease ends; then any worker may take it. Safe from many threads, processes and machines.
    Raises DatabaseUnavailable; the caller waits and tries again.
    """
    with db.read() as tx:
        if tx.scalar(_DUE, {"now": db.now(tx)}) is None:
            return None
    with db.write() as tx:
        return claim_next(tx, db.now(tx), lease_seconds=lease_seconds)


def claim_next(tx: Connection, now: datetime, *, lease_seconds: int = LEASE_SECONDS) -> Claimed | None:
    """Return the same as `claim`, ours once the transaction is committed; `now` is this very moment."""
    counted_from = time.monotonic()
    lease = {"now": now, "until": now + timedelta(seconds=lease_seconds), "token": secrets.token_hex(8)}
    while (lane := tx.scalar(_LEASE, lease)) is not None:
        event = tx.execute(_START, {"a_lane": lane}).first()
        if event is not None:
            return Claimed(now, counted_from, str(lease["token"]), *event)
        tx.execute(_RELEASE, {"a_lane": lane, "ready_at": None})
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
    return tx.scalar(select(func.min(lanes.c.ready_at)).where(lanes.c.ready_at <= now))


def hold(tx: Connection, claimed: Claimed, now: datetime, *, lease_seconds: int = LEASE_SECONDS) -> None:
    """Make sure that the lane is still ours and renew its lease. Raises LeaseLost.

    The row stays locked until the transaction ends, so what is committed with it is committed by its owner.
    """
    until = now + timedelta(seconds=lease_seconds)
    if tx.execute(_RENEW, {**_owned(claimed), "lease_until": until}).rowcount == 0:
        raise LeaseLost(f"lane {claimed.lane} was taken over")


def renew(db: Database, claims: Sequence[Claimed], *, lease_seconds: int = LEASE_SECONDS) -> None:
    """Lengthen the leases of events still being worked on; those lost meanwhile are left alone."""
    if not claims:
        return
    with db.write() as tx:
        until = db.now(tx) + timedelta(seconds=lease_seconds)
        ours = sorted(claims, key=lambda claimed: claimed.lane)
        tx.execute(_RENEW, [{**_owned(claimed), "lease_until": until} for claimed in ours])


def _owned(claimed: Claimed) -> dict[str, str]:
    return {"a_lane": claimed.lane, "a_token": claimed.lease_token}


def finish(tx: Connection, claimed: Claimed, state: str, outcome: str, now: datetime) -> None:
    """End an event as processed, ignored or dead, with the reason, and give its lane free. Raises LeaseLost."""
    hold(tx, claimed, now)
    tx.execute(_FINISH, {"an_id": claimed.id, "state": state, "outcome": outcome, "finished_at": now})
    tx.execute(_GIVE_BACK, {"a_lane": claimed.lane, "now": now})  # sees what came until the lane was held


def postpone(tx: Connection, claimed: Claimed, outcome: str, due_at: datetime, now: datetime, *, spent: bool) -> None:
    """Return an event to pending until `due_at`; `spent` says whether the attempt counts. Raises LeaseLost."""
    hold(tx, claimed, now)
    attempts = claimed.attempts if spent else claimed.attempts - 1
    values = {"state": "pending", "outcome": outcome, "attempts": attempts}
    tx.execute(update(inbox).where(inbox.c.id == claimed.id).values(**values))
    tx.execute(telling(tx.dialect.name, _RELEASE), {"a_lane": claimed.lane, "ready_at": due_at})


def back_off(attempts: int, *, least_seconds: float = 0.0) -> timedelta:
    """Return how long to wait after attempt number `attempts`: up to 8 s, 16 s, ... 2.3 h, at random (full jitter).

    The waits of eleven retries add up to two and a quarter hours on average.
    """
    return timedelta(seconds=max(least_seconds, random.uniform(0, 8 * 2 ** (attempts - 1))))  # noqa: S311


def waiting_from_clients(tx: Connection, claimed: Claimed, event_type: str, *, limit: int = 200) -> list[Claimed]:
    """Return newer unfinished events of the lane that did not come from a carrier, newest first.

    People who write through a chat client or the API are among them; this is how a reply finds out that
    a human has answered in the meantime.
    """
    return _waiting(tx, _FROM_CLIENTS, claimed, event_type, limit)


def waiting(tx: Connection, claimed: Claimed, event_type: str, *, limit: int = 200) -> list[Claimed]:
    """Return newer unfinished events of the lane, oldest first: what a burst consists of."""
    return _waiting(tx, _FROM_ANYBODY, claimed, event_type, limit)


def newest_waiting(tx: Connection, claimed: Claimed, event_type: str, *, limit: int) -> Sequence[Record]:
    """Return method, target and body of the newest unfinished events of the lane behind this one, newest first."""
    return tx.execute(_NEWEST_FIRST, _behind(claimed, event_type, limit)).all()


def _waiting(tx: Connection, query: Select[Any], claimed: Claimed, event_type: str, limit: int) -> list[Claimed]:
    found = tx.execute(query, _behind(claimed, event_type, limit))
    return [Claimed(claimed.claimed_at, claimed.counted_from, "", *row) for row in found]


def _behind(claimed: Claimed, event_type: str, limit: int) -> dict[str, object]:
    return {"a_lane": claimed.lane, "an_id": claimed.id, "event_type": event_type, "most": limit}
