"""The attributes of a participant: get, set, merge, unset. A change made elsewhere at the same moment may be lost."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from app.operations import participants, validation
from app.operations.account import Account
from app.operations.participants import Shown
from app.operations.validation import OTHER_ATTRIBUTES, Refused

Attributes = dict[str, Any]


def get(account: Account, conversation: str, who: str) -> Attributes:
    """Return the attributes of a participant. Raises Refused, SendError."""
    return _read(_find(account, conversation, who))


def replace(account: Account, conversation: str, who: str, attributes: str | Mapping[str, Any]) -> Attributes:
    """Set the attributes to exactly these and return them. Raises Refused, SendError."""
    wanted = validation.attributes(attributes, OTHER_ATTRIBUTES)
    return _write(account, conversation, _find(account, conversation, who), wanted)


def merge(account: Account, conversation: str, who: str, attributes: str | Mapping[str, Any]) -> Attributes:
    """Set some attributes, keep the others, and return all. Raises Refused, SendError."""
    news = validation.attributes(attributes, OTHER_ATTRIBUTES)
    participant = _find(account, conversation, who)
    return _write(account, conversation, participant, _read(participant) | news)


def unset(account: Account, conversation: str, who: str, keys: Sequence[str]) -> Attributes:
    """Remove some attributes and return what is left. Raises Refused, also for one that is not there; SendError."""
    participant = _find(account, conversation, who)
    before = _read(participant)
    missing = [key for key in keys if key not in before]
    if missing:
        raise Refused(f"{who} has no attribute {missing[0][:40]!r}; it has: {', '.join(before) or 'none'}")
    return _write(account, conversation, participant, {key: before[key] for key in before if key not in keys})


def _find(account: Account, conversation: str, who: str) -> Shown:
    (participant,) = participants.find(account, conversation, [who])
    return participant


def _write(account: Account, conversation: str, participant: Shown, wanted: Attributes) -> Attributes:
    text = validation.as_json(wanted, OTHER_ATTRIBUTES)
    return _read(participants.change(account, conversation, participant, {"attributes": text}))


def _read(participant: Shown) -> Attributes:
    found = json.loads(participant["attributes"] or "{}")
    if not isinstance(found, dict):
        raise Refused("the attributes at Twilio are not a JSON object; replace them with `attributes set`")
    return found
