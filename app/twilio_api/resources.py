"""Conversations and participants as REST shows them, and the changes our own requests make to them.

Changes by REST fire no webhook: nobody but the request itself and its answer tells of them. It asks Twilio nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import unquote, urlsplit

from app.twilio_api.form import read_attributes, read_index, read_object, storable

CLOSED = 50377  # Source: api/errors/50377, read 2026-11-22: the conversation is closed and cannot be changed
_PATH = re.compile(
    r"/v1(?:/Services/(?P<service>[^/]+))?"
    r"(?:/(?:(?P<group>ConversationWithParticipants)|Conversations(?:/(?P<conversation>[^/]+))?)"
    r"(?P<people>/Participants(?:/(?P<participant>[^/]+))?)?)?"
)


@dataclass(frozen=True, kw_only=True)
class ShownConversation:
    """A conversation as REST shows it, in whole: `facts` by Twilio's names, what is not set is "".

    `dated` is its DateUpdated, in whole seconds: REST has no others.
    """

    conversation_sid: str
    facts: Mapping[str, Any]
    state: str
    dated: datetime | None


@dataclass(frozen=True, kw_only=True)
class ShownParticipant:
    """The same of a participant."""

    participant_sid: str
    conversation_sid: str
    facts: Mapping[str, Any]
    dated: datetime | None


@dataclass(frozen=True, kw_only=True)
class Gone:
    """What is deleted: a service with all in it, a conversation by SID or unique name, or a participant of one."""

    service_sid: str = ""
    conversation: str = ""
    participant_sid: str = ""


@dataclass(frozen=True, kw_only=True)
class Closed:
    """A conversation, by SID or unique name, that cannot be changed because it is closed."""

    service_sid: str
    conversation: str


Change = ShownConversation | ShownParticipant | Gone | Closed


def conversation_of(shown: Mapping[str, Any]) -> ShownConversation:
    """Return a conversation from Twilio's names and values, as JSON or the SDK has them."""
    names = ("chat_service_sid", "messaging_service_sid", "friendly_name", "unique_name")
    facts: dict[str, Any] = {name: storable(shown.get(name) or "") for name in names}
    return ShownConversation(
        conversation_sid=str(shown["sid"]),
        facts=facts | {"attributes": _object(shown.get("attributes"))},
        state=str(shown.get("state") or ""),
        dated=_date(shown.get("date_updated")),
    )


def participant_of(shown: Mapping[str, Any]) -> ShownParticipant:
    """Return a participant from Twilio's names and values, as JSON or the SDK has them."""
    binding = shown.get("messaging_binding") or {}
    return ShownParticipant(
        participant_sid=str(shown["sid"]),
        conversation_sid=str(shown["conversation_sid"]),
        facts={
            "identity": storable(shown.get("identity") or ""),
            "address": storable(binding.get("address") or ""),
            "proxy_address": binding.get("proxy_address") or "",
            "type": str(binding.get("type") or ("chat" if shown.get("identity") else "")).lower(),
            "role_sid": shown.get("role_sid") or "",
            "attributes": _object(shown.get("attributes")),
            "last_read_index": read_index(str(shown.get("last_read_message_index"))),
        },
        dated=_date(shown.get("date_updated")),
    )


def change_of(method: str, url: str, status: int, text: str) -> Change | None:
    """Return what a request has changed of services, conversations or participants, or shown to be closed; else None.

    Only POST and DELETE change anything. What lies deeper, such as messages, is nothing that the bot keeps of these.
    """
    path = _PATH.fullmatch(urlsplit(url).path)
    if method.upper() not in ("POST", "DELETE") or path is None:
        return None
    name, service_sid = unquote(path["conversation"] or ""), path["service"] or ""
    if status >= 300:
        closed = name and (read_object(text) or {}).get("code") == CLOSED
        return Closed(service_sid=service_sid, conversation=name) if closed else None
    if method.upper() == "DELETE":
        return Gone(service_sid=service_sid, conversation=name, participant_sid=path["participant"] or "")
    shown = read_object(text) or {}
    if path["people"]:
        return participant_of(shown) if str(shown.get("sid", "")).startswith("MB") else None
    return conversation_of(shown) if str(shown.get("sid", "")).startswith("CH") else None


def _object(attributes: Any) -> dict[str, Any]:
    """Return attributes, which Twilio writes as a JSON text; {} for what is no object: no rule can ask for it."""
    return read_attributes(attributes if isinstance(attributes, str) else json.dumps(attributes))


def _date(value: Any) -> datetime | None:
    if isinstance(value, datetime) or not value:
        return value or None
    try:
        return datetime.fromisoformat(str(value))
    except ValueError:
        return None
