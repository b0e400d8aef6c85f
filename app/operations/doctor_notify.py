"""What the doctor sees of notifications: who cannot be reached, and what may not have arrived."""

from __future__ import annotations

from app.db import schema
from app.db.database import DatabaseUnavailable
from app.operations.doctor_report import OK, WARNING, DoctorContext, Finding
from app.store import notifications
from app.store.notifications import TargetState

CHECK = "notifications"


def targets(context: DoctorContext) -> list[Finding]:
    """Return how it is with each target of BOT_NOTIFY; nothing where nobody is told, or the database cannot tell."""
    try:
        with context.db.read() as tx:
            known = schema.is_migrated(tx)
            found = notifications.standings(tx, context.settings.notify) if known else []
    except DatabaseUnavailable:
        return []
    return [_finding(one) for one in found]


def _finding(one: TargetState) -> Finding:
    if one.failing_since:
        found = (
            f"{one.target} is not reached since {one.failing_since:%Y-%m-%d %H:%M} UTC: {one.reason}; {_counts(one)}"
        )
        return Finding(CHECK, WARNING, found, f"`flask notify test {one.target}` tries it now")
    if one.failed or one.uncertain:
        step = "`flask notify list` shows them; they are not sent again"
        return Finding(CHECK, WARNING, f"{one.target}: {_counts(one)}", step)
    return Finding(CHECK, OK, f"{one.target}: {f'{one.waiting} to be sent' if one.waiting else 'nothing waits'}")


def _counts(one: TargetState) -> str:
    return f"{one.waiting} waiting, {one.failed} failed, {one.uncertain} uncertain"
