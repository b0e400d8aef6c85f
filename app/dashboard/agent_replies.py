"""A human's answer: silences the bot, sends the text once, and stores it, since Twilio tells us nothing of it.

Every answer has a form of its own; submitted twice it is still one answer. Written down before it is sent; what may
have been sent by an earlier attempt is looked for at Twilio first.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Connection, select

from app.bot.recording import note_takeover
from app.db.database import Database, Record
from app.db.tables import conversations
from app.operations import message_plan, messages
from app.operations.account import Account, document
from app.operations.message_plan import Draft
from app.operations.validation import Refused
from app.store import audit
from app.store import conversations as memory
from app.store import messages as stored_messages
from app.twilio_api.errors import SendError

ACTION = "answered"
ATTRIBUTE = "parley_answer"  # in the message's attributes: the form it was written in
LOOK_UP_AFTER = timedelta(seconds=2)  # after a request without an answer, Twilio may need this long to store it
GIVEN_UP_AFTER = timedelta(seconds=60)  # who has been sending for longer has died on the way
CLOCKS_APART = timedelta(minutes=1)
_PAGE = 50

Outcome = Literal["sent", "sent before", "under way", "another text was sent before"]


@dataclass(frozen=True)
class Answer:
    """What somebody wants to say; `form` is the token of the form it was written in."""

    conversation_sid: str
    author: str
    text: str
    form: str


def give(db: Database, account: Account, answer: Answer, pause_for: timedelta) -> Outcome:
    """Send an answer, unless that has been done, and return how it went.

    Raises Refused before anything is changed; SendError, after which the same form may be submitted again;
    DatabaseUnavailable.
    """
    if not answer.text.strip():
        raise Refused("there is nothing to send; write something")
    with db.read() as tx:
        now, earlier = db.now(tx), _earlier(tx, answer)
        if outcome := _settled(tx, earlier, answer, now):
            return outcome
    looked_up = earlier is not None and _may_have_been_sent(earlier)
    if earlier and looked_up and (found := _look_up(account, answer, earlier.at - CLOCKS_APART)):
        with db.write() as tx:
            _store(tx, earlier.id, answer, found, db.now(tx))
        return "sent before" if found["body"] == answer.text else "another text was sent before"
    draft = Draft(body=answer.text, default_author=answer.author, attributes={ATTRIBUTE: answer.form})
    ready = message_plan.plan(account, answer.conversation_sid, draft, db=db, now=now)
    begun = _begin(db, answer, pause_for, looked_up=looked_up)
    if not isinstance(begun, _Begun):
        return begun
    try:
        (sent,) = messages.send(account, ready, wait=_wait_for_nothing)
    except SendError as error:
        _note_failure(db, begun, error)
        raise
    with db.write() as tx:
        _store(tx, begun.number, answer, sent, db.now(tx))
    return "sent"


@dataclass(frozen=True)
class _Begun:
    """An answer under way: its number in the audit log, since when, and the conversation as it was before."""

    number: int
    detail: Mapping[str, Any]
    at: datetime
    before: Record


def _begin(db: Database, answer: Answer, pause_for: timedelta, *, looked_up: bool) -> _Begun | Outcome:
    """Silence the bot and write down that a message may be on its way; on disk before Twilio hears of it."""
    sid = answer.conversation_sid
    with db.write() as tx:
        memory.note_conversation(tx, sid, {})
        one_at_a_time = select(conversations).where(conversations.c.conversation_sid == sid).with_for_update()
        before = tx.execute(one_at_a_time).one()
        now, earlier = db.now(tx), _earlier(tx, answer)
        if outcome := _settled(tx, earlier, answer, now):
            return outcome
        if earlier and _may_have_been_sent(earlier) and not looked_up:
            return "under way"
        note_takeover(tx, sid, now, pause_for)
        detail = {"form": answer.form, "characters": len(answer.text), "state": "sending", "tried_at": now.isoformat()}
        if earlier:
            audit.complete(tx, earlier.id, detail)
            return _Begun(earlier.id, detail, now, before)
        number = audit.note(tx, answer.author, ACTION, now, conversation_sid=sid, detail=detail)
        return _Begun(number, detail, now, before)


def _earlier(tx: Connection, answer: Answer) -> Record | None:
    """Return what is written down of this form, or None; of a text sent before, only where it is the same."""
    for row in audit.newest(tx, conversation_sid=answer.conversation_sid, limit=_PAGE):
        if row.action == ACTION and row.detail.get("form") == answer.form:
            return row if row.detail["state"] != "sent" or _said(tx, row) == answer.text else None
    return None


def _said(tx: Connection, row: Record) -> str | None:
    message = stored_messages.message(tx, row.subject)
    return message.body if message else None


def _settled(tx: Connection, earlier: Record | None, answer: Answer, now: datetime) -> Outcome | None:
    """Return that nothing more is to be done, or None."""
    if earlier is None:
        return None
    state, tried_at = earlier.detail["state"], datetime.fromisoformat(earlier.detail["tried_at"])
    if state == "sent":
        return "sent before"
    busy_for = {"sending": GIVEN_UP_AFTER, "uncertain": LOOK_UP_AFTER}.get(state, timedelta())
    return "under way" if now < tried_at + busy_for else None


def _may_have_been_sent(earlier: Record) -> bool:
    return earlier.detail["state"] in ("sending", "uncertain")


def _look_up(account: Account, answer: Answer, since: datetime) -> dict[str, Any] | None:
    """Return the message that came from this form, or None when it is not there."""

    def look(v1: Any) -> dict[str, Any] | None:
        for one in v1.conversations(answer.conversation_sid).messages.stream(order="desc", page_size=_PAGE):
            if _form_of(one.attributes) == answer.form:
                return document(one)
            if one.date_created and one.date_created < since:
                return None
        return None

    return account.ask(look)


def _form_of(attributes: str | None) -> object:
    try:
        found = json.loads(attributes or "{}")
    except ValueError:
        return None
    return found.get(ATTRIBUTE) if isinstance(found, dict) else None


def _wait_for_nothing(seconds: float) -> None:
    """Tell a person to wait instead of letting the page wait."""
    raise SendError(f"Twilio asks to wait {seconds:.0f} s", "retry")


def _note_failure(db: Database, begun: _Begun, error: SendError) -> None:
    state = "uncertain" if error.uncertain else "failed"
    with db.write() as tx:
        now = db.now(tx).isoformat()
        audit.complete(tx, begun.number, {**begun.detail, "state": state, "tried_at": now, "reason": error.reason})
        if not error.uncertain:
            memory.take_back_agent(tx, begun.before, begun.at)  # who waited still waits


def _store(tx: Connection, number: int, answer: Answer, sent: Mapping[str, Any], now: datetime) -> None:
    """Store a message as if a webhook had told of it: a human agent's, which no rule is tried on."""
    facts = {
        "conversation_sid": answer.conversation_sid,
        "message_index": sent["index"],
        "author": sent["author"] or "",
        "participant_sid": sent["participant_sid"] or "",
        "body": sent["body"] or "",
        "attributes": {ATTRIBUTE: answer.form},
        "source": "API",
        "created_at": sent["date_created"],
    }
    stored_messages.note_message(tx, sent["sid"], facts, dated=sent["date_created"], now=now)
    stored_messages.note_decision(
        tx,
        sent["sid"],
        answer.conversation_sid,
        code="agent",
        rule="",
        reason="a human agent wrote",
        tried=[["agent", ""]],
        now=now,
    )
    detail = {"form": answer.form, "characters": len(sent["body"] or ""), "state": "sent", "tried_at": now.isoformat()}
    audit.complete(tx, number, detail, subject=sent["sid"])
