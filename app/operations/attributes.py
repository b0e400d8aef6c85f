"""The attributes of a conversation: get, set, merge, unset. A change made elsewhere at the same moment may be lost."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from app.operations import conversations, validation
from app.operations.account import Account
from app.operations.validation import CONVERSATION_ATTRIBUTES, Refused

Attributes = dict[str, Any]


def get(account: Account, conversation: str) -> Attributes:
    """Return the attributes of a conversation. Raises Refused, SendError."""
    return _read(conversations.fetch(account, conversation)["attributes"])


def replace(account: Account, conversation: str, attributes: str | Mapping[str, Any]) -> Attributes:
    """Set the attributes to exactly these and return them. Raises Refused, SendError."""
    wanted = validation.attributes(attributes, CONVERSATION_ATTRIBUTES)
    return _write(account, conversation, wanted)


def merge(account: Account, conversation: str, attributes: str | Mapping[str, Any]) -> Attributes:
    """Set some attributes, keep the others, and return all. Raises Refused, SendError."""
    news = validation.attributes(attributes, CONVERSATION_ATTRIBUTES)
    return _write(account, conversation, get(account, conversation) | news)


def unset(account: Account, conversation: str, keys: Sequence[str]) -> Attributes:
    """Remove some attributes and return what is left. Raises Refused, also for one that is not there; SendError."""
    before = get(account, conversation)
    missing = [key for key in keys if key not in before]
    if missing:
        there = ", ".join(before) or "none"
        raise Refused(f"{conversation} has no attribute {missing[0][:40]!r}; it has: {there}")
    return _write(account, conversation, {key: value for key, value in before.items() if key not in keys})


def _write(account: Account, conversation: str, wanted: Attributes) -> Attributes:
    text = validation.as_json(wanted, CONVERSATION_ATTRIBUTES)
    return _read(conversations.change(account, conversation, {"attributes": text})["attributes"])


def _read(text: str | None) -> Attributes:
    found = json.loads(text or "{}")
    if not isinstance(found, dict):
        raise Refused("the attributes at Twilio are not a JSON object; replace them with `attributes set`")
    return found
