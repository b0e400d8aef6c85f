"""Reads rows of the inbox as typed events: Twilio's webhooks, reconciled ones, and our own timers.

Our own survive a restart: a customer's wait for a human. They are stored with a method that no HTTP request has. So
none can come in by the webhook route: a webhook that names one of these types is an unknown one, like any other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, ClassVar
from urllib.parse import urlencode

from app.store.messages import DecisionKey
from app.twilio_api import parsing
from app.twilio_api.events import EVENT_CLASSES, Event
from app.twilio_api.form import Form, parameter, read_date, read_flag, read_form, read_number, read_text

METHOD = "PARLEY"
TIMER_LANES = "timer:"  # begins the name of a lane in which one timer runs
FOUND_AT = "ParleyFoundAt"  # parameters of ours in what reconciliation found; no webhook has them
BINDING = "ParleyAuthorBinding"
ANSWERED = "ParleyAnswered"
BEFORE_START = "ParleyBeforeStart"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """A customer has waited for `seconds`, since `waiting_since`; that is when the message was sent.

    `due_at` is set when this is tried again because it fell due outside its hours: until then it was put off.
    """

    conversation_sid: str = parameter("ConversationSid")
    chat_service_sid: str = parameter("ChatServiceSid")
    message_sid: str = parameter("MessageSid")
    waiting_since: datetime | None = parameter("DateWaitingSince", read_date)  # noqa: RUF009 - it is a field
    seconds: int = parameter("Seconds", read_number)
    was_first_contact: bool | None = parameter("StateFirstContact", read_flag)
    due_at: datetime | None = parameter("DateDue", read_date)  # noqa: RUF009 - it is a field
    event_type: ClassVar[str] = ""

    @property
    def decision_key(self) -> DecisionKey:
        """The decision that is made when nobody has answered for so long."""
        return DecisionKey(self.message_sid, self.seconds)


class TimerEnded(Wait):
    """The time is up; waits in a lane of its own until then."""

    __slots__ = ()
    event_type = "parley.timer"


class FollowUpDue(Wait):
    """The same, in the lane of its conversation: in order with its messages, and with nobody else at work there."""

    __slots__ = ()
    event_type = "parley.follow_up"


def read(method: str, target: str, body: bytes) -> Event | Wait:
    """Return the typed event of what the inbox holds: a webhook, or an event of our own. Never raises."""
    form = read_form(method, target, body)
    own = parse(form) if method == METHOD else None
    return own or parsing.parse(form)


def read_said(method: str, target: str, body: bytes) -> tuple[str, str]:
    """Return author and text of a message in the inbox, and read nothing else of it. Never raises."""
    return read_text(method, target, body, "Author"), read_text(method, target, body, "Body")


def found_at(event: Event) -> str:
    """Return when reconciliation found an event, as webhooks write dates; "" for one that Twilio posted."""
    return event.fields.get(FOUND_AT, "")


def has_binding(event: Event) -> bool:
    """Return whether the author of a message that was found has a phone number or another address."""
    return bool(event.fields.get(BINDING))


def was_answered(event: Event) -> bool:
    """Return whether an answer of ours stood behind a message that was found: our database may be the older one."""
    return bool(event.fields.get(ANSWERED))


def was_before_start(event: Event) -> bool:
    """Return whether a message that was found was written before this database was in use."""
    return bool(event.fields.get(BEFORE_START))


_CLASSES: dict[str, type[Wait]] = {cls.event_type: cls for cls in (TimerEnded, FollowUpDue)}
EVENT_TYPES = (*EVENT_CLASSES, *_CLASSES)  # those that we know; what Twilio adds some day is stored as well
_TEXT: dict[type, Callable[[Any], str]] = {bool: lambda value: str(value).lower(), datetime: datetime.isoformat}


def body_of(event: Wait) -> bytes:
    """Return an event as a body like that of a webhook."""
    values = {item.metadata["parameter"]: getattr(event, item.name) for item in fields(event)}
    known = {name: _TEXT.get(type(value), str)(value) for name, value in values.items() if value is not None}
    return urlencode({"EventType": event.event_type, **known}).encode()


def parse(form: Form) -> Wait | None:
    """Return the event of a body that body_of made; None for another type."""
    values = dict(form)
    event_class = _CLASSES.get(values.get("EventType", ""))
    if event_class is None:
        return None
    readers = {item.name: item.metadata for item in fields(event_class)}
    return event_class(**{name: it["read"](values.get(it["parameter"], "")) for name, it in readers.items()})


def event_key(event: Wait) -> str:
    """Return what makes it the only one: one event for each message and length of time, and each time it is put off."""
    again = f":{event.due_at.isoformat()}" if event.due_at else ""
    return f"{event.event_type}:{event.message_sid}:{event.seconds}{again}"
