"""Acting on a conversation: pause and resume the bot, close, send a reply again. Each is in the audit log."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from flask import abort, current_app, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user  # type: ignore[import-untyped]

from app.config import FOREVER
from app.dashboard import resends
from app.dashboard.agent_reply_form import known_conversation, where
from app.dashboard.request_context import account_of, number_asked, reading, writing
from app.operations import pauses
from app.operations.conversations import close
from app.operations.pauses import BotPause
from app.operations.validation import Refused
from app.store import audit
from app.store.messages import DecisionKey
from app.twilio_api.errors import SendError, sentence

LONGEST_SILENCE = 2**31 - 1  # seconds, as the tables take them
LENGTHS: dict[str, timedelta | None] = {"30m": timedelta(minutes=30), "2h": timedelta(hours=2), "open": None}


def pause(sid: str) -> ResponseReturnValue:
    """Silence the bot for a time."""
    length = request.form.get("length", "")
    if length not in LENGTHS:
        abort(400, "say for how long: 30m, 2h or open")
    known_conversation(sid)
    with writing() as (tx, now):
        held = pauses.pause(tx, sid, LENGTHS[length], now=now)
        audit.record(tx, current_user.name, "paused the bot", now, conversation_sid=sid, detail={"length": length})
    flash(f"The bot is silent here {_until(held)}.")
    return _back_to(sid)


def resume(sid: str) -> ResponseReturnValue:
    """Let the bot speak again."""
    known_conversation(sid)
    with writing() as (tx, now):
        before = pauses.resume(tx, sid, now=now)
        was_paused = before.paused_until is not None
        detail = {"was_paused": was_paused}
        audit.record(tx, current_user.name, "resumed the bot", now, conversation_sid=sid, detail=detail)
    flash("The bot answers here again." if was_paused else "The bot was not paused here.")
    return _back_to(sid)


def close_conversation(sid: str) -> ResponseReturnValue:
    """Ask, then close a conversation for good."""
    row = known_conversation(sid)
    if request.method != "POST":
        lines = ["Closing is final: nobody can write here any more. What the customer writes next begins a new one."]
        return _confirm("Close this conversation?", lines, "Close conversation", sid)
    with writing() as (tx, now):
        number = audit.record(tx, current_user.name, "closed", now, conversation_sid=sid, detail={"state": "begun"})
    try:
        close(account_of(row), sid)
    except (Refused, SendError) as error:
        why = sentence(error) if isinstance(error, SendError) else str(error)
        with writing() as (tx, _now):
            audit.complete(tx, number, {"state": "failed", "reason": why})
        flash(f"Not closed: {why}.", "error")
        return _back_to(sid)
    with writing() as (tx, _now):
        audit.complete(tx, number, {"state": "done"})
    flash("Closed.")
    return _back_to(sid)


def resend(sid: str, reply_to: str) -> ResponseReturnValue:
    """Ask, then send what failed or was suppressed of a reply, by the same road as the first time."""
    key = DecisionKey(reply_to, min(number_asked("after") or 0, LONGEST_SILENCE))
    known_conversation(sid)
    try:
        with reading() as (tx, now):
            wanted = resends.look(tx, key, now)
        if wanted.conversation_sid != sid:
            abort(404)
        if request.method != "POST":
            lines = [
                "It is looked for at Twilio first, and sent only if it is not there: nobody gets it twice.",
                "What forbids a reply (an opt-out, a closed conversation) still does.",
            ]
            texts = [f"{part.state}: {part.reason}" for part in wanted.parts]
            quotes = [part.body or part.media or part.content_sid for part in wanted.parts]
            return _confirm("Send this again?", texts + lines, "Send again", sid, quotes=quotes)
        with writing() as (tx, now):
            wanted = resends.look(tx, key, now)
            resends.send_again(tx, wanted, now)
            detail = {"after": key.timer_seconds, "parts": len(wanted.parts), "was": wanted.parts[0].state}
            actor = current_user.name
            audit.record(tx, actor, "sent again", now, conversation_sid=sid, subject=reply_to, detail=detail)
    except Refused as refused:
        flash(f"Not sent again: {refused}.", "error")
        return _back_to(sid)
    current_app.extensions["parley"].stored()
    flash("The reply is on its way again; the thread shows what becomes of it.")
    return _back_to(sid)


def _confirm(title: str, lines: list[str], button: str, sid: str, **more: Any) -> str:
    back = url_for("page.conversation", sid=sid, **where())
    return render_template("confirm.html", title=title, lines=lines, button=button, back=back, **more)


def _back_to(sid: str) -> ResponseReturnValue:
    return redirect(url_for("page.conversation", sid=sid, **where()), 303)


def _until(held: BotPause) -> str:
    if held.paused_until is None or held.paused_until >= FOREVER:
        return "until somebody resumes it"
    return f"until {held.paused_until:%Y-%m-%d %H:%M} UTC"
