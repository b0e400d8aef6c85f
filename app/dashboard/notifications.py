"""The page of notifications: targets that are not reached, and what waits, failed or may not have arrived."""

from __future__ import annotations

from flask import render_template
from flask.typing import ResponseReturnValue

from app.dashboard.request_context import reading, settings
from app.store import notifications as stored

_UNSENT = (stored.UNROUTED, stored.WAITING, stored.SENDING, stored.FAILED, stored.UNCERTAIN)
_ROWS = 100


def notifications() -> ResponseReturnValue:
    """Show how it is with each target, and the newest notifications that did not arrive."""
    with reading() as (tx, _now):
        targets = stored.standings(tx, settings().notify)
        unsent = stored.listed(tx, _UNSENT, limit=_ROWS)
    return render_template("notifications.html", targets=targets, unsent=unsent, most=_ROWS)
