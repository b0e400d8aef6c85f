"""Stores what a message tells: its text, who its author is, that a human took over, that somebody wants silence."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from app.bot.consents import address_of, note_wish
from app.bot.context import Bot
from app.rules import facts as facts_module
from app.store import conversations, messages
from app.twilio_api.events import MessageEvent


def note_message(event: MessageEvent, bot: Bot, **more: Any) -> None:
    """Store the message that an event describes; an event older than what is stored only fills gaps."""
    facts = {
        "conversation_sid": event.conversation_sid,
        "message_index": event.index,
        "author": event.author,
        "participant_sid": event.participant_sid,
        "body": event.body,
        "attributes": event.attributes,
        "media": [
            {name: getattr(one, name) for name in ("sid", "content_type", "filename", "size")} for one in event.media
        ],
        "source": event.source,
        "created_at": event.date_created,
        **more,
    }
    dated = event.date_removed or event.date_updated or event.date_created
    messages.note_message(bot.tx, event.message_sid, facts, dated=dated, now=bot.now)


def note_author(message: facts_module.Message, known: facts_module.Known, writer: str, code: str, bot: Bot) -> None:
    """Store what a message tells of its author: who they are, that they wrote, took over, or want silence."""
    tx, sid, address = bot.tx, message.conversation_sid, address_of(message)
    who = {"address": address, "identity": "" if address else message.author}
    if writer == "customer":
        conversations.note_inbound(tx, sid, message.participant_sid, who, message.sent_at)
        note_wish(message, known, code, bot)
    elif writer == "agent":
        if message.participant_sid:
            conversations.note_participant(tx, message.participant_sid, {"conversation_sid": sid, **who})
        note_takeover(tx, sid, message.sent_at, bot.rules.bot.pause_after_agent)


def note_takeover(tx: Connection, conversation_sid: str, wrote_at: datetime, pause_for: timedelta) -> None:
    """Store that a human agent wrote: whoever waited has been answered, and the bot is silent for a while."""
    conversations.note_conversation(tx, conversation_sid, {})
    conversations.note_agent(tx, conversation_sid, wrote_at)
    conversations.pause(tx, conversation_sid, wrote_at + pause_for, "an agent wrote", by="agent")
