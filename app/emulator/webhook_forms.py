"""The parameters that each webhook carries, except those that all have in common (webhook_delivery.py adds them).

Optional values are left out, never sent empty.
Source: conversations-classic/conversations-webhooks, read 2026-11-22, and captured requests.
"""

import json
from collections.abc import Iterable
from datetime import datetime

from app.emulator.clock import webhook_time
from app.emulator.models import Conversation, EmulatedMessage, EmulatedReceipt, Participant, StoredMedia, User

Form = dict[str, str]
CARRIERS = ("SMS", "WHATSAPP")


def present(**values: str | None) -> Form:
    """Return the values that are there, as a form."""
    return {name: value for name, value in values.items() if value is not None}


def media_text(media: Iterable[StoredMedia]) -> str | None:
    """Return the Media parameter, a string holding a JSON array, or None without media."""
    files = [
        {"Sid": file.sid, "ContentType": file.content_type, "Filename": file.filename, "Size": file.size}
        for file in media
    ]
    return json.dumps(files, separators=(",", ":")) if files else None


def message_form(event_type: str, conversation: Conversation, message: EmulatedMessage, now: datetime) -> Form:
    """Return the parameters of onMessageAdded, Update(d) and Remove(d)."""
    form = present(
        ConversationSid=conversation.sid,
        ChatServiceSid=conversation.service_sid,
        MessageSid=message.sid,
        Index=str(message.index),
        DateCreated=webhook_time(message.created),
        Body=message.body,
        Author=message.author,
        ParticipantSid=message.participant_sid,
        Attributes=message.attributes,
        Media=media_text(message.media),
    )
    if event_type == "onMessageAdded":
        carrier = {"MessagingServiceSid": conversation.messaging_service_sid}
        return form | (carrier if message.source in CARRIERS else {})
    form["DateUpdated"] = webhook_time(message.updated)
    return form | ({"DateRemoved": webhook_time(now)} if event_type == "onMessageRemoved" else {})


def conversation_form(
    event_type: str, conversation: Conversation, now: datetime, first: Participant | None = None
) -> Form:
    """Return the parameters of the conversation events; `first` is the customer who caused an autocreation."""
    form = present(
        ConversationSid=None if event_type == "onConversationAdd" else conversation.sid,
        FriendlyName=conversation.friendly_name,
        UniqueName=conversation.unique_name,
        Attributes=conversation.attributes,
        ChatServiceSid=conversation.service_sid,
        MessagingServiceSid=conversation.messaging_service_sid,
        State=conversation.state,
    )
    if event_type != "onConversationAdd":
        form["DateCreated"] = webhook_time(conversation.created)
        form["DateUpdated"] = webhook_time(conversation.updated)
    if event_type == "onConversationRemoved":
        form["DateRemoved"] = webhook_time(now)
    return form | (binding_form(first, with_type=False) if first else {})


def state_form(conversation: Conversation, before: str, reason: str, now: datetime) -> Form:
    """Return the parameters of onConversationStateUpdated; what a timer does has no messaging service."""
    return present(
        ConversationSid=conversation.sid,
        ChatServiceSid=conversation.service_sid,
        MessagingServiceSid=None if reason == "TIMER" else conversation.messaging_service_sid,
        StateFrom=before,
        StateTo=conversation.state,
        Reason=reason,
        StateUpdated=webhook_time(now),
    )


def binding_form(participant: Participant, *, with_type: bool = True) -> Form:
    """Return the MessagingBinding parameters; the type is lower-case on the wire."""
    values = {
        "MessagingBinding.Type": participant.kind if with_type else None,
        "MessagingBinding.Address": participant.address,
        "MessagingBinding.ProxyAddress": participant.proxy_address,
        "MessagingBinding.ProjectedAddress": participant.projected_address,
    }
    return {name: value for name, value in values.items() if value is not None}


def participant_form(event_type: str, participant: Participant, now: datetime) -> Form:
    """Return the parameters of the participant events."""
    form = binding_form(participant) | present(
        ConversationSid=participant.conversation_sid,
        Identity=participant.identity,
        RoleSid=participant.role_sid,
        Attributes=participant.attributes,
    )
    if event_type == "onParticipantAdd":
        return form
    form |= {"ParticipantSid": participant.sid, "DateCreated": webhook_time(participant.created)}
    if event_type != "onParticipantAdded":
        form["DateUpdated"] = webhook_time(participant.updated)
    if event_type == "onParticipantUpdated" and participant.last_read_index is not None:
        form["LastReadMessageIndex"] = str(participant.last_read_index)
    return form | ({"DateRemoved": webhook_time(now)} if event_type == "onParticipantRemoved" else {})


def delivery_form(conversation: Conversation, message: EmulatedMessage, receipt: EmulatedReceipt) -> Form:
    """Return the parameters of onDeliveryUpdated; there is no ErrorCode when there is no error."""
    return present(
        ConversationSid=conversation.sid,
        ChatServiceSid=conversation.service_sid,
        MessageSid=message.sid,
        DeliveryReceiptSid=receipt.sid,
        ChannelMessageSid=receipt.channel_message_sid,
        ParticipantSid=receipt.participant_sid,
        Status=receipt.status,
        ErrorCode=str(receipt.error_code) if receipt.error_code else None,
        DateCreated=webhook_time(receipt.created),
        DateUpdated=webhook_time(receipt.updated),
    )


def user_form(event_type: str, user: User) -> Form:
    """Return the parameters of the user events; isOnline and isNotifiable begin with a small letter."""
    form = present(
        ChatServiceSid=user.service_sid,
        UserSid=user.sid,
        Identity=user.identity,
        RoleSid=user.role_sid,
        Attributes=user.attributes,
        FriendlyName=user.friendly_name,
    )
    if event_type != "onUserUpdate":
        form["DateCreated"] = webhook_time(user.created)
    if event_type != "onUserAdded":
        form["DateUpdated"] = webhook_time(user.updated)
    if event_type == "onUserUpdated":
        form |= {"isOnline": str(user.is_online).lower(), "isNotifiable": str(user.is_notifiable).lower()}
    return form
