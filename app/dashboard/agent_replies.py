"""Sends what a human agent writes on the page, once, stores it, and pauses the bot.

Every answer has a form of its own; submitted twice it is still one answer. Written down before it is sent; what may
have been sent by an earlier attempt is looked for at Twilio first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Connection, select

from app.bot.recording import record_takeover
from app.db.database import Database, Record
from app.db.tables import conversations
from app.notify.recording import NotificationCause, Recorder
from app.operations import message_plan, messages
from app.operations.account import Account, document
from app.operations.message_plan import Draft
from app.operations.validation import Refused
from app.store import agent_answers, audit, replies
from app.store import conversations as memory
from app.store import messages as stored_messages
from app.store.agent_answers import AgentAnswer, State
from app.store.messages import DecisionKey, NewDecision
from app.twilio_api.errors import SendError
from app.twilio_api.look_up import CLOCKS_APART, FORM, Sought, look_through

LOOK_UP_AFTER = timedelta(seconds=2)  # after a request without an answer, Twilio may need this long to store it
GIVEN_UP_AFTER = timedelta(seconds=60)  # who has been sending for longer has died on the way
_PAGE = 50

Outcome = Literal["sent", "sent before", "under way", "another text was sent before", "several may be it"]


@dataclass(frozen=True)
class WrittenAnswer:
    """What somebody wants to say; `form` is the token of the form it was written in."""

    conversation_sid: str
    author: str
    text: str
    form: str


def give(
    db: Database, account: Account, answer: WrittenAnswer, pause_for: timedelta, recorder: Recorder | None = None
) -> Outcome:
    """Send an answer, unless that has been done, and return how it went.

    Raises Refused before anything is changed; SendError, after which the same form may be submitted again;
    DatabaseUnavailable.
    """
    if not answer.text.strip():
        raise Refused("there is nothing to send; write something")
    with db.read() as tx:
        now = db.now(tx)
        earlier = _earlier(tx, answer, now)
        if outcome := _settled(tx, earlier, answer, now):
            return outcome
    looked_up = earlier is not None and _may_have_been_sent(earlier)
    if earlier and looked_up and (found := _look_up(db, account, answer, earlier)):
        if len(found) > 1:
            return "several may be it"
        with db.write() as tx:
            _store(tx, earlier, found[0], db.now(tx))
        return "sent before" if found[0]["body"] == answer.text else "another text was sent before"
    if earlier and looked_up and now < earlier.tried_at + replies.LATE_STORE:
        return "under way"  # not there yet: Twilio may still be storing it
    draft = Draft(body=answer.text, default_author=answer.author, attributes={FORM: answer.form})
    ready = message_plan.plan(account, answer.conversation_sid, draft, db=db, now=now)
    begun = _begin(db, answer, pause_for, looked_up=looked_up)
    if not isinstance(begun, _Begun):
        return begun
    try:
        (sent,) = messages.send(account, ready, wait=_wait_for_nothing)
    except SendError as error:
        _record_failure(db, begun, answer, error, recorder)
        raise
    with db.write() as tx:
        _store(tx, begun.stored, sent, db.now(tx))
    return "sent"


@dataclass(frozen=True)
class _Begun:
    """An answer under way, since `at`, and the conversation as it was before."""

    stored: AgentAnswer
    at: datetime
    before: Record


def _begin(db: Database, answer: WrittenAnswer, pause_for: timedelta, *, looked_up: bool) -> _Begun | Outcome:
    """Silence the bot and write down that a message may be on its way; on disk before Twilio hears of it."""
    sid = answer.conversation_sid
    with db.write() as tx:
        memory.record_conversation(tx, sid, {})
        one_at_a_time = select(conversations).where(conversations.c.conversation_sid == sid).with_for_update()
        before = tx.execute(one_at_a_time).one()
        now = db.now(tx)
        earlier = _earlier(tx, answer, now)
        if outcome := _settled(tx, earlier, answer, now):
            return outcome
        if earlier and _may_have_been_sent(earlier) and not looked_up:
            return "under way"
        record_takeover(tx, sid, now, pause_for)
        stored = earlier or _new(tx, answer, now)
        _write_down(tx, replace(stored, state="sending", tried_at=now), len(answer.text))
        return _Begun(stored, now, before)


def _new(tx: Connection, answer: WrittenAnswer, now: datetime) -> AgentAnswer:
    sid = answer.conversation_sid
    audit_id = audit.record(tx, answer.author, agent_answers.ACTION, now, conversation_sid=sid)
    return AgentAnswer(answer.form, sid, answer.author, "sending", now, now, None, audit_id)


def _write_down(tx: Connection, stored: AgentAnswer, characters: int, **more: str) -> None:
    """Store how an answer stands, and let the audit log say so; that one is read by people only."""
    agent_answers.save(tx, stored)
    detail = {"form": stored.form, "state": stored.state, "tried_at": stored.tried_at.isoformat()}
    audit.complete(tx, stored.audit_id, {**detail, "characters": characters, **more}, subject=stored.message_sid)


def _earlier(tx: Connection, answer: WrittenAnswer, now: datetime) -> AgentAnswer | None:
    """Return what is known of this form, or None. Raises Refused for the form of another conversation."""
    found = agent_answers.find(tx, answer.form, answer.conversation_sid, now)
    if found and found.conversation_sid != answer.conversation_sid:
        raise Refused("this form belongs to another conversation; reload the page")
    return found


def _settled(tx: Connection, earlier: AgentAnswer | None, answer: WrittenAnswer, now: datetime) -> Outcome | None:
    """Return that nothing more is to be done, or None."""
    if earlier is None:
        return None
    if earlier.state == "sent":
        said = stored_messages.message(tx, earlier.message_sid or "")
        return "sent before" if said is None or said.body == answer.text else "another text was sent before"
    busy_for = {"sending": GIVEN_UP_AFTER, "uncertain": LOOK_UP_AFTER}.get(earlier.state, timedelta())
    return "under way" if now < earlier.tried_at + busy_for else None


def _may_have_been_sent(earlier: AgentAnswer) -> bool:
    return earlier.state in ("sending", "uncertain")


def _look_up(db: Database, account: Account, answer: WrittenAnswer, earlier: AgentAnswer) -> list[dict[str, Any]]:
    """Return the messages that may have come from this form: the one that says so, else what says the same."""
    sought = Sought((FORM, answer.form), earlier.author, earlier.begun_at, body=answer.text)
    listed: dict[str, Any] = {}

    def all_of(v1: Any) -> Iterator[Any]:
        for one in v1.conversations(answer.conversation_sid).messages.stream(order="desc", page_size=_PAGE):
            listed[one.sid] = one
            yield one

    def is_older(message: Any) -> bool:
        return bool(message.date_created and message.date_created < earlier.begun_at - CLOCKS_APART)

    found = account.ask(lambda v1: look_through(all_of(v1), sought, is_older))
    with db.read() as tx:
        known = replies.sent_as(tx, found.candidates) | agent_answers.sent_as(tx, found.candidates)
    sids = [found.sid] if found.sid else [sid for sid in found.candidates if sid not in known]
    return [document(listed[sid]) for sid in sids]


def _wait_for_nothing(seconds: float) -> None:
    """Tell a person to wait instead of letting the page wait."""
    raise SendError(f"Twilio asks to wait {seconds:.0f} s", "retry")


def _record_failure(
    db: Database, begun: _Begun, answer: WrittenAnswer, error: SendError, recorder: Recorder | None
) -> None:
    with db.write() as tx:
        state: State = "uncertain" if error.uncertain else "failed"
        tried = replace(begun.stored, state=state, tried_at=db.now(tx))
        _write_down(tx, tried, len(answer.text), reason=error.reason)
        if recorder:
            recorder.record_unrouted(tx, _failure(answer, error), tried.tried_at)
        if not error.uncertain:
            memory.take_back_agent(tx, begun.before, begun.at)  # who waited still waits


def _failure(answer: WrittenAnswer, error: SendError) -> NotificationCause:
    """Return what is to be told of an answer that failed; tried again with the same form it is the same cause."""
    how = "may not have arrived" if error.uncertain else "was not sent"
    return NotificationCause(
        kind="human_answer_failed",
        key=f"answer {answer.form}",
        reason=f"what {answer.author} wrote on the page {how}: {error.reason}",
        path=f"/c/{answer.conversation_sid}",
        conversation_sid=answer.conversation_sid,
        facts={"agent": answer.author},
    )


def _store(tx: Connection, stored: AgentAnswer, sent: Mapping[str, Any], now: datetime) -> None:
    """Store a message as if a webhook had reported it: a human agent's, which no rule is tried on."""
    facts = {
        "conversation_sid": stored.conversation_sid,
        "message_index": sent["index"],
        "author": sent["author"] or "",
        "participant_sid": sent["participant_sid"] or "",
        "body": sent["body"] or "",
        "attributes": {FORM: stored.form},
        "source": "API",
        "created_at": sent["date_created"],
    }
    stored_messages.record_message(tx, sent["sid"], facts, dated=sent["date_created"], now=now)
    key, why = DecisionKey(sent["sid"]), "a human agent wrote"
    decision = NewDecision(key, stored.conversation_sid, code="agent", rule="", reason=why, tried=[["agent", ""]])
    stored_messages.record_decision(tx, decision, now)
    done = replace(stored, state="sent", tried_at=now, message_sid=sent["sid"])
    _write_down(tx, done, len(sent["body"] or ""))
