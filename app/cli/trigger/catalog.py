"""The table of `flask trigger`: what each event type means, what belongs to it, and what may be set."""

from __future__ import annotations

from dataclasses import dataclass, fields

from app.twilio_api import events, parsing
from app.twilio_api.events import EVENT_CLASSES, Event

CHANNELS = ("sms", "whatsapp", "chat")
CARRIERS = ("sms", "whatsapp")
# Values that Twilio would send. Source: conversations-classic/conversations-webhooks, read 2026-11-22.
STATES = ("initializing", "active", "inactive", "closed")
CHOICES = {
    "Status": ("sent", "delivered", "read", "failed", "undelivered"),
    "State": STATES,
    "StateFrom": STATES,
    "StateTo": STATES,
    "Reason": ("API", "TIMER", "EVENT"),
    "isOnline": ("true", "false"),
    "isNotifiable": ("true", "false"),
}
NUMBERS = ("ErrorCode", "Index", "LastReadMessageIndex", "RetryCount")

# What people write who know Twilio's other webhooks or its SDK.
MISTAKEN = {
    "DeliveryStatus": "Status",
    "MessageStatus": "Status",
    "SmsStatus": "Status",
    "From": "Author",
    "DeliveryErrorCode": "ErrorCode",
}


@dataclass(frozen=True)
class Recipe:
    """One event type.

    `settable` are the parameters a running emulator can bring about; `before` are the events that come before
    it in one story, oldest first.
    """

    event: type[Event]
    line: str
    settable: tuple[str, ...] = ()
    before: tuple[type[Event], ...] = ()
    channels: tuple[str, ...] = CHANNELS

    @property
    def name(self) -> str:
        return self.event.event_type

    @property
    def is_pre_action(self) -> bool:
        return parsing.is_pre_action(self.name)


_STORY = (events.ConversationAdded, events.ParticipantAdded, events.MessageAdded)
_CONVERSATION = ("FriendlyName", "UniqueName", "Attributes")
_POST_ACTIONS = (
    Recipe(events.MessageAdded, "a customer writes", ("Body", "Author"), _STORY[:2]),
    Recipe(events.MessageUpdated, "a message is edited", ("Body",), _STORY),
    Recipe(events.MessageRemoved, "a message is deleted", (), (*_STORY, events.MessageUpdated)),
    Recipe(
        events.DeliveryUpdated,
        "a message of the account reaches a phone, or does not",
        ("Status", "ErrorCode"),
        (events.DeliveryUpdated,),
        CARRIERS,
    ),
    Recipe(events.ConversationAdded, "a conversation is created", _CONVERSATION),
    Recipe(events.ConversationUpdated, "a conversation is changed", _CONVERSATION, (events.ConversationAdded,)),
    Recipe(events.ConversationRemoved, "a conversation is deleted", (), (events.ConversationAdded,)),
    Recipe(
        events.ConversationStateUpdated,
        "a conversation changes its state; with Reason=TIMER the clock moves on",
        ("StateTo", "Reason"),
        (events.ConversationAdded,),
    ),
    Recipe(
        events.ParticipantAdded,
        "somebody joins",
        ("MessagingBinding.Address", "Identity", "Attributes"),
        (events.ConversationAdded,),
    ),
    Recipe(
        events.ParticipantUpdated,
        "a participant is changed, or has read on",
        ("Attributes", "LastReadMessageIndex"),
        _STORY[:2],
    ),
    Recipe(events.ParticipantRemoved, "a participant is removed", (), _STORY[:2]),
    Recipe(events.UserAdded, "a chat user is created", ("Identity", "FriendlyName", "Attributes")),
    Recipe(events.UserUpdated, "a chat user is changed", ("FriendlyName", "Attributes"), (events.UserAdded,)),
)
_PRE_ACTIONS = (
    Recipe(events.MessageAdd, "asked before a message is added"),
    Recipe(events.MessageUpdate, "asked before a message is edited"),
    Recipe(events.MessageRemove, "asked before a message is deleted"),
    Recipe(events.ConversationAdd, "asked before a conversation is created"),
    Recipe(events.ConversationUpdate, "asked before a conversation is changed"),
    Recipe(events.ConversationRemove, "asked before a conversation is deleted"),
    Recipe(events.ParticipantAdd, "asked before somebody joins"),
    Recipe(events.ParticipantUpdate, "asked before a participant is changed"),
    Recipe(events.ParticipantRemove, "asked before a participant is removed"),
    Recipe(events.UserUpdate, "asked before a chat user is changed"),
)
RECIPES = {recipe.name: recipe for recipe in (*_POST_ACTIONS, *_PRE_ACTIONS)}


def parameter_names(recipe: Recipe) -> tuple[str, ...]:
    """Return the parameters that Twilio documents for the event."""
    documented = (item.metadata["parameter"] for item in fields(EVENT_CLASSES[recipe.name]) if item.metadata)
    return tuple(sorted(set(documented)))


def delivery_path(status: str) -> tuple[str, ...]:
    """Return the statuses a receipt goes through up to this one.

    Source: conversations-classic/delivery-receipts, read 2026-11-22.
    """
    return {
        "delivered": ("sent", "delivered"),
        "read": ("sent", "delivered", "read"),
        "undelivered": ("sent", "undelivered"),
    }.get(status, (status,))
