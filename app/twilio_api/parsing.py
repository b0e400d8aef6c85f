"""Parses webhook parameters into typed events, and computes their event key and lane; stores nothing."""

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from dataclasses import fields as fields_of
from functools import cache
from typing import Any
from urllib.parse import urlencode

from app.twilio_api.events import (
    EVENT_CLASSES,
    DeliveryUpdated,
    Event,
    MessageAdded,
    UnknownEvent,
    UserEvent,
)
from app.twilio_api.form import Form, is_sid, storable

_SID_PREFIXES = {"ConversationSid": "CH", "MessageSid": "IM", "DeliveryReceiptSid": "DY", "UserSid": "US"}
_KEY_PART = re.compile(r"[A-Za-z0-9_.:+-]{1,64}")


class Unusable(ValueError):
    """A webhook that lacks what its type must have; `reason` names the parameter, never its value."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Identity:
    """What the inbox needs of a webhook: its type, the key two equal posts share, its lane, its source."""

    event_type: str
    event_key: str
    lane: str
    source: str


def event_type(form: Form) -> str:
    """Return Twilio's name of the event, made safe to store and log: at most 64 plain characters."""
    return _plain_type(_first_values(form))


def is_pre_action(event_type: str) -> bool:
    """Return True for a hook that Twilio calls before the action and whose answer can stop it."""
    return event_type in EVENT_CLASSES and not EVENT_CLASSES[event_type].key_parts


def parse(form: Form) -> Event:
    """Return the typed event; UnknownEvent for a type that has no class. Never raises."""
    values = {storable(name): storable(value) for name, value in reversed(form)}
    event_class: Any = EVENT_CLASSES.get(values.get("EventType", ""), UnknownEvent)
    known = {name: read(values.get(source, "")) for name, source, read in _readers(event_class)}
    event: Event = event_class(**known, fields=values)
    return event


@cache
def _readers(event_class: Any) -> tuple[tuple[str, str, Callable[[str], Any]], ...]:
    declared = (item for item in fields_of(event_class) if item.metadata)
    return tuple((item.name, item.metadata["parameter"], item.metadata["read"]) for item in declared)


def identity(form: Form) -> Identity:
    """Return what makes two posts the same event, and where it waits.

    A redelivery differs in RetryCount only and has the same key. Raises Unusable for a post without an
    EventType or without a SID its type must have; an answer of 4xx would stop a pre-action, so those pass.
    """
    values = _first_values(form)
    plain_type = _plain_type(values)
    if not plain_type:
        raise Unusable("EventType is missing")
    event_class = EVENT_CLASSES.get(values["EventType"], UnknownEvent)
    for name in event_class.must_have if event_class.key_parts else ():
        if not _is_sid(values, name):
            raise Unusable(f"{name} is {'malformed' if values.get(name) else 'missing'}")
    source = re.sub("[^A-Z0-9_-]", "", values.get("Source", "").upper())[:16]
    return Identity(plain_type, _event_key(event_class, plain_type, values, form), _lane(event_class, values), source)


def message_key(message_sid: str) -> str:
    """Return the event key of the webhook that tells of a new message."""
    return f"{MessageAdded.event_type}:{message_sid}"


def _event_key(event_class: type[Event], plain_type: str, values: Mapping[str, str], form: Form) -> str:
    """Return EventType and what makes it unique; where a part is missing or odd, the hash of all parameters."""
    parts = [values.get(name, "") for name in event_class.key_parts]
    if event_class is DeliveryUpdated and values.get("ErrorCode", "") not in ("", "0"):
        parts.append(values["ErrorCode"])
    if parts and all(_KEY_PART.fullmatch(part) for part in parts):
        return ":".join((plain_type, *parts))
    pairs = sorted(pair for pair in form if pair[0] != "RetryCount")
    return f"{plain_type}:{hashlib.sha256(urlencode(pairs, errors='surrogatepass').encode()).hexdigest()}"


def _lane(event_class: type[Event], values: Mapping[str, str]) -> str:
    """Return what the event waits in line with; receipts have a line of their own, a slow reply is not theirs."""
    if issubclass(event_class, UserEvent):
        return values["UserSid"] if _is_sid(values, "UserSid") else "users"
    if not _is_sid(values, "ConversationSid"):
        return "unknown"
    receipts = ":receipts" if event_class is DeliveryUpdated else ""
    return values["ConversationSid"] + receipts


def _is_sid(values: Mapping[str, str], name: str) -> bool:
    return is_sid(values.get(name), _SID_PREFIXES[name])


def _plain_type(values: Mapping[str, str]) -> str:
    return re.sub("[^A-Za-z0-9_.-]", "?", values.get("EventType", ""))[:64]


def _first_values(form: Form) -> dict[str, str]:
    return dict(reversed(form))
