"""From an inbound message to a reply: load the facts, decide once, record the decision, send it once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from app.bot import ask_responder, bursts, follow_ups, notices, unknown
from app.bot.actions import planned_actions, run_actions
from app.bot.bursts import Member
from app.bot.context import HandlerContext
from app.bot.facts_loader import ReplyContext, add_history, load_facts, message_of, rows_of, was_removed_before
from app.bot.recording import record_author, record_message
from app.bot.sending import send_replies
from app.bot.unknown import Unknown
from app.inbox.internal_events import FollowUpDue
from app.rules import engine, facts
from app.rules.engine import Decision
from app.rules.reply_length import parts
from app.store import actions, conversations, messages, replies
from app.store.messages import DecisionKey, NewDecision
from app.store.replies import Content
from app.twilio_api.events import MessageAdded

PURGED = "no reply: the message was dealt with before; its event was deleted since (BOT_RETENTION_DAYS, inbox purge)"


@dataclass(frozen=True)
class _Loaded:
    """What one look at the database showed of a message: the burst that it begins, and of whom nothing is known."""

    event: MessageAdded
    occasion: ReplyContext
    burst: facts.Inbound
    members: Sequence[Member]
    unknown: Unknown | None


@dataclass(frozen=True)
class _Earlier:
    """What was decided before, by an earlier attempt or together with an earlier message."""

    occasion: ReplyContext
    reason: str


def reply_to_message(event: MessageAdded, context: HandlerContext) -> str:
    """Load the facts, decide once, record what is to be said and done, then send it; a retry only sends."""
    loaded = _load(event, context)
    if loaded is None:
        return PURGED
    if isinstance(loaded, _Earlier):
        return _retry(loaded, context)
    decision = _decide(loaded, context)
    _record(decision, loaded, context)
    return _send(loaded.occasion, decision.reason, context, acts=bool(decision.actions))


def follow_up(event: FollowUpDue, context: HandlerContext) -> str:
    """The same for a customer's wait without a human, unless one has written."""
    loaded = _load_follow_up(event, context)
    if isinstance(loaded, str):
        return loaded
    if isinstance(loaded, _Earlier):
        return _retry(loaded, context)
    decision = decide_follow_up(event, loaded, context)
    if decision.again_at:
        return follow_ups.put_off(event, decision, context)
    _record_decision(decision, loaded, context)
    return _send(loaded, decision.reason, context, acts=bool(decision.actions))


def _retry(earlier: _Earlier, context: HandlerContext) -> str:
    """Send what is left of what was decided before; what may have been sent is looked for at Twilio first."""
    return _send(earlier.occasion, earlier.reason, context, acts=True, is_retry=True)


def _send(occasion: ReplyContext, reason: str, context: HandlerContext, *, acts: bool, is_retry: bool = False) -> str:
    lines = send_replies(occasion, context, is_retry=is_retry)
    lines += run_actions(occasion, context) if acts else []
    return "; ".join(lines) or f"no reply: {reason}"


def _load(event: MessageAdded, context: HandlerContext) -> _Loaded | _Earlier | None:
    """Return what is known, asking Twilio for whom nothing is; None for a message that was dealt with and purged."""
    found = _read(event, context)
    if isinstance(found, _Loaded) and found.unknown:
        unknown.ask(event, found.unknown, context)
        found = _read(event, context)
    return found


def _read(event: MessageAdded, context: HandlerContext) -> _Loaded | _Earlier | None:
    key, received_at = DecisionKey(event.message_sid), context.job.claimed.received_at
    message = message_of(event, received_at)
    with context.job.read() as tx:
        earlier = messages.decision(tx, key)
        if earlier is None and messages.was_purged(tx, event.message_sid, event.date_created, received_at):
            return None
        rows = rows_of(tx, message)
        known = load_facts(tx, message, context, rows)
        if earlier:
            return _Earlier(ReplyContext(key, message, known, event.chat_service_sid), earlier.reason)
        message = replace(message, was_removed=was_removed_before(tx, message, rows))
        burst: facts.Inbound = message
        members: Sequence[Member] = ()
        if _may_belong_together(context):
            gathered = bursts.gather(tx, message, known, context)
            burst, members = bursts.as_one(event, gathered.first, gathered.members), gathered.members
        known = add_history(tx, burst, known, context, index=event.index)
        occasion = ReplyContext(key, message, known, event.chat_service_sid)
        is_new = rows.lack_conversation or rows.lack_author
        return _Loaded(event, occasion, burst, members, unknown.read(tx, event, rows, context) if is_new else None)


def _may_belong_together(context: HandlerContext) -> bool:
    return context.rules.bot.coalesce is not None or context.responder is not None


def _load_follow_up(event: FollowUpDue, context: HandlerContext) -> ReplyContext | _Earlier | str:
    """Return what is known of a wait, or why nobody waits any more."""
    with context.job.read() as tx:
        earlier = messages.decision(tx, event.decision_key)
        occasion = follow_ups.occasion_of(tx, event, context, decided=earlier is not None)
        if occasion is None:
            return follow_ups.over(conversations.conversation(tx, event.conversation_sid))
    return _Earlier(occasion, earlier.reason) if earlier else occasion


def _decide(loaded: _Loaded, context: HandlerContext) -> Decision:
    """Decide outside of any transaction; where no rule matches, the responder does, if there is one."""
    burst, known = loaded.burst, loaded.occasion.known
    decision = engine.decide(burst, known, context.rules, context.policy, context.now)
    if context.responder is None:
        return decision
    sids = [member.event.message_sid for member in loaded.members]
    return ask_responder.answer(context, burst, sids, known, decision)


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


def _record(decision: Decision, loaded: _Loaded, context: HandlerContext) -> None:
    """Store messages, author, decision and what is due, all at once."""
    occasion, known = loaded.occasion, loaded.occasion.known
    writer = facts.writer_of(occasion.message, known, context.policy)
    for one in [loaded.event, *(member.event for member in loaded.members)]:
        record_message(one, context)
    if record_author(loaded.burst, known, writer, decision.code, context):
        notices.record_wish(loaded.burst, known, context)
    _record_decision(decision, occasion, context)
    for member in loaded.members:
        _record_member(member, occasion.message.message_sid, context)
    if writer == "customer":
        follow_ups.record_waiting(occasion, decision.code, context)


def _record_decision(decision: Decision, occasion: ReplyContext, context: HandlerContext) -> None:
    """Store a decision together with the replies and actions that are due because of it."""
    tx, now, key, where, rule = context.tx, context.now, occasion.key, occasion.conversation_sid, decision.rule
    stored = NewDecision(
        key, where, decision.code, rule, decision.reason, tried=decision.tried, observed=decision.observed
    )
    messages.record_decision(tx, stored, now)
    replies.intend(tx, key, where, rule, _contents(decision, occasion), now)
    if decision.actions:
        actions.intend(tx, key, where, rule, planned_actions(decision.actions), now)
    notices.record_decided(decision, occasion, context)


def _record_member(member: Member, first_sid: str, context: HandlerContext) -> None:
    decision = NewDecision(
        DecisionKey(member.event.message_sid),
        member.event.conversation_sid,
        code=messages.PART_OF_BURST,
        rule="",
        reason=f"decided together with {first_sid}",
        burst_of=first_sid,
    )
    messages.record_decision(context.tx, decision, context.now)


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
