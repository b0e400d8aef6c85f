"""The attributes of a conversation or a participant: get, set, merge, unset.

A change that is made elsewhere at the same moment may be lost: Twilio can only be told all of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, Protocol

from app.common.quoting import quoted
from app.operations import conversations, participants, validation
from app.operations.account import Account
from app.operations.participants import Shown
from app.operations.validation import CONVERSATION_ATTRIBUTES, OTHER_ATTRIBUTES, Refused
from app.twilio_api.form import read_object

Attributes = dict[str, Any]


class Owner(Protocol):
    """What has attributes at Twilio, as a JSON text; `limit` is the most bytes of it."""

    @property
    def name(self) -> str: ...
    @property
    def limit(self) -> int: ...
    def read(self) -> str | None: ...
    def write(self, text: str) -> str | None: ...


class OfConversation:
    """A conversation, by SID or unique name."""

    limit = CONVERSATION_ATTRIBUTES

    def __init__(self, account: Account, conversation: str) -> None:
        self.name, self._account = conversation, account

    def read(self) -> str | None:
        """Return the attributes that Twilio has. Raises Refused, SendError."""
        text: str | None = conversations.fetch(self._account, self.name)["attributes"]
        return text

    def write(self, text: str) -> str | None:
        """Replace the attributes and return them. Raises Refused, SendError."""
        written: str | None = conversations.change(self._account, self.name, {"attributes": text})["attributes"]
        return written


class OfParticipant:
    """A participant of a conversation, by SID, address or identity; looked for once."""

    limit = OTHER_ATTRIBUTES

    def __init__(self, account: Account, conversation: str, who: str) -> None:
        self.name, self._account, self._conversation = who, account, conversation

    @cached_property
    def _participant(self) -> Shown:
        (participant,) = participants.find(self._account, self._conversation, [self.name])
        return participant

    def read(self) -> str | None:
        """Return the attributes that Twilio has. Raises Refused, SendError."""
        text: str | None = self._participant["attributes"]
        return text

    def write(self, text: str) -> str | None:
        """Replace the attributes and return them. Raises Refused, SendError."""
        changed = participants.change(self._account, self._conversation, self._participant, {"attributes": text})
        written: str | None = changed["attributes"]
        return written


def get(owner: Owner) -> Attributes:
    """Return the attributes. Raises Refused, SendError."""
    return _parsed(owner.read())


def replace(owner: Owner, attributes: str | Mapping[str, Any]) -> Attributes:
    """Set the attributes to exactly these and return them. Raises Refused, SendError."""
    return _write(owner, validation.attributes(attributes, owner.limit))


def merge(owner: Owner, attributes: str | Mapping[str, Any]) -> Attributes:
    """Set some attributes, keep the others, and return all. Raises Refused, SendError."""
    news = validation.attributes(attributes, owner.limit)
    return _write(owner, get(owner) | news)


def unset(owner: Owner, keys: Sequence[str]) -> Attributes:
    """Remove some attributes and return what is left. Raises Refused, also for one that is not there; SendError."""
    before = get(owner)
    missing = [key for key in keys if key not in before]
    if missing:
        there = ", ".join(before) or "none"
        raise Refused(f"{owner.name} has no attribute {quoted(missing[0], 40)}; it has: {there}")
    return _write(owner, {key: value for key, value in before.items() if key not in keys})


def _write(owner: Owner, wanted: Attributes) -> Attributes:
    return _parsed(owner.write(validation.as_json(wanted, owner.limit)))


def _parsed(text: str | None) -> Attributes:
    found = read_object(text)
    if found is None:
        raise Refused("the attributes at Twilio are not a JSON object; replace them with `attributes set`")
    return found
