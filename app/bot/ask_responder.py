"""Asks the user's responder function where no rule matched, and turns its answer, or the fallback, into a decision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, select

from app.bot import responder_pool
from app.bot.context import HandlerContext
from app.bot.facts_loader import read_messages, stored_message
from app.bot.responder_pool import Call
from app.db.database import Record
from app.db.tables import messages, replies
from app.inbox import waiting
from app.inbox.job import Reschedule
from app.responder import NAME, Context, Message
from app.rules import business_hours, engine
from app.rules.consent_words import newest_wish
from app.rules.engine import Decision, TraceStep
from app.rules.facts import ConversationFacts, Inbound, writer_of
from app.rules.guards import in_words
from app.rules.templates import ReplyError, render_reply
from app.twilio_api.events import MessageAdded

WAITS = "the responder is asked"
RECENT = 20  # messages that a responder is given


def answer(
    context: HandlerContext, message: Inbound, members: Sequence[str], known: ConversationFacts, decision: Decision
) -> Decision:
    """Return what the responder says to a message that no rule matched; any other decision as it is.

    `members` are the MessageSids of the later messages that are one burst with it. Raises Reschedule while the
    responder is asked. What became of the call is deleted in the transaction that stores the decision, so a process
    may end at any step: one answer or one fallback is sent, and nobody is asked twice.
    """
    if decision.code != "no rule":
        responder_pool.take_call(context.tx, message.message_sid)  # asked before the rules or the pause changed
        return decision
    with context.job.read() as tx:
        call = responder_pool.find_call(tx, message.message_sid)
        opted_out = call is not None and _opted_out_meanwhile(tx, message, context)
    if call is None:
        return _ask(message, members, known, decision, context)
    deadline = call.asked_at + context.rules.bot.responder_wait
    if call.answered_at is None and call.asked_at <= context.now < deadline:
        raise Reschedule(deadline, WAITS)
    taken = responder_pool.take_call(context.tx, message.message_sid)
    if opted_out:
        return _decision(decision, "opted out", "the customer opted out in the meantime", "opted out")
    if taken is None or taken.answered_at is None:
        slow = f"{NAME} took longer than {in_words(context.rules.bot.responder_wait)}"
        return _fallback("responder too slow", slow, message, known, decision, context)
    return _decided(taken.answer, message, known, decision, context)


def _ask(
    message: Inbound, members: Sequence[str], known: ConversationFacts, decision: Decision, context: HandlerContext
) -> Decision:
    if context.responder.is_full:
        return _fallback("responder busy", f"{NAME} has too many calls waiting", message, known, decision, context)
    with context.job.read() as tx:
        asked_with = _context_of(tx, message, known, context)
    now = context.job.now()
    deadline, lane = now + context.rules.bot.responder_wait, context.job.claimed.lane
    question = Call(_said_by(message, known, context), asked_with, lane, deadline)
    responder_pool.record_question(context.tx, message.message_sid, lane, members, now)
    # Asked when the question is on disk and the lane free: an answer that is faster finds both.
    raise Reschedule(deadline, WAITS, afterwards=lambda: context.responder.ask(question))


def _decided(
    answer: Mapping[str, Any], message: Inbound, known: ConversationFacts, decision: Decision, context: HandlerContext
) -> Decision:
    if failed := answer.get("failed"):
        return _fallback("responder failed", f"{NAME} failed: {failed}", message, known, decision, context)
    reply = answer["reply"]
    if reply is None:
        return _decision(decision, "no answer", f"no rule matched, and {NAME} had no answer", "no answer")
    code = "replied" if reply["text"] or reply["media"] else "acted"
    made = _decision(decision, code, f"no rule matched; {NAME} answered", "", reply=reply["text"])
    return replace(made, media=reply["media"], actions=engine.Actions(hand_over=reply["hand_over"]))


def _fallback(
    code: str, reason: str, message: Inbound, known: ConversationFacts, decision: Decision, context: HandlerContext
) -> Decision:
    settings = context.rules.bot
    if not settings.responder_fallback:
        return _decision(decision, code, reason, reason)
    try:
        text = render_reply(settings.responder_fallback, engine.template_values(message, known, settings, context.now))
    except ReplyError as error:
        return _decision(decision, code, f"{reason}; responder_fallback failed: {error}", reason)
    return _decision(decision, code, reason, reason, reply=text)


def _decision(decision: Decision, code: str, reason: str, failed: str, *, reply: str = "") -> Decision:
    tried = (*decision.tried, TraceStep(NAME, failed))
    return replace(decision, reply=reply or None, rule=NAME, reason=reason, tried=tried, code=code)


def _opted_out_meanwhile(tx: Connection, message: Inbound, context: HandlerContext) -> bool:
    """Return whether the customer's wish for silence is stored behind the message and not yet worked on."""
    behind = read_messages(waiting.from_anybody(tx, context.job.claimed, MessageAdded.event_type))
    texts = [one.body for one in behind if one.author == message.author]
    return newest_wish(reversed(texts), context.rules.bot, message.channel) in ("out", "perhaps out")


