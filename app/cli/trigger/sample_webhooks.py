"""Makes up the parameters of webhooks in Twilio's shapes, with fresh SIDs and dates of now.

Source: conversations-classic/conversations-webhooks, read 2026-11-22.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from app.cli.trigger.catalog import Recipe, delivery_path
from app.twilio_api import events
from app.twilio_api.events import Event

Form = dict[str, str]
CUSTOMER = "+15550100001"
OUR_NUMBER = "+15550100099"
VISITOR = "visitor"
_STEP = timedelta(milliseconds=50)
_SOURCES = {"sms": "SMS", "whatsapp": "WHATSAPP", "chat": "SDK"}
_DEFAULT_ERROR = "30003"  # a receipt that ends badly always has a code
# What says whom an event is about; set in all events of a story. The rest is set in the wanted one only.
_ABOUT_MESSAGES = tuple(
    event.event_type
    for event in (events.MessageAdded, events.MessageUpdate, events.MessageUpdated, events.MessageRemove)
)
_WHO = ("Author", "Identity", "MessagingBinding.Address", "MessagingBinding.ProxyAddress")


def fresh_sid(prefix: str) -> str:
    """Return a SID that nobody has seen."""
    return prefix + secrets.token_hex(16)


@dataclass(frozen=True)
class SampleIds:
    """Who and what the events of one story are about."""

    account_sid: str
    chat_service_sid: str
    messaging_service_sid: str
    channel: str
    began: datetime = field(default_factory=lambda: datetime.now(UTC) - timedelta(seconds=1))
    index: int = 0
    conversation_sid: str = field(default_factory=lambda: fresh_sid("CH"))
    participant_sid: str = field(default_factory=lambda: fresh_sid("MB"))
    message_sid: str = field(default_factory=lambda: fresh_sid("IM"))
    receipt_sid: str = field(default_factory=lambda: fresh_sid("DY"))
    channel_message_sid: str = field(default_factory=lambda: fresh_sid("SM"))
    user_sid: str = field(default_factory=lambda: fresh_sid("US"))
    role_sid: str = field(default_factory=lambda: fresh_sid("RL"))

    @property
    def customer(self) -> str:
        return {"sms": CUSTOMER, "whatsapp": f"whatsapp:{CUSTOMER}"}.get(self.channel, VISITOR)

    @property
    def our_number(self) -> str:
        return f"whatsapp:{OUR_NUMBER}" if self.channel == "whatsapp" else OUR_NUMBER

    def next_message(self) -> SampleIds:
        """Return the same people in the same conversation, with another message."""
        return replace(
            self.others(),
            index=self.index + 1,
            conversation_sid=self.conversation_sid,
            participant_sid=self.participant_sid,
            role_sid=self.role_sid,
        )

    def others(self) -> SampleIds:
        """Return other people in another conversation."""
        return SampleIds(self.account_sid, self.chat_service_sid, self.messaging_service_sid, self.channel)


def forms(recipe: Recipe, cast: SampleIds, wanted: Mapping[str, str], *, whole_story: bool) -> list[Form]:
    """Return the wanted event, after those that come before it if the whole story is asked for.

    `wanted` replaces parameters of the event; SIDs and who it is about also in the events before it.
    """
    last = _with_error(_form(recipe.event, cast, len(recipe.before)) | dict(wanted))
    if not whole_story:
        return [last]
    about = {name: value for name, value in wanted.items() if name in _WHO or name.endswith("Sid")}
    before = [_form(event, cast, n) for n, event in enumerate(recipe.before)]
    if recipe.event is events.DeliveryUpdated:
        path = delivery_path(last["Status"])[:-1]
        before = [_form(recipe.event, cast, n) | {"Status": status} for n, status in enumerate(path)]
    return [form | {name: about[name] for name in about if name in form} for form in before] + [last]


def adoptable(form: Mapping[str, str], cast: SampleIds) -> Form:
    """Return what an emulator must know so that what a form speaks of exists there; {} for nothing."""
    if not form.get("ConversationSid") or form["EventType"] == events.ConversationRemoved.event_type:
        return {}
    without = () if form["EventType"] in _ABOUT_MESSAGES else ("MessageSid",)
    author = form.get("Author") or form.get("Identity") or form.get("MessagingBinding.Address") or cast.customer
    known = {
        "ConversationSid": cast.conversation_sid,
        "ChatServiceSid": cast.chat_service_sid,
        "MessagingServiceSid": cast.messaging_service_sid,
        "ParticipantSid": cast.participant_sid,
        "Author": author,
    }
    return known | {name: value for name, value in form.items() if name not in without}


def webhook_time(moment: datetime) -> str:
    """Return the form that webhooks use, with milliseconds: 2026-08-11T13:06:45.433Z."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def _form(event: type[Event], cast: SampleIds, step: int) -> Form:
    at = cast.began + step * _STEP
    common = {"AccountSid": cast.account_sid, "EventType": event.event_type, "RetryCount": "0"}
    if issubclass(event, events.MessageEvent):
        return common | _message(event, cast, at) | _source(cast)
    if issubclass(event, events.DeliveryUpdated):
        return common | _delivery(cast, at)
    if issubclass(event, events.ConversationStateUpdated):
        return common | _state(cast, at)
    if issubclass(event, events.ConversationEvent):
        return common | _conversation(event, cast, at)
    if issubclass(event, events.ParticipantEvent):
        return common | _participant(event, cast, at) | _source(cast)
    return common | _user(event, cast, at) | {"Source": "API"}


