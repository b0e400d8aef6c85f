"""Repairs leases, waits and gates after a clock was set back: they would end long after they should.

A wait was written with the time of writing beside it: where that lies in the future, the clock was set back.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, and_, delete, func, or_, select, update

from app.db.database import Database, Instant, Record
from app.db.tables import gate, inbox, lanes
from app.inbox.internal_events import TIMER_LANES
from app.inbox.leases import BOOT, LEASE, LEASE_SECONDS
from app.inbox.queue import LONGEST_BACK_OFF
from app.store import clock_steps
from app.store.clock_steps import Mended

EVERY_SECONDS = 60.0
TOLERANCE = timedelta(seconds=2)
DUE_NOW = "the clock was set back; due at once"
DUE_LATER = "the clock was set back; waits for as long as it should have from the start"
_AT_ONCE = 500

log = logging.getLogger("parley.clock")


class Watch:
    """Says when to look: at the start, when the clock was set, and once a minute for what other machines wrote."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._ahead: float | None = None
        self._look_at = 0.0

    def look(self) -> None:
        """Mend what needs it, if it is time to look. Raises DatabaseUnavailable."""
        with self._db.read() as tx:
            instant = self._db.instant(tx)
        ahead = instant.at.timestamp() - instant.boot
        was_set = self._ahead is None or abs(ahead - self._ahead) > TOLERANCE.total_seconds()
        if was_set or instant.boot >= self._look_at:
            mend(self._db)
            self._ahead, self._look_at = ahead, instant.boot + EVERY_SECONDS


def mend(db: Database) -> int:
    """Shorten leases and waits that a clock set back has lengthened; return how many. Raises DatabaseUnavailable."""
    with db.read() as tx:
        now = db.now(tx)
        if not _leases(tx, db.instant(tx)) and not _waits(tx, now) and not _gates(tx, now):
            return 0
    with db.write() as tx:
        instant = db.instant(tx)
        shortened, waits = _leases(tx, instant), _waits(tx, instant.at)
        for lane in shortened:
            _shorten(tx, lane, instant)
        for row in waits:
            _make_ready(tx, row, instant.at)
        gates = _gates(tx, instant.at)
        tx.execute(delete(gate).where(_set_ahead(instant.at)))
        mended = Mended(len(shortened), len(waits), gates, _set_back_by(waits, instant.at))
        clock_steps.record(tx, mended, instant.at)
    log.warning("clock.set_back", extra=asdict(mended))
    return len(shortened) + len(waits) + gates


def _leases(tx: Connection, instant: Instant) -> list[str]:
    """Return lanes with a lease that ends later than one that begins now."""
    by_clock = and_(lanes.c.lease_until > instant.at + LEASE + TOLERANCE)
    here = and_(lanes.c.lease_token.startswith(BOOT), lanes.c.lease_boot_id == instant.boot_id)
    by_boot_clock = and_(here, lanes.c.lease_boot_until > instant.boot + LEASE_SECONDS)
    return list(tx.scalars(select(lanes.c.lane).where(or_(by_clock, by_boot_clock)).order_by(lanes.c.lane)))


def _shorten(tx: Connection, lane: str, instant: Instant) -> None:
    """Let a lease end when one that begins now would; never at once, for its owner may be at work."""
    this = update(lanes).where(lanes.c.lane == lane)
    ends, boot_ends = instant.at + LEASE, instant.boot + LEASE_SECONDS
    tx.execute(this.where(lanes.c.lease_until > ends).values(lease_until=ends))
    tx.execute(this.where(lanes.c.lease_boot_until > boot_ends).values(lease_boot_until=boot_ends))


def _waits(tx: Connection, now: datetime) -> list[Record]:
    """Return lanes that wait for longer than anything of their kind does."""
    timer = lanes.c.lane.startswith(TIMER_LANES)
    set_later = lanes.c.ready_set_at > now + TOLERANCE
    too_long = and_(~timer, lanes.c.ready_at > now + LONGEST_BACK_OFF + TOLERANCE)
    waiting = select(lanes.c.lane, lanes.c.ready_at, lanes.c.ready_set_at, timer.label("is_timer"))
    query = waiting.where(lanes.c.ready_at > now, or_(set_later, too_long)).order_by(lanes.c.lane).limit(_AT_ONCE)
    return list(tx.execute(query))


def _gates(tx: Connection, now: datetime) -> int:
    """Return how many gates would stay closed for as long as the clock was ahead."""
    return tx.scalar(select(func.count()).select_from(gate).where(_set_ahead(now))) or 0


def _set_ahead(now: datetime) -> ColumnElement[bool]:
    """Return which gates to open: if Twilio still wants no request, it says so again."""
    return gate.c.set_at > now + TOLERANCE


def _make_ready(tx: Connection, row: Record, now: datetime) -> None:
    """Make a lane ready now; a timer runs for as long as it should have run from its start."""
    wait = row.ready_at - row.ready_set_at if row.is_timer else timedelta(0)
    tx.execute(update(lanes).where(lanes.c.lane == row.lane).values(ready_at=now + wait, ready_set_at=now))
    waiting = (inbox.c.lane == row.lane, inbox.c.state == "pending", inbox.c.finished_at.is_(None))
    tx.execute(update(inbox).where(*waiting).values(outcome=DUE_LATER if row.is_timer else DUE_NOW))


def _set_back_by(waits: Iterable[Record], now: datetime) -> int:
    known = [row.ready_set_at for row in waits if row.ready_set_at and row.ready_set_at > now]
    return round((max(known) - now).total_seconds()) if known else 0
