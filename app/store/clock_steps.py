"""The last repair after a clock was set back, for people to see."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from app.db.database import upsert
from app.db.maintenance_tables import chores

TASK = "clock"


@dataclass(frozen=True, slots=True)
class Mended:
    """How many leases, waits and gates were shortened, and by how many seconds the clock was set back (0: unknown)."""

    leases: int
    waits: int
    gates: int
    seconds: int


def record(tx: Connection, mended: Mended, now: datetime) -> None:
    """Keep this in place of what was mended before."""
    upsert(tx, chores, {"name": TASK, "done_at": now, "progress": asdict(mended)})


def last(tx: Connection) -> tuple[datetime, Mended] | None:
    """Return what was mended last, and when; None where nothing ever was."""
    row = tx.execute(select(chores.c.done_at, chores.c.progress).where(chores.c.name == TASK)).first()
    return (row.done_at, Mended(**{"gates": 0} | row.progress)) if row and row.done_at else None
