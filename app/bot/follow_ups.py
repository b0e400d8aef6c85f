"""Follow-ups: stores since when a customer waits for a human, and creates the timer events that ask the rules again."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from app.bot.context import HandlerContext
from app.bot.facts_loader import ReplyContext, add_history, load_facts, stored_message, with_channel_facts
from app.db.database import Record
from app.inbox import internal_events, queue
from app.inbox.internal_events import FollowUpDue, TimerEnded, Wait
from app.inbox.queue import NewEvent
from app.rules import engine
from app.rules.engine import Decision
from app.store import conversations, messages

LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
# Who wrote this waits for nobody, or nobody may answer.
NO_WAIT = (
    "another account",
    "opt-out word",
    "opt-in word",
    "help word",
    "opted out",
    "closed",
    "empty",
    "found late",
    "removed",
)


def record_waiting(occasion: ReplyContext, code: str, context: HandlerContext) -> None:
    """Record that a customer waits from this message on, if that is news, and set the first timer of the rules.

    Who has been waiting for longer than any timer runs begins to wait anew: else a conversation that no human
    ever answers would have no follow-up but the first.
    """
    if code in NO_WAIT:
        return
    since = min(occasion.message.sent_at, context.now)
    timers = engine.timers_of(context.rules)
    over = since - max(timers) if timers else LONG_AGO
    if not conversations.record_waiting(context.tx, occasion.conversation_sid, since, anew_before=over):
        return
    if timers:
        event = TimerEnded(
            conversation_sid=occasion.conversation_sid,
            chat_service_sid=occasion.chat_service_sid,
            message_sid=occasion.message.message_sid,
            waiting_since=since,
            seconds=int(timers[0].total_seconds()),
            was_first_contact=occasion.known.first_contact,
        )
        _set_timer(event, context)


def put_follow_up_in_line(event: TimerEnded, context: HandlerContext) -> str:
    """Put the follow-up behind what waits in its conversation and set the next timer, unless a human has answered.

    One timer after the other: with two at once a worker that was away would find both due, in any order.
    """
    here = conversations.conversation(context.tx, event.conversation_sid)
    if here is None or here.waiting_since != event.waiting_since:
        return over(here)
    _schedule(FollowUpDue(**_fields_of(event)), event.conversation_sid, context.job.now(), context)
    if event.due_at:
        return "what was put off is tried again"  # the next timer was set when this one ended first
    longer = [timer for timer in engine.timers_of(context.rules) if timer > timedelta(seconds=event.seconds)]
    if longer:
        _set_timer(replace(event, seconds=int(longer[0].total_seconds())), context)
    return f"nobody has answered for {event.seconds} s"


def put_off(event: FollowUpDue, decision: Decision, context: HandlerContext) -> str:
    """Let a follow-up that fell due outside its hours come back when they begin.

    All that a customer's wait puts off to one moment have one lane: they come back in the order in which they were due.
    """
    assert decision.again_at
    again = TimerEnded(**_fields_of(event) | {"due_at": decision.again_at})
    lane = f"{internal_events.TIMER_LANES}{event.message_sid}:{decision.again_at.isoformat()}"
    _schedule(again, lane, decision.again_at, context)
    return f"no reply yet: {decision.reason}"


def over(conversation: Record | None) -> str:
    """Return why nobody waits any more since the time that a follow-up is about."""
    waits_anew = conversation is not None and conversation.waiting_since is not None
    return "the customer has begun to wait anew" if waits_anew else "a human has answered"


def _fields_of(event: Wait) -> dict[str, Any]:
    return {item.name: getattr(event, item.name) for item in fields(event)}


def occasion_of(tx: Connection, event: FollowUpDue, context: HandlerContext, *, decided: bool) -> ReplyContext | None:
    """Return what a follow-up is about; None when the wait is over and nothing was decided before."""
    row = messages.message(tx, event.message_sid)
    here = conversations.conversation(tx, event.conversation_sid)
    if row is None or here is None or not (decided or here.waiting_since == event.waiting_since):
        return None
    message = with_channel_facts(tx, stored_message(row))
    known = replace(load_facts(tx, message, context), first_contact=bool(event.was_first_contact))
    if not decided:
        known = add_history(tx, message, known, context, index=row.message_index)
    return ReplyContext(event.decision_key, message, known, event.chat_service_sid, event.waiting_since)


def _set_timer(event: TimerEnded, context: HandlerContext) -> None:
    assert event.waiting_since
    due_at = event.waiting_since + timedelta(seconds=event.seconds)
    _schedule(event, f"{internal_events.TIMER_LANES}{event.message_sid}:{event.seconds}", due_at, context)


def _schedule(event: Wait, lane: str, due_at: datetime, context: HandlerContext) -> None:
    stored = NewEvent(
        event_key=internal_events.event_key(event),
        event_type=event.event_type,
        lane=lane,
        source="",
        method=internal_events.METHOD,
        target="",
        body=internal_events.body_of(event),
    )
    queue.schedule(context.tx, stored, due_at, context.job.now())
