"""Stores what an inbound message changes: its text, its author, a takeover by a human, an opt-out."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from app.bot.consents import address_of, record_wish
from app.bot.context import HandlerContext
from app.rules import facts as facts_module
from app.store import conversations, messages
from app.twilio_api.events import MessageEvent


def record_message(event: MessageEvent, context: HandlerContext, **more: Any) -> None:
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
    messages.record_message(context.tx, event.message_sid, facts, dated=dated, now=context.now)


def record_author(
    message: facts_module.Inbound,
    known: facts_module.ConversationFacts,
    writer: str,
    code: str,
    context: HandlerContext,
) -> bool:
    """Store what a message tells of its author: who they are, that they wrote, took over, or want silence.

    Return whether it may be a wish to opt out that nobody knew of.
    """
    tx, sid, address = context.tx, message.conversation_sid, address_of(message)
    who = {"address": address, "identity": "" if address else message.author}
    if writer == "customer":
        conversations.record_inbound(tx, sid, message.participant_sid, who, message.sent_at)
        return record_wish(message, known, code, context)
    if writer == "agent":
        if message.participant_sid:
            conversations.record_participant(tx, message.participant_sid, {"conversation_sid": sid, **who})
        record_takeover(tx, sid, message.sent_at, context.rules.bot.pause_after_agent)
    return False


def record_takeover(tx: Connection, conversation_sid: str, wrote_at: datetime, pause_for: timedelta) -> None:
    """Store that a human agent wrote: whoever waited has been answered, and the bot is silent for a while."""
    conversations.record_conversation(tx, conversation_sid, {})
    conversations.record_agent(tx, conversation_sid, wrote_at)
    conversations.pause(tx, conversation_sid, wrote_at + pause_for, "an agent wrote", by="agent")