def _source(cast: SampleIds) -> Form:
    client = {"ClientIdentity": VISITOR} if cast.channel == "chat" else {}
    return {"Source": _SOURCES[cast.channel]} | client


def _dates(event: type[Event], cast: SampleIds, at: datetime) -> Form:
    """Return the dates an event has: none before a thing is there, and each later change adds one."""
    if event in (events.MessageAdd, events.ConversationAdd, events.ParticipantAdd):
        return {}
    dates = {"DateCreated": webhook_time(cast.began)}
    if event not in (events.MessageAdded, events.ParticipantAdded):
        dates["DateUpdated"] = webhook_time(at)
    if event in (events.MessageRemoved, events.ConversationRemoved, events.ParticipantRemoved):
        dates["DateRemoved"] = webhook_time(at)
    return dates


def _message(event: type[Event], cast: SampleIds, at: datetime) -> Form:
    form = {
        "ConversationSid": cast.conversation_sid,
        "ChatServiceSid": cast.chat_service_sid,
        "Body": "Hello, I need help" if event is not events.MessageUpdated else "Hello, I need help, please",
        "Author": cast.customer,
        "ParticipantSid": cast.participant_sid,
        "Attributes": "{}",
    }
    if event is not events.MessageAdd:
        form |= {"MessageSid": cast.message_sid, "Index": str(cast.index)}
    if event is events.MessageAdded and cast.channel != "chat":
        form["MessagingServiceSid"] = cast.messaging_service_sid
    return form | _dates(event, cast, at)


def _delivery(cast: SampleIds, at: datetime) -> Form:
    return {
        "ConversationSid": cast.conversation_sid,
        "ChatServiceSid": cast.chat_service_sid,
        "MessageSid": cast.message_sid,
        "DeliveryReceiptSid": cast.receipt_sid,
        "ChannelMessageSid": cast.channel_message_sid,
        "ParticipantSid": cast.participant_sid,
        "Status": "read" if cast.channel == "whatsapp" else "delivered",
        "DateCreated": webhook_time(cast.began),
        "DateUpdated": webhook_time(at),
    }


def _with_error(form: Form) -> Form:
    failed = form.get("Status") in ("failed", "undelivered")
    return form | {"ErrorCode": form.get("ErrorCode", _DEFAULT_ERROR)} if failed else form


def _conversation(event: type[Event], cast: SampleIds, at: datetime) -> Form:
    form = {
        "FriendlyName": "Garden gate",
        "Attributes": json.dumps({"topic": "delivery"}),
        "ChatServiceSid": cast.chat_service_sid,
        "MessagingServiceSid": cast.messaging_service_sid,
        "State": "active",
        "Source": "API",
    }
    if event is not events.ConversationAdd:
        form["ConversationSid"] = cast.conversation_sid
    if event in (events.ConversationAdd, events.ConversationAdded) and cast.channel != "chat":
        form |= {"FriendlyName": cast.customer, "Attributes": "{}", "Source": _SOURCES[cast.channel]}
        form |= {"MessagingBinding.Address": cast.customer, "MessagingBinding.ProxyAddress": cast.our_number}
    if event is events.ConversationAdd and cast.channel != "chat":
        form["MessageBody"] = "Hello, I need help"
    return form | _dates(event, cast, at)


def _state(cast: SampleIds, at: datetime) -> Form:
    return {
        "ConversationSid": cast.conversation_sid,
        "ChatServiceSid": cast.chat_service_sid,
        "MessagingServiceSid": cast.messaging_service_sid,
        "StateFrom": "active",
        "StateTo": "inactive",
        "Reason": "TIMER",
        "StateUpdated": webhook_time(at),
    }


def _participant(event: type[Event], cast: SampleIds, at: datetime) -> Form:
    form = {"ConversationSid": cast.conversation_sid, "RoleSid": cast.role_sid, "Attributes": "{}"}
    if cast.channel == "chat":
        form["Identity"] = VISITOR
    else:
        form["MessagingBinding.Type"] = cast.channel
        form |= {"MessagingBinding.Address": cast.customer, "MessagingBinding.ProxyAddress": cast.our_number}
    if event is not events.ParticipantAdd:
        form["ParticipantSid"] = cast.participant_sid
    if event is events.ParticipantUpdated:
        form["LastReadMessageIndex"] = str(cast.index)
    return form | _dates(event, cast, at)


def _user(event: type[Event], cast: SampleIds, at: datetime) -> Form:
    form = {
        "ChatServiceSid": cast.chat_service_sid,
        "UserSid": cast.user_sid,
        "Identity": f"{VISITOR}-{cast.user_sid[2:8]}",
        "RoleSid": cast.role_sid,
        "Attributes": "{}",
        "FriendlyName": "Carla Example",
    }
    if event is not events.UserUpdate:
        form["DateCreated"] = webhook_time(cast.began)
    if event is not events.UserAdded:
        form["DateUpdated"] = webhook_time(at)
    return form | ({"isOnline": "true", "isNotifiable": "false"} if event is events.UserUpdated else {})
