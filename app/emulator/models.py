"""What exists in an emulated account: one dataclass for each kind of resource, without behaviour.

`serial` grows with creation over all kinds; lists and page tokens go by it.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any


@dataclass
class Hooks:
    """Where a scope's webhooks go. Events missing from `filters` do not fire."""

    method: str = "POST"
    filters: tuple[str, ...] = ()
    pre_webhook_url: str | None = None
    post_webhook_url: str | None = None
    target: str = "webhook"


@dataclass
class ScopedHook:
    """One of at most five webhooks of a single conversation."""

    sid: str
    serial: int
    target: str
    url: str | None
    method: str
    filters: tuple[str, ...]
    triggers: tuple[str, ...]
    flow_sid: str | None
    replay_after: int | None
    created: datetime
    updated: datetime


@dataclass
class Credential:
    """What push notifications would be sent with; its secrets are not kept, for nothing is ever pushed."""

    sid: str
    serial: int
    friendly_name: str | None
    type: str
    sandbox: str | None
    created: datetime
    updated: datetime


@dataclass
class Binding:
    """A chat client's connection, by which it would get push notifications; comes with its first message."""

    sid: str
    serial: int
    service_sid: str
    identity: str
    created: datetime


@dataclass
class Service:
    """A Conversations service (IS...)."""

    sid: str
    serial: int
    friendly_name: str
    created: datetime
    updated: datetime
    roles: dict[str, str]
    hooks: Hooks | None = None
    reachability_enabled: bool = False
    notifications: dict[str, str] = field(default_factory=dict)


@dataclass
class EmulatedReceipt:
    """What became of one message on its way to one non-chat participant; status None: still inside Twilio."""

    sid: str
    serial: int
    channel_message_sid: str
    participant_sid: str
    created: datetime
    updated: datetime
    status: str | None = None
    error_code: int = 0
    reached: tuple[str, ...] = ()


@dataclass
class StoredMedia:
    """A file in the media store; `message_sid` tells the one message that uses it."""

    sid: str
    serial: int
    service_sid: str
    content_type: str
    filename: str | None
    size: int
    content: bytes | None
    created: datetime
    author: str = "system"
    message_sid: str | None = None
    conversation_sid: str | None = None


@dataclass
class EmulatedMessage:
    """A message of a conversation."""

    sid: str
    serial: int
    conversation_sid: str
    index: int
    author: str
    body: str | None
    attributes: str
    participant_sid: str | None
    source: str
    created: datetime
    updated: datetime
    media: tuple[StoredMedia, ...] = ()
    content_sid: str | None = None
    subject: str | None = None
    receipts: dict[str, EmulatedReceipt] = field(default_factory=dict)


@dataclass
class Participant:
    """A chat identity, or an address behind one of our numbers, in one conversation."""

    sid: str
    serial: int
    conversation_sid: str
    identity: str | None
    kind: str
    address: str | None
    proxy_address: str | None
    projected_address: str | None
    role_sid: str
    attributes: str
    created: datetime
    updated: datetime
    last_read_index: int | None = None
    last_read_at: str | None = None
    notification_level: str = "default"

    @property
    def names(self) -> tuple[str, ...]:
        """Every text that, as author of a message, means this participant."""
        return tuple(name for name in (self.identity, self.address, self.projected_address) if name)


@dataclass
class Conversation:
    """A conversation with everything in it; timers are seconds after the last activity."""

    sid: str
    serial: int
    service_sid: str
    messaging_service_sid: str
    friendly_name: str | None
    unique_name: str | None
    attributes: str
    state: str
    created: datetime
    updated: datetime
    active_at: datetime
    created_by: str
    inactive_after: float | None = None
    closed_after: float | None = None
    email_binding: dict[str, str] = field(default_factory=dict)
    next_index: int = 0
    participants: dict[str, Participant] = field(default_factory=dict)
    messages: dict[str, EmulatedMessage] = field(default_factory=dict)
    hooks: dict[str, ScopedHook] = field(default_factory=dict)

    def due_at(self, seconds: float | None) -> datetime | None:
        """Return when a timer of that length ends, counted from the last activity; None without timer."""
        return None if seconds is None else self.active_at + timedelta(seconds=seconds)

    @property
    def is_group(self) -> bool:
        """Whether this is group texting: somebody writes under a projected address."""
        return any(member.projected_address for member in self.participants.values())


@dataclass
class User:
    """A chat user of a service; made when an identity is first seen."""

    sid: str
    serial: int
    service_sid: str
    identity: str
    friendly_name: str | None
    attributes: str
    role_sid: str
    created: datetime
    updated: datetime
    is_online: bool = False
    is_notifiable: bool = False


@dataclass
class Role:
    """A named set of permissions of a service."""

    sid: str
    serial: int
    service_sid: str
    friendly_name: str
    type: str
    permissions: tuple[str, ...]
    created: datetime
    updated: datetime


@dataclass
class AddressConfiguration:
    """What happens when somebody writes to an address that is not yet in a conversation with him."""

    sid: str
    serial: int
    type: str
    address: str
    friendly_name: str | None
    address_country: str | None
    auto_creation: dict[str, Any]
    created: datetime
    updated: datetime


@dataclass
class AccountConfiguration:
    """Defaults of the whole account; timers as ISO 8601 durations, as they were given."""

    chat_service_sid: str
    messaging_service_sid: str
    inactive_timer: str | None = None
    closed_timer: str | None = None
