"""Doctor's checks of the queue: closed gates, clocks that were set back."""

from __future__ import annotations

from datetime import timedelta

from app.db import schema
from app.db.database import DatabaseUnavailable
from app.operations.doctor_report import OK, WARNING, DoctorContext, Finding
from app.store import clock_steps, rate_limits
from app.store.rate_limits import ClosedGate

TOLD_FOR = timedelta(days=1)
_SHOWN = 5


def gates(context: DoctorContext) -> list[Finding]:
    """Return which gates in front of Twilio are closed, until when and why; nothing where the database cannot tell."""
    try:
        with context.db.read() as tx:
            closed = rate_limits.closed_gates(tx, context.db.now(tx)) if schema.is_migrated(tx) else None
    except DatabaseUnavailable:
        return []
    if closed is None:
        return []
    shown = [Finding("gates", WARNING, _in_words(one), _step(one)) for one in closed[:_SHOWN]]
    if len(closed) > _SHOWN:
        shown.append(Finding("gates", WARNING, f"{len(closed) - _SHOWN} more", "`flask inbox gates` lists them"))
    return shown or [Finding("gates", OK, "all requests to Twilio may leave")]


def _in_words(one: ClosedGate) -> str:
    since = f", failing since {one.failing_since:%Y-%m-%d %H:%M:%S} UTC" if one.failing_since else ""
    return f"{one.scope} until {one.opens_at:%Y-%m-%d %H:%M:%S} UTC{since}: {one.reason}"


def _step(one: ClosedGate) -> str:
    what = "see status.twilio.com; " if one.failing_since else ""
    return f"{what}it opens by itself; `flask inbox gates --lift {one.scope}` opens it now"


def clock_set_back(context: DoctorContext) -> list[Finding]:
    """Return what a clock that was set back has lengthened within a day, and was mended."""
    try:
        with context.db.read() as tx:
            now = context.db.now(tx)
            found = clock_steps.last(tx) if schema.is_migrated(tx) else None
    except DatabaseUnavailable:
        return []
    if found is None or now - found[0] > TOLD_FOR:
        return []
    at, mended = found
    by = f" by {timedelta(seconds=mended.seconds)}" if mended.seconds else ""
    counts = f"{mended.leases} leases, {mended.waits} waits and {mended.gates} gates were mended"
    step = "let NTP keep the clocks of the machines and of PostgreSQL; nothing was lost"
    return [Finding("clock steps", WARNING, f"set back{by}, seen at {at:%Y-%m-%d %H:%M} UTC; {counts}", step)]
