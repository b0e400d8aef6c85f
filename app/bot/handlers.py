"""Which function handles which event, in one table; what the bot does about all but messages stands here too.

A handler says in one line what happened. An event without one is kept and ignored.
"""

from __future__ import annotations

import logging

from app.bot.consents import record_refusal_of_carrier
from app.bot.context import HandlerContext
from app.bot.follow_ups import put_follow_up_in_line
from app.bot.notices import record_failed_answer
from app.bot.recording import record_message
from app.bot.replying import follow_up, reply_to_message
from app.db.database import Record
from app.inbox.dispatch import Handler
from app.inbox.internal_events import FollowUpDue, TimerEnded
from app.store import conversations, deliveries, messages, mirror, rate_limits, replies
from app.store.messages import DecisionKey
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


def record_edit(event: MessageUpdated, context: HandlerContext) -> str:
    """Update the stored message; an edited message is not answered again."""
    record_message(event, context)
    return "stored the edit"


def record_removal(event: MessageRemoved, context: HandlerContext) -> str:
    """Mark the stored message as removed; its text goes too, as it has at Twilio."""
    record_message(event, context, body="", removed_at=event.date_removed or context.now)
    return "marked the message as removed"


def record_delivery(event: DeliveryUpdated, context: HandlerContext) -> str:
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
    claimed = context.job.claimed
    delivery = deliveries.record_receipt(context.tx, receipt, inbox_id=claimed.id, received_at=claimed.received_at)
    whose = "" if replies.reply_sent_as(context.tx, event.message_sid) else ", not a reply of ours"
    if event.status not in ("failed", "undelivered"):
        return f"{event.status}{whose}"
    if context.policy.is_of_another_account(event.account_sid):
        return f"{event.status}{whose}, of another account"
    if delivery.status in deliveries.ARRIVED:  # a receipt that a newer one has overtaken
        return f"{event.status}{whose}, but it is {delivery.status}"
    return _explain_failure(event, delivery, context) + whose


def _explain_failure(event: DeliveryUpdated, delivery: Record, context: HandlerContext) -> str:
    """Return what a failure means, after asking REST for the details; an answer we do not get is no failure of ours."""
    context.job.commit()  # the receipt is on disk whatever REST says
    code, detail = delivery.error_code, ""
    try:
        found = _ask_about(event, context)
        code = found.error_code or code
        detail = f"REST: {found.status or 'no status'}, code {found.error_code}"
    except SendError as error:
        detail = f"details not fetched: {error.reason}"
    deliveries.record_detail(context.tx, event.delivery_receipt_sid, detail, code)
    if code == OPTED_OUT:
        at = min(event.date_updated or context.now, context.now)
        record_refusal_of_carrier(event.participant_sid, code, event.conversation_sid, event.message_sid, at, context)
    if context.recorder and (agent := _agent_who_wrote(event.message_sid, context)):
        record_failed_answer(event, code, agent, meaning(code), context)
    facts = {"message_sid": event.message_sid, "participant_sid": event.participant_sid, "error_code": code}
    log.warning("delivery.failed", extra={"status": event.status, **facts, "meaning": meaning(code), "detail": detail})
    return f"{event.status} {code}: {meaning(code)}" if code else f"{event.status}, no error code"


def _agent_who_wrote(message_sid: str, context: HandlerContext) -> str:
    """Return which human agent wrote a message; "" for what nobody of them did."""
    decided = messages.decision(context.tx, DecisionKey(message_sid))
    row = messages.message(context.tx, message_sid) if decided and decided.code == "agent" else None
    return row.author if row else ""


def _ask_about(event: DeliveryUpdated, context: HandlerContext) -> ReceiptDetail:
    with context.job.read() as tx:
        if rate_limits.opens_at(tx, event.conversation_sid, context.job.now()):
            raise SendError(rate_limits.ASKED, "retry")
    with context.calling_twilio() as twilio:
        return twilio.fetch_receipt(
            event.conversation_sid,
            event.chat_service_sid,
            message_sid=event.message_sid,
            delivery_receipt_sid=event.delivery_receipt_sid,
        )


def record_conversation(event: ConversationAdded, context: HandlerContext) -> str:
    """Store the conversation."""
    return _record_conversation(event, context)


def record_conversation_change(event: ConversationUpdated, context: HandlerContext) -> str:
    """Update the stored conversation."""
    return _record_conversation(event, context)


def record_conversation_removal(event: ConversationRemoved, context: HandlerContext) -> str:
    """Mark the conversation as removed: the bot is silent in it."""
    _record_conversation(event, context)
    facts = {"removed_at": event.date_removed or context.now}
    conversations.record_conversation(context.tx, event.conversation_sid, facts)
    return "marked the conversation as removed"


def record_conversation_state(event: ConversationStateUpdated, context: HandlerContext) -> str:
    """Store the conversation's new state: in a closed one the bot is silent."""
    conversations.record_conversation(context.tx, event.conversation_sid, {"chat_service_sid": event.chat_service_sid})
    conversations.record_state(context.tx, event.conversation_sid, event.state_to, dated=event.state_updated)
    return f"{event.state_from or 'unknown'} -> {event.state_to or 'unknown'}"


def _record_conversation(event: ConversationEvent, context: HandlerContext) -> str:
    facts = {
        "chat_service_sid": event.chat_service_sid,
        "messaging_service_sid": event.messaging_service_sid,
        "friendly_name": event.friendly_name,
        "unique_name": event.unique_name,
        "attributes": event.attributes,
    }
    dated = event.date_removed or event.date_updated or event.date_created
    mirror.merge_conversation(context.tx, event.conversation_sid, facts, state=event.state, dated=dated)
    return "stored the conversation"


def record_participant(event: ParticipantAdded, context: HandlerContext) -> str:
    """Store the participant: an address (SMS, WhatsApp) or a chat identity."""
    return _record_participant(event, context)


def record_participant_change(event: ParticipantUpdated, context: HandlerContext) -> str:
    """Update the stored participant, also how far they have read."""
    return _record_participant(event, context)


def record_participant_removal(event: ParticipantRemoved, context: HandlerContext) -> str:
    """Mark the participant as removed."""
    line = _record_participant(event, context)
    if not event.participant_sid:
        return line
    conversations.record_participant(
        context.tx, event.participant_sid, {"removed_at": event.date_removed or context.now}
    )
    return "marked the participant as removed"


def _record_participant(event: ParticipantEvent, context: HandlerContext) -> str:
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
    conversations.record_participant(context.tx, event.participant_sid, facts, dated=dated)
    return "stored the participant"


HANDLERS: dict[type, Handler] = {
    MessageAdded: reply_to_message,
    MessageUpdated: record_edit,
    MessageRemoved: record_removal,
    DeliveryUpdated: record_delivery,
    ConversationAdded: record_conversation,
    ConversationUpdated: record_conversation_change,
    ConversationRemoved: record_conversation_removal,
    ConversationStateUpdated: record_conversation_state,
    ParticipantAdded: record_participant,
    ParticipantUpdated: record_participant_change,
    ParticipantRemoved: record_participant_removal,
    TimerEnded: put_follow_up_in_line,
    FollowUpDue: follow_up,
}
