"""Reserves lanes for somebody else than a worker (erasure), once what is being processed there has ended.

A reserved lane is handed over in the commit that ends or postpones its event, so that no other claim comes between.
One whose worker was killed or frozen is had when its lease ends; one that is renewed for too long is taken away.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, Update, and_, bindparam, case, or_, select, update

from app.db.database import Database, Instant, insert_into
from app.db.tables import lanes
from app.db.wakeups import telling
from app.inbox import leases
from app.inbox.leases import LEASE, LEASE_SECONDS, Lease

PATIENCE_SECONDS = 20.0  # longer than a lease: whoever still has the lane then renews it and does not come to an end
LOOK_SECONDS = 0.1
RENEW_SECONDS = 3.0

Wait = Callable[[float], object]
Report = Callable[[int, float], None]

_THESE = lanes.c.lane.in_(bindparam("some_lanes", expanding=True))
_OURS = lanes.c.lease_token == bindparam("a_token")
_NOT_OURS = or_(lanes.c.lease_token.is_(None), lanes.c.lease_token != bindparam("a_token"))
_TAKE_AWAY = update(lanes).where(lanes.c.lane == bindparam("a_lane")).values({**leases.TAKE, "next_token": None})
_TAKE_FREE = _TAKE_AWAY.where(leases.FREE)
_RESERVE = update(lanes).where(_THESE, _NOT_OURS).values(next_token=bindparam("a_token"))
_NO_LONGER = update(lanes).where(_THESE, lanes.c.next_token == bindparam("a_token")).values(next_token=None)
_STATE = select(lanes.c.lane, lanes.c.lease_token, leases.FREE.label("is_free"))


@dataclass
class Reservation:
    """Lanes in which no worker claims anything; `unfinished` are those whose worker did not come to an end.

    `waited` says for how many seconds they were waited for, `reserved(waited=...)` included.
    """

    held: dict[str, Lease] = field(default_factory=dict)
    unfinished: set[str] = field(default_factory=set)
    waited: float = 0.0
    _renewed_at: float = 0.0

    def renew(self, db: Database) -> None:
        """Keep the lanes; call it every few seconds. Raises DatabaseUnavailable."""
        if db.boot_seconds() >= self._renewed_at + RENEW_SECONDS:
            leases.renew(db, list(self.held.values()))
            self._renewed_at = db.boot_seconds()


@contextmanager
def reserved(
    db: Database,
    wanted: Collection[str],
    wait: Wait,
    report: Report = lambda _lanes, _seconds: None,
    *,
    waited: float = 0.0,
) -> Iterator[Reservation]:
    """Have these lanes, and give them back at the end; `report` is called with how many we wait for, and since when.

    `waited` says how many of the PATIENCE_SECONDS an earlier reservation has used up already.
    Raises DatabaseUnavailable; then, too, they are given back, at the latest when the lease ends.
    """
    reservation, token, taken_at = Reservation(waited=waited), _token(db), {}
    try:
        _ask_for(db, wanted, token)
        begun = db.boot_seconds() - waited
        while missing := _take_what_is_free(db, wanted, token, reservation):
            reservation.waited = db.boot_seconds() - begun
            report(len(missing), reservation.waited)
            if reservation.waited >= PATIENCE_SECONDS:
                taken_at = _take_away(db, missing, token, reservation)
                break
            reservation.renew(db)
            wait(LOOK_SECONDS)
        yield reservation
    finally:
        _give_back(db, wanted, token, taken_at)


def _token(db: Database) -> str:
    with db.read() as tx:
        return leases.new_token(db.instant(tx))


def _ask_for(db: Database, wanted: Collection[str], token: str) -> None:
    """Let whoever works in these lanes hand them over; a lane that is not known yet becomes so."""
    with db.write() as tx:
        unknown = insert_into(tx.dialect.name, lanes).on_conflict_do_nothing()
        if wanted:
            tx.execute(unknown, [{"lane": lane} for lane in sorted(wanted)])
        tx.execute(_RESERVE, {"some_lanes": list(wanted), "a_token": token})


def _take_what_is_free(db: Database, wanted: Collection[str], token: str, reservation: Reservation) -> set[str]:
    """Record what was handed over, take what nobody holds, and return which lanes are missing still."""
    with db.read() as tx:
        free = _look(tx, wanted, token, db.instant(tx), reservation)
    if free:
        with db.write() as tx:
            instant = db.instant(tx)
            free = _look(tx, wanted, token, instant, reservation)
            for lane, has_ended in sorted(free.items()):
                if _take(tx, _TAKE_FREE, lane, token, instant, reservation) and has_ended:
                    reservation.unfinished.add(lane)
    return set(wanted) - set(reservation.held)


def _look(
    tx: Connection, wanted: Collection[str], token: str, instant: Instant, reservation: Reservation
) -> dict[str, bool]:
    """Record the lanes that are ours now; return those that are free, and whether that is because a lease has ended."""
    asked = {"some_lanes": list(wanted), **leases.free_at(instant)}
    free = {}
    for lane, holder, is_free in tx.execute(_STATE.where(_THESE), asked):
        if holder == token:
            reservation.held.setdefault(lane, Lease(lane, token, instant.boot))
        elif is_free:
            free[lane] = holder is not None
    return free


def _take(tx: Connection, statement: Update, lane: str, token: str, instant: Instant, reservation: Reservation) -> bool:
    asked = {"a_lane": lane, **leases.taken(token, instant, LEASE_SECONDS), **leases.free_at(instant)}
    taken = tx.execute(statement, asked).rowcount > 0
    if taken:
        reservation.held[lane] = Lease(lane, token, instant.boot + LEASE_SECONDS)
    return taken


def _take_away(db: Database, missing: Collection[str], token: str, reservation: Reservation) -> dict[str, datetime]:
    """Take lanes from whoever renews them; return when: it may be at it until the lease it knows of has ended."""
    with db.write() as tx:
        instant = db.instant(tx)
        for lane in sorted(missing):
            _take(tx, _TAKE_AWAY, lane, token, instant, reservation)
    reservation.unfinished |= set(missing)
    return dict.fromkeys(missing, instant.at)


def _give_back(db: Database, wanted: Collection[str], token: str, taken_at: dict[str, datetime]) -> None:
    """Let workers claim again; not before whoever was at work when we took the lane away has surely ended."""
    with db.write() as tx:
        ours = and_(_THESE, _OURS)
        bound = {"some_lanes": list(wanted), "a_token": token}
        for lane, at in sorted(taken_at.items()):
            later = case((lanes.c.ready_at < at + LEASE, at + LEASE), else_=lanes.c.ready_at)
            tx.execute(update(lanes).where(_OURS, lanes.c.lane == lane).values(ready_at=later, ready_set_at=at), bound)
        freed = update(lanes).where(ours).values(lease_until=None, lease_token=None)
        tx.execute(telling(tx.dialect.name, freed), bound)
        tx.execute(
            update(lanes).where(_THESE, lanes.c.next_token == bindparam("a_token")).values(next_token=None), bound
        )
