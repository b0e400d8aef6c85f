"""Retrying a dead event from the page: first the preview, then the retry."""

from __future__ import annotations

from flask import current_app, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user  # type: ignore[import-untyped]

from app.dashboard import event_preview
from app.dashboard.events import conversation_of, event_row
from app.dashboard.request_context import policy, reading, rules_in_force, settings, writing
from app.inbox import admin
from app.rules.schema import Rules
from app.store import audit


def retry_event(event_id: int) -> ResponseReturnValue:
    """Show what an event would do, what was decided about it and what has been sent already."""
    rules, fault = _rules()
    with reading() as (tx, now):
        row = event_row(tx, now, event_id)
        if row.state != "dead":
            return _not_dead(event_id, row.state)
        responder = settings().bot_responder
        preview = event_preview.preview_event(tx, row, now, rules, policy(), responder=responder) if rules else None
    return render_template("event_retry.html", event=row, preview=preview, fault=fault)


def retry_event_now(event_id: int) -> ResponseReturnValue:
    """Put a dead event back to work."""
    with writing() as (tx, now):
        row = event_row(tx, now, event_id)
        if not admin.retry(tx, now, [event_id]):
            return _not_dead(event_id, row.state)
        sid, detail = conversation_of(row), {"reason": row.outcome}
        audit.record(
            tx, current_user.name, "retried an event", now, conversation_sid=sid, subject=str(event_id), detail=detail
        )
    current_app.extensions["parley"].stored()
    flash(f"Event {event_id} is queued again.")
    return redirect(url_for("page.event", event_id=event_id), 303)


def _rules() -> tuple[Rules | None, str]:
    try:
        return rules_in_force(), ""
    except (ValueError, OSError) as error:
        return None, str(error)


def _not_dead(event_id: int, state: str) -> ResponseReturnValue:
    flash(f"Event {event_id} is {state}; only dead events are retried.", "warning")
    return redirect(url_for("page.event", event_id=event_id), 303)
