"""Twilio's webhook events: a frozen class for each, with its fields and what makes it unique."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, dataclass_transform

from app.twilio_api.form import (
    Media,
    parameter,
    read_attributes,
    read_date,
    read_flag,
    read_index,
    read_media,
    read_number,
)

EVENT_CLASSES: dict[str, type["Event"]] = {}


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(parameter, field))
def _event(event_type: str = "", *key_parts: str) -> Callable[[type], Any]:
    """Return a decorator: a frozen event, known by Twilio's name and by the parameters that make it unique."""

    def make(cls: type) -> Any:
        event_class: Any = dataclass(frozen=True, slots=True, kw_only=True, repr=False)(cls)
        if event_type:
            event_class.event_type, event_class.key_parts = event_type, key_parts
            EVENT_CLASSES[event_type] = event_class
        return event_class

    return make


@_event()
class Event:
    """What webhooks carry. Absent values are "", 0, None, {} or (); every text can be stored.

    `fields` has every parameter as received, unknown ones too; of a repeated name the first value.
    A post cannot be used without the SIDs in `must_have`; posts with equal `key_parts` are the same event. A
    pre-action hook has no `key_parts`: nothing in it is unique.
    """

    event_type: ClassVar[str] = ""
    must_have: ClassVar[tuple[str, ...]] = ()
    key_parts: ClassVar[tuple[str, ...]] = ()
    account_sid: str = parameter("AccountSid")
    chat_service_sid: str = parameter("ChatServiceSid")
    conversation_sid: str = parameter("ConversationSid")
    source: str = parameter("Source")
    client_identity: str = parameter("ClientIdentity")
    retry_count: int = parameter("RetryCount", read_number)
    attributes: dict[str, Any] = parameter("Attributes", read_attributes)
    attributes_text: str = parameter("Attributes")
    date_created: datetime | None = parameter("DateCreated", read_date)
    date_updated: datetime | None = parameter("DateUpdated", read_date)
    date_removed: datetime | None = parameter("DateRemoved", read_date)
    fields: Mapping[str, str] = field(default_factory=dict)

    def __repr__(self) -> str:
        """Return class and SIDs only: an event may reach a log, its text and addresses may not."""
        sids = (f"{name}={self.fields.get(name, '')}" for name in self.must_have)
        return f"{type(self).__name__}({', '.join(sids)})"


@_event()
class MessageEvent(Event):
    """A message: `body` is empty when there are only media; `index` orders messages and may skip numbers."""

    must_have: ClassVar[tuple[str, ...]] = ("ConversationSid", "MessageSid")
    message_sid: str = parameter("MessageSid")
    messaging_service_sid: str = parameter("MessagingServiceSid")
    participant_sid: str = parameter("ParticipantSid")
    index: int | None = parameter("Index", read_index)
    author: str = parameter("Author")
    body: str = parameter("Body")
    media: tuple[Media, ...] = parameter("Media", read_media)


@_event("onMessageAdd")
class MessageAdd(MessageEvent):
    """A message is about to be added; it has no SID yet."""


@_event("onMessageAdded", "MessageSid")
class MessageAdded(MessageEvent):
    """A message was added, by anyone."""


@_event("onMessageUpdate")
class MessageUpdate(MessageEvent):
    """A message is about to be edited."""


@_event("onMessageUpdated", "MessageSid", "DateUpdated")
class MessageUpdated(MessageEvent):
    """Text or attributes of a message were edited."""


@_event("onMessageRemove")
class MessageRemove(MessageEvent):
    """A message is about to be deleted."""


@_event("onMessageRemoved", "MessageSid", "DateRemoved")
class MessageRemoved(MessageEvent):
    """A message was deleted."""


@_event()
class ConversationEvent(Event):
    """A conversation; bindings, `message_body` and `media` come only with a conversation made for a message."""

    must_have: ClassVar[tuple[str, ...]] = ("ConversationSid",)
    messaging_service_sid: str = parameter("MessagingServiceSid")
    friendly_name: str = parameter("FriendlyName")
    unique_name: str = parameter("UniqueName")
    state: str = parameter("State")
    messaging_binding_address: str = parameter("MessagingBinding.Address")
    messaging_binding_proxy_address: str = parameter("MessagingBinding.ProxyAddress")
    messaging_binding_projected_address: str = parameter("MessagingBinding.ProjectedAddress")
    messaging_binding_author_address: str = parameter("MessagingBinding.AuthorAddress")
    message_body: str = parameter("MessageBody")
    media: tuple[Media, ...] = parameter("Media", read_media)


