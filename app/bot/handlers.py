"""Which function handles which event, in one table; what the bot does about all but messages stands here too.

A handler says in one line what happened. An event without one is kept and ignored.
"""

from __future__ import annotations

import logging

from app.bot.consents import note_refusal_of_carrier
from app.bot.context import Bot
from app.bot.follow_ups import put_follow_up_in_line
from app.bot.recording import note_message
from app.bot.replying import follow_up, reply_to_message
from app.db.database import Record
from app.inbox.dispatch import Handler
from app.inbox.internal_events import FollowUpDue, TimerEnded
from app.store import conversations, deliveries, mirror, rate_limits, replies
from app.twilio_api.client import ReceiptDetail
from app.twilio_api.errors import SendError, meaning
from app.twilio_api.events import (
    ConversationAdded,
    ConversationEvent,
    ConversationRemoved,
    ConversationStateUpdated,
    ConversationUpdated,
    DeliveryUpdated,
    MessageAdded,
    MessageRemoved,
    MessageUpdated,
    ParticipantAdded,
    ParticipantEvent,
    ParticipantRemoved,
    ParticipantUpdated,
)

log = logging.getLogger("parley.deliveries")

OPTED_OUT = 21610


def note_edit(event: MessageUpdated, bot: Bot) -> str:
    """Update the stored message; an edited message is not answered again."""
    note_message(event, bot)
    return "stored the edit"


def note_removal(event: MessageRemoved, bot: Bot) -> str:
    """Mark the stored message as removed; its text goes too, as it has at Twilio."""
    note_message(event, bot, body="", removed_at=event.date_removed or bot.now)
    return "marked the message as removed"


def record_delivery(event: DeliveryUpdated, bot: Bot) -> str:
    """Store a receipt; for a failed one also ask Twilio for the details, and remember who has opted out."""
    if not event.status:
        return "names no status, so nothing was changed"
    receipt = deliveries.Receipt(
        delivery_receipt_sid=event.delivery_receipt_sid,
        message_sid=event.message_sid,
        conversation_sid=event.conversation_sid,
        participant_sid=event.participant_sid,
        channel_message_sid=event.channel_message_sid,
        status=event.status,
        error_code=event.error_code,
        dated=event.date_updated or event.date_created,
    )
    claimed = bot.work.claimed
    delivery = deliveries.record_receipt(bot.tx, receipt, inbox_id=claimed.id, received_at=claimed.received_at)
    whose = "" if replies.reply_sent_as(bot.tx, event.message_sid) else ", not a reply of ours"
    if event.status not in ("failed", "undelivered"):
        return f"{event.status}{whose}"
    if bot.policy.is_of_another_account(event.account_sid):
        return f"{event.status}{whose}, of another account"
    if delivery.status in deliveries.ARRIVED:  # a receipt that a newer one has overtaken
        return f"{event.status}{whose}, but it is {delivery.status}"
    return _explain_failure(event, delivery, bot) + whose


def _explain_failure(event: DeliveryUpdated, delivery: Record, bot: Bot) -> str:
    """Return what a failure means, after asking REST for the details; an answer we do not get is no failure of ours."""
    bot.work.commit()  # the receipt is on disk whatever REST says
    code, detail = delivery.error_code, ""
    try:
        found = _ask_about(event, bot)
        code = found.error_code or code
        detail = f"REST: {found.status or 'no status'}, code {found.error_code}"
    except SendError as error:
        detail = f"details not fetched: {error.reason}"
    deliveries.note_detail(bot.tx, event.delivery_receipt_sid, detail, code)
    if code == OPTED_OUT:
        at = min(event.date_updated or bot.now, bot.now)
        note_refusal_of_carrier(event.participant_sid, code, event.conversation_sid, event.message_sid, at, bot)
    facts = {"message_sid": event.message_sid, "participant_sid": event.participant_sid, "error_code": code}
    log.warning(event.status, extra={**facts, "meaning": meaning(code), "detail": detail})
    return f"{event.status} {code}: {meaning(code)}" if code else f"{event.status}, no error code"