def _context_of(tx: Connection, message: Inbound, known: ConversationFacts, context: HandlerContext) -> Context:
    """Return what is known of the conversation of a message that is being decided."""
    return Context(
        conversation_sid=message.conversation_sid,
        channel=message.channel,
        now=context.now.astimezone(context.rules.bot.timezone),
        friendly_name=known.friendly_name,
        attributes=known.attributes,
        participant_attributes=known.participant_attributes,
        first_contact=known.first_contact,
        is_open=business_hours.is_open(context.rules.bot, context.now),
        recent=_recent(tx, message, known, context),
    )


def _said_by(message: Inbound, known: ConversationFacts, context: HandlerContext) -> Message:
    """Return a message as a responder sees it."""
    return Message(
        text=message.text,
        author=message.author,
        at=message.sent_at.astimezone(context.rules.bot.timezone),
        by=writer_of(message, known, context.policy),
        message_sid=message.message_sid,
        attributes=message.attributes,
        has_media=message.has_media,
        texts=message.texts or (message.text,),
        media_type=next(iter(message.media_types), ""),
        button=message.channel_facts.button,
        button_payload=message.channel_facts.button_payload,
        profile_name=message.channel_facts.profile_name,
        channel_metadata=message.channel_facts.channel_metadata,
    )


def _recent(tx: Connection, message: Inbound, known: ConversationFacts, context: HandlerContext) -> tuple[Message, ...]:
    """Return the newest messages before this one, oldest first, with our own, of which Twilio sends no webhook."""
    said = [_said_by(stored_message(row), known, context) for row in _messages_before(tx, message)]
    came_back = {one.message_sid for one in said}
    ours = [_said_by_us(row, context) for row in _sent_replies(tx, message) if row.message_sid not in came_back]
    return tuple(sorted([*said, *ours], key=lambda one: one.at)[-RECENT:])


def _messages_before(tx: Connection, message: Inbound) -> list[Record]:
    here = (messages.c.conversation_sid == message.conversation_sid, messages.c.removed_at.is_(None))
    query = select(messages).where(*here, messages.c.message_sid != message.message_sid)
    return list(tx.execute(query.order_by(messages.c.message_index.desc()).limit(RECENT)))


def _sent_replies(tx: Connection, message: Inbound) -> list[Record]:
    sent = (replies.c.conversation_sid == message.conversation_sid, replies.c.state == "sent")
    return list(tx.execute(select(replies).where(*sent).order_by(replies.c.intended_at.desc()).limit(RECENT)))


def _said_by_us(row: Record, context: HandlerContext) -> Message:
    return Message(
        text=row.body,
        author=context.policy.bot_author,
        at=(row.sent_at or row.intended_at).astimezone(context.rules.bot.timezone),
        by="bot",
        message_sid=row.message_sid or "",
        has_media=bool(row.media),
        texts=(row.body,),
    )
