"""Leases on lanes: who may work on one and until when, and the fence that checks it before a request leaves.

On PostgreSQL leases are measured with the database's clock. On SQLite with the boot clock of the one machine, which
nobody sets: a token that begins with BOOT says so, and a lease of another start of the machine has ended.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, bindparam, case, func, or_, update

from app.db.database import Database, Instant
from app.db.tables import lanes

LEASE_SECONDS = 15
LEASE = timedelta(seconds=LEASE_SECONDS)
BOOT = "boot:"


class LeaseLost(Exception):
    """Another worker has the lane now, or may have it; whatever we did since our last commit is undone."""


@dataclass(slots=True)
class Lease:
    """Our right to a lane. Before `held_until`, by our boot clock, nobody else can have it; renewing moves that on."""

    lane: str
    token: str
    held_until: float

    def fence(self, boot_seconds: float) -> None:
        """Raise LeaseLost unless the lane is still ours for sure, at this time by the boot clock."""
        if boot_seconds >= self.held_until:
            raise LeaseLost(f"lane {self.lane} may have been taken over")


_BY_BOOT_CLOCK = func.coalesce(lanes.c.lease_token, "").startswith(BOOT)
_OF_ANOTHER_START = lanes.c.lease_boot_id != bindparam("boot_id")
FREE: ColumnElement[bool] = or_(
    lanes.c.lease_until.is_(None),
    and_(~_BY_BOOT_CLOCK, lanes.c.lease_until <= bindparam("now")),
    and_(_BY_BOOT_CLOCK, or_(_OF_ANOTHER_START, lanes.c.lease_boot_until <= bindparam("boot_now"))),
)
_COLUMNS = ("lease_until", "lease_token", "lease_boot_id", "lease_boot_until")
TAKE: dict[str, ColumnElement[Any]] = {name: bindparam(f"new_{name}") for name in _COLUMNS}
# Ends a lease that was renewed in the same transaction; where the lane is reserved, the rest of it is the next one's.
HAND_OVER: dict[str, Any] = {
    "lease_until": case((lanes.c.next_token.is_not(None), lanes.c.lease_until)),
    "lease_token": lanes.c.next_token,
    "next_token": None,
}
_RENEW = (
    update(lanes)
    .where(lanes.c.lane == bindparam("a_lane"), lanes.c.lease_token == bindparam("a_token"))
    .values({name: TAKE[name] for name in ("lease_until", "lease_boot_until")})
)


def free_at(instant: Instant) -> dict[str, object]:
    """Return the parameters of FREE: which lanes nobody holds at a moment."""
    return {"now": instant.at, "boot_now": instant.boot, "boot_id": instant.boot_id}


def new_token(instant: Instant) -> str:
    """Return a token that nobody has, and which says by what clock its lease is measured."""
    return ("" if instant.boot_id is None else BOOT) + secrets.token_hex(8)


def taken(token: str, instant: Instant, lease_seconds: float) -> dict[str, object]:
    """Return the parameters of TAKE: a lease that begins now."""
    return {"new_lease_token": token, "new_lease_boot_id": instant.boot_id, **_lengthened(instant, lease_seconds)}


def _lengthened(instant: Instant, lease_seconds: float) -> dict[str, object]:
    boot_until = None if instant.boot_id is None else instant.boot + lease_seconds
    return {"new_lease_until": instant.at + timedelta(seconds=lease_seconds), "new_lease_boot_until": boot_until}


def hold(tx: Connection, lease: Lease, instant: Instant, lease_seconds: float = LEASE_SECONDS) -> None:
    """Make sure that the lane is still ours and renew its lease. Raises LeaseLost.

    The row stays locked until the transaction ends, so what is committed with it is committed by its owner. Once that
    is on disk, and not before, the caller moves `held_until` on.
    """
    if not _renew_one(tx, lease, instant, lease_seconds):
        raise LeaseLost(f"lane {lease.lane} was taken over")


def renew(db: Database, leases: Sequence[Lease], lease_seconds: float = LEASE_SECONDS) -> None:
    """Lengthen the leases of events still being worked on; those lost meanwhile are left alone."""
    if not leases:
        return
    with db.write() as tx:
        instant = db.instant(tx)
        ours = [one for one in sorted(leases, key=lambda one: one.lane) if _renew_one(tx, one, instant, lease_seconds)]
    for lease in ours:
        lease.held_until = max(lease.held_until, instant.boot + lease_seconds)


def _renew_one(tx: Connection, lease: Lease, instant: Instant, lease_seconds: float) -> bool:
    this = {"a_lane": lease.lane, "a_token": lease.token}
    return tx.execute(_RENEW, {**this, **_lengthened(instant, lease_seconds)}).rowcount > 0
