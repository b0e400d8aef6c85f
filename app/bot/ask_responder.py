"""Asks the responder where no rule matched: what it is told, the wait, its answer or the fallback as a decision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, select

from app.bot import responder_pool
from app.bot.context import Bot
from app.bot.facts_loader import read_messages, stored_message
from app.bot.responder_pool import Call
from app.db.database import Record
from app.db.tables import messages, replies
from app.inbox import queue
from app.inbox.job import Postponed
from app.responder import NAME, Context
from app.responder import Message as Said
from app.rules import business_hours, engine
from app.rules.consent_words import newest_wish
from app.rules.engine import Decision, Tried
from app.rules.facts import Known, Message, writer_of
from app.rules.guards import in_words
from app.rules.templates import ReplyError, render_reply
from app.twilio_api.events import MessageAdded

WAITS = "the responder is asked"
RECENT = 20  # messages that a responder is told of


def answer(bot: Bot, message: Message, members: Sequence[str], known: Known, decision: Decision) -> Decision:
    """Return what the responder says to a message that no rule matched; any other decision as it is.

    `members` are the MessageSids of the later messages that are one burst with it. Raises Postponed while the
    responder is asked. What became of the call is deleted in the transaction that stores the decision, so a process
    may end at any step: one answer or one fallback is sent, and nobody is asked twice.
    """
    if decision.code != "no rule":
        responder_pool.take_call(bot.tx, message.message_sid)  # asked before the rules or the pause changed
        return decision
    with bot.work.look() as tx:
        call = responder_pool.find_call(tx, message.message_sid)
        opted_out = call is not None and _opted_out_meanwhile(tx, message, bot)
    if call is None:
        return _ask(message, members, known, decision, bot)
    deadline = call.asked_at + bot.rules.bot.responder_wait
    if call.answered_at is None and call.asked_at <= bot.now < deadline:
        raise Postponed(deadline, WAITS)
    taken = responder_pool.take_call(bot.tx, message.message_sid)
    if opted_out:
        return _decision(decision, "opted out", "the customer opted out in the meantime", "opted out")
    if taken is None or taken.answered_at is None:
        slow = f"{NAME} took longer than {in_words(bot.rules.bot.responder_wait)}"
        return _fallback("responder too slow", slow, message, known, decision, bot)
    return _decided(taken.answer, message, known, decision, bot)


def _ask(message: Message, members: Sequence[str], known: Known, decision: Decision, bot: Bot) -> Decision:
    if bot.responder.is_full:
        return _fallback("responder busy", f"{NAME} has too many calls waiting", message, known, decision, bot)
    with bot.work.look() as tx:
        context = _context_of(tx, message, known, bot)
    now = bot.work.now()
    deadline, lane = now + bot.rules.bot.responder_wait, bot.work.claimed.lane
    question = Call(_said_by(message, known, bot), context, lane, deadline)
    responder_pool.record_question(bot.tx, message.message_sid, lane, members, now)
    # Asked when the question is on disk and the lane free: an answer that is faster finds both.
    raise Postponed(deadline, WAITS, afterwards=lambda: bot.responder.ask(question))


def _decided(answer: Mapping[str, Any], message: Message, known: Known, decision: Decision, bot: Bot) -> Decision:
    if failed := answer.get("failed"):
        return _fallback("responder failed", f"{NAME} failed: {failed}", message, known, decision, bot)
    reply = answer["reply"]
    if reply is None:
        return _decision(decision, "no answer", f"no rule matched, and {NAME} had no answer", "no answer")
    code = "replied" if reply["text"] or reply["media"] else "acted"
    made = _decision(decision, code, f"no rule matched; {NAME} answered", "", reply=reply["text"])
    return replace(made, media=reply["media"], actions=engine.Actions(hand_over=reply["hand_over"]))


def _fallback(code: str, reason: str, message: Message, known: Known, decision: Decision, bot: Bot) -> Decision:
    settings = bot.rules.bot
    if not settings.responder_fallback:
        return _decision(decision, code, reason, reason)
    try:
        text = render_reply(settings.responder_fallback, engine.template_values(message, known, settings, bot.now))
    except ReplyError as error:
        return _decision(decision, code, f"{reason}; responder_fallback failed: {error}", reason)
    return _decision(decision, code, reason, reason, reply=text)


def _decision(decision: Decision, code: str, reason: str, failed: str, *, reply: str = "") -> Decision:
    tried = (*decision.tried, Tried(NAME, failed))
    return replace(decision, reply=reply or None, rule=NAME, reason=reason, tried=tried, code=code)


def _opted_out_meanwhile(tx: Connection, message: Message, bot: Bot) -> bool:
    """Return whether the customer's wish for silence is stored behind the message and not yet worked on."""
    behind = read_messages(queue.waiting(tx, bot.work.claimed, MessageAdded.event_type))
    texts = [one.body for one in behind if one.author == message.author]
    return newest_wish(reversed(texts), bot.rules.bot, message.channel) in ("out", "perhaps out")


def _context_of(tx: Connection, message: Message, known: Known, bot: Bot) -> Context:
    """Return what is known of the conversation of a message that is being decided."""
    return Context(
        conversation_sid=message.conversation_sid,
        channel=message.channel,
        now=bot.now.astimezone(bot.rules.bot.timezone),
        friendly_name=known.friendly_name,
        attributes=known.attributes,
        participant_attributes=known.participant_attributes,
        first_contact=known.first_contact,
        is_open=business_hours.is_open(bot.rules.bot, bot.now),
        recent=_recent(tx, message, known, bot),
    )


def _said_by(message: Message, known: Known, bot: Bot) -> Said:
    """Return a message as a responder sees it."""
    return Said(
        text=message.text,
        author=message.author,
        at=message.sent_at.astimezone(bot.rules.bot.timezone),
        by=writer_of(message, known, bot.policy),
        message_sid=message.message_sid,
        attributes=message.attributes,
        has_media=message.has_media,
        texts=message.texts or (message.text,),
    )


def _recent(tx: Connection, message: Message, known: Known, bot: Bot) -> tuple[Said, ...]:
    """Return the newest messages before this one, oldest first, with our own, of which Twilio sends no webhook."""
    said = [_said_by(stored_message(row), known, bot) for row in _messages_before(tx, message)]
    came_back = {one.message_sid for one in said}
    ours = [_said_by_us(row, bot) for row in _sent_replies(tx, message) if row.message_sid not in came_back]
    return tuple(sorted([*said, *ours], key=lambda one: one.at)[-RECENT:])


def _messages_before(tx: Connection, message: Message) -> list[Record]:
    here = (messages.c.conversation_sid == message.conversation_sid, messages.c.removed_at.is_(None))
    query = select(messages).where(*here, messages.c.message_sid != message.message_sid)
    return list(tx.execute(query.order_by(messages.c.message_index.desc()).limit(RECENT)))


def _sent_replies(tx: Connection, message: Message) -> list[Record]:
    sent = (replies.c.conversation_sid == message.conversation_sid, replies.c.state == "sent")
    return list(tx.execute(select(replies).where(*sent).order_by(replies.c.intended_at.desc()).limit(RECENT)))


def _said_by_us(row: Record, bot: Bot) -> Said:
    return Said(
        text=row.body,
        author=bot.policy.bot_author,
        at=(row.sent_at or row.intended_at).astimezone(bot.rules.bot.timezone),
        by="bot",
        message_sid=row.message_sid or "",
        has_media=bool(row.media),
        texts=(row.body,),
    )
