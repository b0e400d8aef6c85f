"""The page of the audit log: who did what, and how it ended."""

from __future__ import annotations

from flask import render_template
from flask.typing import ResponseReturnValue

from app.dashboard.request_context import number_asked, reading, text_asked
from app.store import audit

_ROWS = 50


def audit_log() -> ResponseReturnValue:
    """Show the newest actions."""
    before, sid = number_asked("before"), text_asked("conversation")
    with reading() as (tx, _now):
        found = audit.newest(tx, conversation_sid=sid, before_id=before, limit=_ROWS + 1)
    return render_template("audit.html", actions=found[:_ROWS], more=len(found) > _ROWS, sid=sid)
