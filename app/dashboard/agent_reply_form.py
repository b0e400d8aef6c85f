"""The form below a conversation in which a human agent answers."""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import abort, flash, g, make_response, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user  # type: ignore[import-untyped]
from sqlalchemy import Connection, select

from app.dashboard import agent_replies, conversations
from app.dashboard.request_context import account_of, database, pause_after_agent, reading, settings
from app.db.database import Record
from app.db.tables import participants
from app.operations.validation import Refused
from app.operations.whatsapp_window import OutsideWindow
from app.rules.guards import in_words
from app.runtime.from_settings import make_recorder
from app.store import audit
from app.store import conversations as memory
from app.twilio_api.addresses import WHATSAPP_WINDOW
from app.twilio_api.errors import SendError, sentence

_ACTIONS_SHOWN = 10
WINDOW_CLOSED = (
    "WhatsApp's 24 hours are over: nobody here wrote in that time, so a text of your own would not arrive. Wait until "
    "they write, or send an approved template: flask messages send {sid} --content-sid HX..."
)
UNDER_WAY = "This may still be on its way. Wait half a minute and look at the thread before you send it again."
UNCERTAIN = (
    "Twilio did not answer, so it may have arrived all the same. Press Send again: it is looked for first, and sent "
    "only if it is not there."
)
ANOTHER_TEXT = (
    "What you wrote first had arrived after all; it is in the thread now. Your changed text has not been sent: press "
    "Send if it is still right."
)

SEVERAL = (
    "Twilio did not answer, and several messages there may be yours, so it was not sent again. Look at the "
    "conversation, and press Send if yours is missing."
)


@dataclass(frozen=True)
class AnswerForm:
    """What the form below a thread shows; `form` makes a second submit of it the same answer."""

    form: str
    text: str
    problem: str
    hint: str
    pause: str
    actions: Sequence[Record]


def answer(sid: str) -> ResponseReturnValue:
    """Send what a human wrote, once, and silence the bot."""
    given = agent_replies.WrittenAnswer(sid, current_user.name, _text(), request.form.get("form", ""))
    if not re.fullmatch("[0-9a-f]{32}", given.form):
        abort(400, "the form came without its token; reload the page")
    row, pause_for = known_conversation(sid), pause_after_agent()
    try:
        outcome = agent_replies.give(database(), account_of(row), given, pause_for, make_recorder(settings()))
    except OutsideWindow:
        return _again(given, WINDOW_CLOSED.format(sid=sid), 409)
    except Refused as refused:
        return _again(given, f"Not sent: {refused}.", 409)
    except SendError as error:
        return _again(given, UNCERTAIN if error.uncertain else f"Not sent: {sentence(error)}.", 502)
    if outcome == "under way":
        return _again(given, UNDER_WAY, 409)
    if outcome == "another text was sent before":
        return _again(given, ANOTHER_TEXT, 409, form=new_form())
    if outcome == "several may be it":
        return _again(given, SEVERAL, 409, form=new_form())
    if outcome == "sent before":
        flash("This had been sent already, so it was not sent again.", "warning")
    else:
        flash(f"Sent. The bot is silent here for {in_words(pause_for)}.")
    return redirect(url_for("page.conversation", sid=sid, **where()), 303)


def known_conversation(sid: str) -> Record:
    """Return the row of a conversation; a page that says there is none, when it is not known."""
    with reading() as (tx, _now):
        row = memory.conversation(tx, sid)
    if row is None:
        abort(404, "No webhook has mentioned this conversation.")
    return row


def where() -> dict[str, Any]:
    """Return how the list beside the thread is filtered."""
    return {name: value for name in ("only", "search") if (value := request.args.get(name))}


def new_form() -> str:
    """Return a token that no other form has."""
    return secrets.token_hex(16)


def _text() -> str:
    """Return the text with the line ends that Twilio knows, and without what no database stores."""
    return request.form.get("text", "").replace("\r\n", "\n").replace("\x00", "").strip()


def _again(given: agent_replies.WrittenAnswer, problem: str, status: int, *, form: str = "") -> ResponseReturnValue:
    """Show the thread with the text still in its form."""
    g.answer_form = (form or given.form, given.text, problem)
    response = make_response(conversations.conversation(given.conversation_sid))
    response.status_code = status
    return response


def for_threads() -> dict[str, Any]:
    """Return what the templates of a thread call."""
    return {"answer_form_of": _answer_form_of, "where": where}


def _answer_form_of(sid: str) -> AnswerForm:
    form, text, problem = g.answer_form if "answer_form" in g else (new_form(), "", "")
    with reading() as (tx, now):
        hint = WINDOW_CLOSED.format(sid=sid) if _window_is_closed(tx, sid, now) else ""
        actions = audit.newest(tx, conversation_sid=sid, limit=_ACTIONS_SHOWN)
    return AnswerForm(form, text, problem, hint, in_words(pause_after_agent()), actions)


def _window_is_closed(tx: Connection, sid: str, now: datetime) -> bool:
    """Return whether somebody is here by WhatsApp, and none of them has written for so long that we may not."""
    people = participants.c
    here = (people.conversation_sid == sid, people.address.startswith("whatsapp:"), people.removed_at.is_(None))
    written = tx.scalars(select(people.last_inbound_at).where(*here)).all()
    return bool(written) and all(at is None or at < now - WHATSAPP_WINDOW for at in written)
