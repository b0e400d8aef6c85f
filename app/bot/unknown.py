"""Fetches a conversation and an author of whom nothing is stored from Twilio, before the first decision about them.

An agents' program that writes through REST fires no webhook: only Twilio knows what it wrote. An answer that does not
come is no failure: the bot decides by what the webhook says, and asks again at the next message.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from sqlalchemy import Connection

from app.bot.context import HandlerContext
from app.bot.facts_loader import Rows
from app.bot.gates import CLOSED_FOR
from app.db.tables import conversations as conversations_table
from app.db.tables import participants as participants_table
from app.inbox import internal_events, queue
from app.store import conversations, mirror, rate_limits
from app.twilio_api.bounded_http import in_all
from app.twilio_api.errors import SendError
from app.twilio_api.events import ConversationAdded, MessageAdded, ParticipantAdded
from app.twilio_api.resources import ShownConversation, ShownParticipant, conversation_of, participant_of

SECONDS = 2.0  # for both, in all

log = logging.getLogger("parley.worker")


@dataclass(frozen=True)
class Unknown:
    """Of whom Twilio is to be asked before a message is decided on."""

    conversation: bool
    participant: bool


def read(tx: Connection, event: MessageAdded, rows: Rows, context: HandlerContext) -> Unknown | None:
    """Return of whom nothing is known, if so of anybody: neither their Added event nor an earlier message is stored.

    An event that is not yet worked on counts too, and so does that of a conversation that was made for the message.
    """
    here, author = rows.conversation, rows.author
    conversation = rows.lack_conversation
    participant = bool(event.participant_sid) and rows.lack_author
    if event.author == context.policy.bot_author or not (conversation or participant):
        return None
    keys = [
        f"{ConversationAdded.event_type}:{event.conversation_sid}",
        f"{ParticipantAdded.event_type}:{event.participant_sid}",
    ]
    requests = filter(None, [queue.stored_request(tx, key) for key in keys])
    added = [internal_events.read(one.method, one.target, one.body) for one in requests]
    conversation_is_told = any(isinstance(one, ConversationAdded) for one in added)
    participant_is_told = any(isinstance(one, ParticipantAdded) or _is_made_for(one, event.author) for one in added)
    conversation = conversation and (not conversation_is_told or bool(here and here.fetch_due))
    participant = participant and (not participant_is_told or bool(author and author.fetch_due))
    return Unknown(conversation, participant) if conversation or participant else None


def _is_made_for(event: object, author: str) -> bool:
    """Return whether Twilio made a conversation for a message of this author, who has no attributes yet."""
    return isinstance(event, ConversationAdded) and author in event.messaging_binding_address.split(",")


def ask(event: MessageAdded, unknown: Unknown, context: HandlerContext) -> None:
    """Ask for them, for 2 s at most, and store what Twilio shows, or that it is to be asked again. Raises LeaseLost."""
    sid, person = event.conversation_sid, event.participant_sid
    with context.job.read() as tx:
        asks_to_wait = rate_limits.opens_at(tx, sid, context.job.now())
    here, author = (None, None) if asks_to_wait else _ask_twilio(event, unknown, context)
    if here:
        mirror.show_conversation(context.tx, here)
    elif unknown.conversation:
        conversations.record_conversation(context.tx, sid, {})
        conversations.ask_again(context.tx, conversations_table, sid)
    if author:
        mirror.show_participant(context.tx, author)
    elif unknown.participant:
        conversations.record_participant(context.tx, person, {"conversation_sid": sid})
        conversations.ask_again(context.tx, participants_table, person)
    context.job.commit()


def _ask_twilio(
    event: MessageAdded, unknown: Unknown, context: HandlerContext
) -> tuple[ShownConversation | None, ShownParticipant | None]:
    """Return what Twilio shows of whom is asked for; None for what it does not show in time."""

    here = author = None
    context.twilio.warm_up()
    try:
        with context.calling_twilio() as twilio, in_all(SECONDS):
            conversation = twilio.conversation(event.conversation_sid, event.chat_service_sid)
            if unknown.conversation:
                here = conversation_of(vars(twilio.ask(lambda _client: conversation.fetch())))
            if unknown.participant:
                person = conversation.participants(event.participant_sid)
                author = participant_of(vars(twilio.ask(lambda _client: person.fetch())))
    except SendError as error:
        if error.asks_to_wait:
            scope = rate_limits.ACCOUNT if error.scope == "account" else event.conversation_sid
            rate_limits.close(context.tx, scope, error.retry_after or CLOSED_FOR, context.job.now(), error.reason)
        facts = {"conversation_sid": event.conversation_sid, "participant_sid": event.participant_sid}
        log.warning("facts.not_fetched", extra={**facts, "reason": error.reason})
    return here, author
