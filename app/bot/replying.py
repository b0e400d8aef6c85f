"""From an inbound message to a reply: decide once, write the answer down, send it once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.bot import ask_responder, bursts, follow_ups, unknown
from app.bot.actions import planned_actions, run_actions
from app.bot.bursts import Member
from app.bot.context import HandlerContext
from app.bot.facts_loader import ReplyContext, add_history, load_facts, message_of, rows_of
from app.bot.recording import record_author, record_message
from app.bot.sending import send_replies
from app.bot.unknown import NOBODY, Unknown
from app.db.database import Record
from app.inbox import purged_keys
from app.inbox.internal_events import FollowUpDue
from app.rules import engine, facts
from app.rules.engine import Decision
from app.rules.reply_length import parts
from app.store import actions, conversations, messages, replies
from app.store.replies import Content
from app.twilio_api.events import MessageAdded

PURGED = "no reply: the message was dealt with before; its event was deleted since (BOT_RETENTION_DAYS, inbox purge)"


@dataclass(frozen=True)
class _Seen:
    """What one look at the database showed of a message; `earlier` is the decision of an earlier attempt."""

    known: facts.ConversationFacts
    burst: facts.Message
    members: Sequence[Member] = ()
    earlier: Record | None = None
    unknown: Unknown = NOBODY


def reply_to_message(event: MessageAdded, context: HandlerContext) -> str:
    """Decide once whether to answer, write the answer down, then send what is written down and not yet sent."""
    message = message_of(event, context.job.claimed.received_at)
    seen = _look(event, message, context)
    if seen and seen.unknown:
        unknown.ask(event, seen.unknown, context)
        seen = _look(event, message, context)
    if seen is None:
        return PURGED
    occasion = ReplyContext(message, seen.known, event.chat_service_sid)
    reason = seen.earlier.reason if seen.earlier else _decide(event, seen.burst, seen.members, occasion, context)
    return _carry_out(occasion, reason, context, is_retry=seen.earlier is not None)


def _look(event: MessageAdded, message: facts.Message, context: HandlerContext) -> _Seen | None:
    """Return what is known of a message, and of whom nothing is; None for one that was dealt with and purged."""
    with context.job.read() as tx:
        earlier = messages.decision(tx, event.message_sid)
        received_at = context.job.claimed.received_at
        if earlier is None and purged_keys.knows(tx, event.message_sid, event.date_created, received_at):
            return None
        rows = rows_of(tx, message)
        known = load_facts(tx, message, context, rows)
        if earlier:
            return _Seen(known, message, earlier=earlier)
        members = bursts.gather(tx, message, known, context)
        burst = bursts.as_one(event, message, members)
        known = add_history(tx, burst, known, context, index=event.index)
        return _Seen(known, burst, members, unknown=unknown.read(tx, event, rows, context))


def follow_up(event: FollowUpDue, context: HandlerContext) -> str:
    """Decide once what follows on a customer's wait without a human, unless one has written; then as for a message."""
    with context.job.read() as tx:
        earlier = messages.decision(tx, event.message_sid, timer_seconds=event.seconds)
        occasion = follow_ups.occasion_of(tx, event, context, decided=earlier is not None)
        here = conversations.conversation(tx, event.conversation_sid)
    if occasion is None:
        return follow_ups.over(here)
    if earlier:
        return _carry_out(occasion, earlier.reason, context, is_retry=True)
    decision = decide_follow_up(event, occasion, context)
    if decision.again_at:
        return follow_ups.put_off(event, decision, context)
    _record_decision(decision, occasion, context)
    return _carry_out(occasion, decision.reason, context, is_retry=False)


def decide_follow_up(event: FollowUpDue, occasion: ReplyContext, context: HandlerContext) -> Decision:
    """Return what follows on a wait now, or that it is put off; nothing is written down."""
    return engine.decide(
        occasion.message,
        occasion.known,
        context.rules,
        context.policy,
        context.now,
        timer=occasion.timer,
        due_at=event.due_at,
    )


def _carry_out(occasion: ReplyContext, reason: str, context: HandlerContext, *, is_retry: bool) -> str:
    lines = send_replies(occasion, context, is_retry=is_retry)
    lines += run_actions(occasion, context)
    return "; ".join(lines) or f"no reply: {reason}"


def _decide(
    event: MessageAdded,
    burst: facts.Message,
    members: Sequence[Member],
    occasion: ReplyContext,
    context: HandlerContext,
) -> str:
    """Decide outside of any transaction, then store messages, author, decision and what is due, all at once."""
    known = occasion.known
    decision = engine.decide(burst, known, context.rules, context.policy, context.now)
    if context.responder is not None:
        sids = [member.event.message_sid for member in members]
        decision = ask_responder.answer(context, burst, sids, known, decision)
    writer = facts.writer_of(occasion.message, known, context.policy)
    for one in [event, *(member.event for member in members)]:
        record_message(one, context)
    record_author(burst, known, writer, decision.code, context)
    _record_decision(decision, occasion, context)
    for member in members:
        _record_member(member, occasion.message.message_sid, context)
    if writer == "customer":
        follow_ups.record_waiting(occasion, decision.code, context)
    return decision.reason


def _record_decision(decision: Decision, occasion: ReplyContext, context: HandlerContext) -> None:
    """Store a decision together with the replies and actions that are due because of it."""
    sid, where, after = occasion.message.message_sid, occasion.conversation_sid, occasion.timer_seconds
    messages.record_decision(
        context.tx,
        sid,
        where,
        code=decision.code,
        rule=decision.rule,
        reason=decision.reason,
        tried=[[one.name, one.failed] for one in decision.tried],
        now=context.now,
        observed=decision.observed,
        timer_seconds=after,
    )
    contents = _contents(decision, occasion)
    replies.intend(context.tx, sid, where, decision.rule, contents, context.now, timer_seconds=after)
    actions.intend(
        context.tx, sid, where, decision.rule, planned_actions(decision.actions), context.now, timer_seconds=after
    )


def _record_member(member: Member, first_sid: str, context: HandlerContext) -> None:
    messages.record_decision(
        context.tx,
        member.event.message_sid,
        member.event.conversation_sid,
        code=messages.PART_OF_BURST,
        rule="",
        reason=f"decided together with {first_sid}",
        tried=[],
        now=context.now,
        burst_of=first_sid,
    )


def _contents(decision: Decision, occasion: ReplyContext) -> list[Content]:
    """Return what the messages of a reply say: one, or several where a phone gets a text too long for one."""
    if decision.template:
        return [Content(content_sid=decision.template.content_sid, content_variables=decision.template.variables)]
    reaches_phones = occasion.message.channel != "chat" or occasion.known.has_messaging_participant
    text = decision.reply or ""
    texts = parts(text) if reaches_phones else [text] if text else []
    if not texts and not decision.media:
        return []
    first, *others = texts or [""]
    return [Content(first, decision.media), *(Content(one) for one in others)]
