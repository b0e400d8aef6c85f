"""Tells a responder what is known: the message, the conversation, and what was said in it before."""

from __future__ import annotations

from sqlalchemy import Connection, select

from app.bot.context import Bot
from app.bot.facts_loader import stored_message
from app.db.database import Record
from app.db.tables import messages, replies
from app.responder import Context
from app.responder import Message as Said
from app.rules import business_hours, facts

RECENT = 20


def context_of(tx: Connection, message: facts.Message, known: facts.Known, bot: Bot) -> Context:
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


def said_by(message: facts.Message, known: facts.Known, bot: Bot) -> Said:
    """Return a message as a responder sees it."""
    return Said(
        text=message.text,
        author=message.author,
        at=message.sent_at.astimezone(bot.rules.bot.timezone),
        by=facts.writer_of(message, known, bot.policy),
        message_sid=message.message_sid,
        attributes=message.attributes,
        has_media=message.has_media,
        texts=message.texts or (message.text,),
    )


def _recent(tx: Connection, message: facts.Message, known: facts.Known, bot: Bot) -> tuple[Said, ...]:
    """Return the newest messages before this one, oldest first, with our own, of which Twilio sends no webhook."""
    said = [said_by(stored_message(row), known, bot) for row in _messages(tx, message)]
    came_back = {one.message_sid for one in said}
    ours = [_said_by_us(row, bot) for row in _replies(tx, message) if row.message_sid not in came_back]
    return tuple(sorted([*said, *ours], key=lambda one: one.at)[-RECENT:])


def _messages(tx: Connection, message: facts.Message) -> list[Record]:
    here = (messages.c.conversation_sid == message.conversation_sid, messages.c.removed_at.is_(None))
    query = select(messages).where(*here, messages.c.message_sid != message.message_sid)
    return list(tx.execute(query.order_by(messages.c.message_index.desc()).limit(RECENT)))


def _replies(tx: Connection, message: facts.Message) -> list[Record]:
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
