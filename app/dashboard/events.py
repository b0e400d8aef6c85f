"""The pages of incoming events: the list, one event in full, and rejected requests."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from flask import abort, render_template, request
from flask.typing import ResponseReturnValue
from flask_login import current_user  # type: ignore[import-untyped]
from sqlalchemy import Connection

from app.dashboard.fragments import unless_known
from app.dashboard.request_context import LARGEST_ID, number_asked, reading, settings, text_asked, writing
from app.db.database import Record
from app.inbox import admin, internal_events
from app.inbox.describe import shown
from app.inbox.internal_events import FollowUpDue, TimerEnded
from app.inbox.queue import MAX_ATTEMPTS
from app.receiver import rejections
from app.store import audit, rate_limits
from app.store.decision_trace import trace_of
from app.twilio_api import parsing
from app.twilio_api.events import EVENT_CLASSES, MessageAdded
from app.twilio_api.form import is_sid, read_form

_ROWS = 50
LOOKED_THROUGH = 20_000  # events, for a type or a conversation: there is no index for them
_TYPES = (
    *(name for name in EVENT_CLASSES if not parsing.is_pre_action(name)),
    TimerEnded.event_type,
    FollowUpDue.event_type,
)
NEXT_STEPS = {
    "pending": "It is due: a worker takes it at once, where one is running.",
    "scheduled": "It waits for its time; a worker takes it then.",
    "processing": "A worker is busy with it; should it die, another one takes it up within 15 seconds.",
    "ignored": "Nothing needs to be done about it.",
    "dead": "It is not tried any more. Remove the cause, see what a retry would do, and retry it.",
}


@dataclass(frozen=True)
class EventsRequest:
    """What the list shall show."""

    state: str = ""
    type: str = ""
    conversation: str = ""


def events() -> ResponseReturnValue:
    """Show the newest events, or those before one of them."""
    with reading() as (tx, now):
        return render_template("events.html", **_list(tx, now), types=_TYPES, states=admin.STATES)


def events_fragment() -> ResponseReturnValue:
    """Give the list alone, or 304."""
    with reading() as (tx, now):
        return unless_known(render_template("event_list.html", **_list(tx, now)))


def event(event_id: int) -> ResponseReturnValue:
    """Show one event; of its parameters only what tells nothing of anybody."""
    with reading() as (tx, now):
        row = event_row(tx, now, event_id)
        return render_template("event.html", **_facts(tx, row), raw=None)


def event_fragment(event_id: int) -> ResponseReturnValue:
    """Give the state of one event and what came of it, or 304."""
    with reading() as (tx, now):
        return unless_known(render_template("event_facts.html", **_facts(tx, event_row(tx, now, event_id))))


def event_raw(event_id: int) -> ResponseReturnValue:
    """Show one event as it came, with text, names and numbers; who looked is in the audit log."""
    with writing() as (tx, now):
        row = event_row(tx, now, event_id)
        sid = conversation_of(row)
        audit.record(tx, current_user.name, "looked at a raw event", now, conversation_sid=sid, subject=str(row.id))
    raw = {"target": row.target, "headers": row.headers, "body": row.body.decode("utf-8", "replace")}
    with reading() as (tx, now):
        return render_template("event.html", **_facts(tx, row, raw=True), raw=raw)


def refusals() -> ResponseReturnValue:
    """Show the last refused requests, each with what explains it and what to do."""
    kept = rejections.read(settings().instance_folder / rejections.FILE)
    return render_template("refusals.html", refusals=[asdict(one) for one in kept])


def event_row(tx: Connection, now: datetime, event_id: int) -> Record:
    """Return an event; a page that says there is none, when there is none."""
    row = admin.get_event(tx, now, event_id) if event_id <= LARGEST_ID else None
    if row is None:
        abort(404, "There is no such event; finished ones are deleted after BOT_RETENTION_DAYS.")
    return row


def conversation_of(row: Record) -> str:
    """Return the ConversationSid of an event, or "" where it has none."""
    values = dict(read_form(row.method, row.target, row.body))
    sid = values.get("ConversationSid", "")
    return sid if is_sid(sid, "CH") else ""


def _list(tx: Connection, now: datetime) -> dict[str, Any]:
    asked, before = _asked(), number_asked("before")
    bound = None
    if asked.type or asked.conversation:
        bound = (before or admin.last_id(tx) + 1) - LOOKED_THROUGH
    wanted = admin.EventFilter(
        state=asked.state or None,
        event_type=asked.type or None,
        before_id=before,
        from_id=bound,
        conversation_sid=asked.conversation or None,
    )
    found = admin.list_events(tx, now, wanted, limit=_ROWS + 1)
    older = found[_ROWS - 1].id if len(found) > _ROWS else bound if bound and bound > 1 else None
    return {
        "rows": found[:_ROWS],
        "asked": asked,
        "before": before,
        "older": older,
        "counts": admin.attention(tx, now),
        "gates": rate_limits.closed_gates(tx, now),
        "looked_through": LOOKED_THROUGH,
    }


def _asked() -> EventsRequest:
    state = request.args.get("state", "")
    return EventsRequest(state if state in admin.STATES else "", text_asked("type"), text_asked("conversation"))


def _facts(tx: Connection, row: Record, *, raw: bool = False) -> dict[str, Any]:
    read = internal_events.read(row.method, row.target, row.body)
    about = read.message_sid if isinstance(read, MessageAdded | FollowUpDue) else ""
    return {
        "event": row,
        "conversation_sid": conversation_of(row),
        "parameters": shown(read_form(row.method, row.target, row.body), raw=raw),
        "decisions": trace_of(tx, about) if about else [],
        "next_step": NEXT_STEPS.get(row.state, ""),
        "max_attempts": MAX_ATTEMPTS,
    }