@_event("onConversationAdd")
class ConversationAdd(ConversationEvent):
    """A conversation is about to be created; it has no SID yet."""


@_event("onConversationAdded", "ConversationSid")
class ConversationAdded(ConversationEvent):
    """A conversation was created."""


@_event("onConversationUpdate")
class ConversationUpdate(ConversationEvent):
    """A conversation is about to be changed."""


@_event("onConversationUpdated", "ConversationSid", "DateUpdated")
class ConversationUpdated(ConversationEvent):
    """A conversation was changed."""


@_event("onConversationRemove")
class ConversationRemove(ConversationEvent):
    """A conversation is about to be deleted."""


@_event("onConversationRemoved", "ConversationSid", "DateRemoved")
class ConversationRemoved(ConversationEvent):
    """A conversation was deleted."""


@_event("onConversationStateUpdated", "ConversationSid", "StateTo", "StateUpdated")
class ConversationStateUpdated(ConversationEvent):
    """A conversation went from one state to another; `reason` is API, TIMER or EVENT."""

    state_from: str = parameter("StateFrom")
    state_to: str = parameter("StateTo")
    reason: str = parameter("Reason")
    state_updated: datetime | None = parameter("StateUpdated", read_date)


@_event()
class ParticipantEvent(Event):
    """A participant has an identity (chat) or a messaging binding (SMS, WhatsApp, ...)."""

    must_have: ClassVar[tuple[str, ...]] = ("ConversationSid",)
    participant_sid: str = parameter("ParticipantSid")
    identity: str = parameter("Identity")
    role_sid: str = parameter("RoleSid")
    messaging_binding_type: str = parameter("MessagingBinding.Type")
    messaging_binding_address: str = parameter("MessagingBinding.Address")
    messaging_binding_proxy_address: str = parameter("MessagingBinding.ProxyAddress")
    messaging_binding_projected_address: str = parameter("MessagingBinding.ProjectedAddress")
    last_read_message_index: int | None = parameter("LastReadMessageIndex", read_index)


@_event("onParticipantAdd")
class ParticipantAdd(ParticipantEvent):
    """A participant is about to join; it has no SID yet."""


@_event("onParticipantAdded", "ParticipantSid")
class ParticipantAdded(ParticipantEvent):
    """A participant joined."""


@_event("onParticipantUpdate")
class ParticipantUpdate(ParticipantEvent):
    """A participant is about to be changed."""


@_event("onParticipantUpdated", "ParticipantSid", "DateUpdated", "LastReadMessageIndex")
class ParticipantUpdated(ParticipantEvent):
    """A participant was changed, or has read on."""


@_event("onParticipantRemove")
class ParticipantRemove(ParticipantEvent):
    """A participant is about to be removed."""


@_event("onParticipantRemoved", "ParticipantSid", "DateRemoved")
class ParticipantRemoved(ParticipantEvent):
    """A participant was removed."""


@_event()
class UserEvent(Event):
    """A chat user of the service; belongs to no conversation."""

    user_sid: str = parameter("UserSid")
    identity: str = parameter("Identity")
    role_sid: str = parameter("RoleSid")
    friendly_name: str = parameter("FriendlyName")
    is_online: bool | None = parameter("isOnline", read_flag)
    is_notifiable: bool | None = parameter("isNotifiable", read_flag)


@_event("onUserAdded", "UserSid")
class UserAdded(UserEvent):
    """A user was created."""


@_event("onUserUpdate")
class UserUpdate(UserEvent):
    """A user is about to be changed."""


@_event("onUserUpdated", "UserSid", "DateUpdated")
class UserUpdated(UserEvent):
    """A user was changed."""


@_event("onDeliveryUpdated", "DeliveryReceiptSid", "Status")
class DeliveryUpdated(Event):
    """A receipt: what became of a message for one recipient; `error_code` is 0 when nothing went wrong.

    Source: conversations-classic/conversations-webhooks, read 2026-11-22.
    """

    must_have: ClassVar[tuple[str, ...]] = ("ConversationSid", "MessageSid", "DeliveryReceiptSid")
    message_sid: str = parameter("MessageSid")
    delivery_receipt_sid: str = parameter("DeliveryReceiptSid")
    channel_message_sid: str = parameter("ChannelMessageSid")
    participant_sid: str = parameter("ParticipantSid")
    status: str = parameter("Status")
    error_code: int = parameter("ErrorCode", read_number)


@_event()
class UnknownEvent(Event):
    """A webhook of a type that Twilio did not document when this was written."""

    received_type: str = parameter("EventType")
