"""Describes an event in words: what Twilio posted, what the bot did, and its parameters."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection

from app.db.database import Record
from app.store import messages
from app.store import replies as delivery_log
from app.twilio_api.errors import meaning
from app.twilio_api.events import (
    ConversationEvent,
    DeliveryUpdated,
    Event,
    MessageAdded,
    MessageEvent,
    ParticipantEvent,
    UserEvent,
)
from app.twilio_api.form import Form


@dataclass(frozen=True)
class Wording:
    """How names (numbers, identities), texts and SIDs are written; a `title` is what a conversation is called."""

    name: Callable[[str], str]
    text: Callable[[str], str]
    title: Callable[[str], str]
    sid: Callable[[str], str] = str


def came_in(event: Event, wording: Wording) -> str:
    """Return who wrote what, which message became what, or whom the event is about."""
    if isinstance(event, MessageEvent):
        media = f" + {len(event.media)} media" if event.media else ""
        return f"{wording.name(event.author)}: {wording.text(event.body)}{media}"
    if isinstance(event, DeliveryUpdated):
        code = f" {event.error_code}" if event.error_code else ""
        return f"{wording.sid(event.message_sid)} is {event.status}{code}"
    if isinstance(event, ParticipantEvent):
        return wording.name(event.messaging_binding_address or event.identity) or event.participant_sid
    if isinstance(event, ConversationEvent):
        return wording.title(event.friendly_name) or event.conversation_sid
    if isinstance(event, UserEvent):
        return wording.name(event.identity) or event.user_sid
    return event.account_sid


def went_out(tx: Connection, row: Record, event: Event, wording: Wording) -> str:
    """Return what we did about an event that is finished: the replies, whose receipt it was, or its outcome."""
    if isinstance(event, MessageAdded):
        replies = delivery_log.replies_to(tx, event.message_sid)
        if replies:
            return "; ".join(f"rule {reply.rule} -> {wording.text(reply.body)} ({reply.state})" for reply in replies)
    if isinstance(event, DeliveryUpdated):
        why = f", {meaning(event.error_code)}" if event.error_code else ""
        return f"{_whose(tx, event.message_sid, wording)}: {event.status}{why}"
    return str(row.outcome)


def _whose(tx: Connection, message_sid: str, wording: Wording) -> str:
    reply = delivery_log.reply_sent_as(tx, message_sid)
    if reply:
        return f"reply of rule {reply.rule}"
    known = messages.message(tx, message_sid)
    return f"message of {wording.name(known.author)}" if known else "a message we know nothing of"


def waits(row: Record) -> str:
    """Return what an event that is not finished waits for."""
    if row.state == "processing":
        return "is worked on"
    if row.state == "scheduled":
        at = f"{row.ready_at:%Y-%m-%d %H:%M:%S} UTC"
        return f"again at {at}, {row.attempts} attempts so far: {row.outcome or 'not its turn yet'}"
    return "waits for a worker"


_PLAIN = re.compile(r"EventType|Index|RetryCount|Seconds|Source|Status|ErrorCode|Reason|State.*|Date.*|.*Sid")


def shown(form: Form, *, raw: bool = False, hint: str = "") -> list[tuple[str, str]]:
    """Return name and value of each parameter; in place of what may be private its length, and the hint. All if `raw`.

    What is no Unicode is replaced, so that it can be written anywhere.
    """
    return [
        (_sound(name), _sound(value if raw or _PLAIN.fullmatch(name) else _length(value, hint))) for name, value in form
    ]


def _length(value: str, hint: str) -> str:
    return f"({len(value)} characters{hint})"


def _sound(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