def _ask_about(event: DeliveryUpdated, bot: Bot) -> ReceiptDetail:
    with bot.work.look() as tx:
        if rate_limits.opens_at(tx, event.conversation_sid, bot.work.now()):
            raise SendError(rate_limits.ASKED, "retry")
    with bot.calling_twilio() as twilio:
        return twilio.fetch_receipt(
            event.conversation_sid,
            event.chat_service_sid,
            message_sid=event.message_sid,
            delivery_receipt_sid=event.delivery_receipt_sid,
        )


def note_conversation(event: ConversationAdded, bot: Bot) -> str:
    """Store the conversation."""
    return _note_conversation(event, bot)


def note_conversation_change(event: ConversationUpdated, bot: Bot) -> str:
    """Update the stored conversation."""
    return _note_conversation(event, bot)


def note_conversation_removal(event: ConversationRemoved, bot: Bot) -> str:
    """Mark the conversation as removed: the bot is silent in it."""
    _note_conversation(event, bot)
    facts = {"removed_at": event.date_removed or bot.now}
    conversations.note_conversation(bot.tx, event.conversation_sid, facts)
    return "marked the conversation as removed"


def note_conversation_state(event: ConversationStateUpdated, bot: Bot) -> str:
    """Store the conversation's new state: in a closed one the bot is silent."""
    conversations.note_conversation(bot.tx, event.conversation_sid, {"chat_service_sid": event.chat_service_sid})
    conversations.note_state(bot.tx, event.conversation_sid, event.state_to, dated=event.state_updated)
    return f"{event.state_from or 'unknown'} -> {event.state_to or 'unknown'}"


def _note_conversation(event: ConversationEvent, bot: Bot) -> str:
    facts = {
        "chat_service_sid": event.chat_service_sid,
        "messaging_service_sid": event.messaging_service_sid,
        "friendly_name": event.friendly_name,
        "unique_name": event.unique_name,
        "attributes": event.attributes,
    }
    dated = event.date_removed or event.date_updated or event.date_created
    mirror.merge_conversation(bot.tx, event.conversation_sid, facts, state=event.state, dated=dated)
    return "stored the conversation"


def note_participant(event: ParticipantAdded, bot: Bot) -> str:
    """Store the participant: an address (SMS, WhatsApp) or a chat identity."""
    return _note_participant(event, bot)


def note_participant_change(event: ParticipantUpdated, bot: Bot) -> str:
    """Update the stored participant, also how far they have read."""
    return _note_participant(event, bot)


def note_participant_removal(event: ParticipantRemoved, bot: Bot) -> str:
    """Mark the participant as removed."""
    line = _note_participant(event, bot)
    if not event.participant_sid:
        return line
    conversations.note_participant(bot.tx, event.participant_sid, {"removed_at": event.date_removed or bot.now})
    return "marked the participant as removed"


def _note_participant(event: ParticipantEvent, bot: Bot) -> str:
    if not event.participant_sid:
        return "names no participant"
    facts = {
        "conversation_sid": event.conversation_sid,
        "identity": event.identity,
        "address": event.messaging_binding_address,
        "proxy_address": event.messaging_binding_proxy_address,
        "type": event.messaging_binding_type.lower(),
        "role_sid": event.role_sid,
        "attributes": event.attributes,
        "last_read_index": event.last_read_message_index,
    }
    dated = event.date_removed or event.date_updated or event.date_created
    conversations.note_participant(bot.tx, event.participant_sid, facts, dated=dated)
    return "stored the participant"


HANDLERS: dict[type, Handler] = {
    MessageAdded: reply_to_message,
    MessageUpdated: note_edit,
    MessageRemoved: note_removal,
    DeliveryUpdated: record_delivery,
    ConversationAdded: note_conversation,
    ConversationUpdated: note_conversation_change,
    ConversationRemoved: note_conversation_removal,
    ConversationStateUpdated: note_conversation_state,
    ParticipantAdded: note_participant,
    ParticipantUpdated: note_participant_change,
    ParticipantRemoved: note_participant_removal,
    TimerEnded: put_follow_up_in_line,
    FollowUpDue: follow_up,
}
