"""Rebuilds the webhooks that Twilio should have posted from what REST shows.

Each has the event key of the webhook that did not come: should it come later after all, it is known. Everyone sees
where it is from: its method is no HTTP method, its target the resource that was read, and it says when it was found.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from app.inbox.internal_events import ANSWERED, BEFORE_START, BINDING, FOUND_AT
from app.inbox.queue import NewEvent
from app.twilio_api import parsing
from app.twilio_api.form import webhook_date

METHOD = "RECONCILE"


def conversation_added(conversation: Any, now: datetime) -> NewEvent:
    """Return the webhook that tells of a conversation."""
    return _event("onConversationAdded", _conversation(conversation), conversation.url, now)


def conversation_updated(conversation: Any, now: datetime) -> NewEvent:
    """Return the webhook that tells of a conversation's present state and attributes."""
    return _event("onConversationUpdated", _conversation(conversation), conversation.url, now)


def conversation_state_updated(it: Any, now: datetime) -> NewEvent:
    """Return the webhook that tells of a conversation's present state, and not what it is called."""
    parameters = {
        "AccountSid": it.account_sid,
        "ChatServiceSid": it.chat_service_sid,
        "ConversationSid": it.sid,
        "MessagingServiceSid": it.messaging_service_sid,
        "StateTo": it.state,
        "StateUpdated": it.date_updated,
    }
    return _event("onConversationStateUpdated", parameters, it.url, now)


def _conversation(it: Any) -> dict[str, Any]:
    return {
        "AccountSid": it.account_sid,
        "ChatServiceSid": it.chat_service_sid,
        "ConversationSid": it.sid,
        "MessagingServiceSid": it.messaging_service_sid,
        "FriendlyName": it.friendly_name,
        "UniqueName": it.unique_name,
        "Attributes": it.attributes,
        "State": it.state,
        "DateCreated": it.date_created,
        "DateUpdated": it.date_updated,
    }


def participant_added(conversation: Any, it: Any, now: datetime) -> NewEvent:
    """Return the webhook that tells of a participant."""
    binding = it.messaging_binding or {}
    parameters = {
        "AccountSid": it.account_sid,
        "ChatServiceSid": conversation.chat_service_sid,
        "ConversationSid": it.conversation_sid,
        "ParticipantSid": it.sid,
        "Identity": it.identity,
        "RoleSid": it.role_sid,
        "Attributes": it.attributes,
        "MessagingBinding.Type": binding.get("type"),
        "MessagingBinding.Address": binding.get("address"),
        "MessagingBinding.ProxyAddress": binding.get("proxy_address"),
        "MessagingBinding.ProjectedAddress": binding.get("projected_address"),
        "DateCreated": it.date_created,
    }
    return _event("onParticipantAdded", parameters, it.url, now)


def has_phone(it: Any, author: Any | None) -> bool:
    """Return whether a message came from a phone or another address: Twilio always posts a webhook of such a one."""
    return bool(_binding_of(author) or _channel_of(it.author))


def message_added(
    conversation: Any, it: Any, author: Any | None, now: datetime, *, answered: bool, before_start: bool = False
) -> NewEvent:
    """Return the webhook that tells of a message; `author` is its participant, None for one who is none (any more).

    REST does not show the Source of a message, so it is told from its author: an address, a chat user, or nobody.
    """
    binding = _binding_of(author)
    parameters = {
        "AccountSid": it.account_sid,
        "ChatServiceSid": conversation.chat_service_sid,
        "ConversationSid": it.conversation_sid,
        "MessagingServiceSid": conversation.messaging_service_sid,
        "MessageSid": it.sid,
        "ParticipantSid": it.participant_sid,
        "Index": it.index,
        "Author": it.author,
        "Body": it.body,
        "Attributes": it.attributes,
        "Media": _media(it.media),
        "DateCreated": it.date_created,
        "Source": (binding or _channel_of(it.author)).upper() or ("SDK" if author is not None else "API"),
        BINDING: binding,
        ANSWERED: "true" if answered else None,
        BEFORE_START: "true" if before_start else None,
    }
    return _event("onMessageAdded", parameters, it.url, now)


def _binding_of(author: Any | None) -> str:
    """Return the channel of an author with an address; a chat user's projected address is none of theirs."""
    binding: Mapping[str, Any] = (author.messaging_binding if author else None) or {}
    return str(binding.get("type") or "sms") if binding.get("address") else ""


def _channel_of(author: str | None) -> str:
    """Return the channel of an author who is an address; who had one and has left is nevertheless no program."""
    address = re.match(r"(?:([a-z]+):)?\+[0-9]", author or "")
    return (address[1] or "sms") if address else ""


def _media(media: Any) -> str | None:
    """Return the Media parameter, whose names are not those of REST."""
    files = [
        {
            "Sid": one.get("sid"),
            "ContentType": one.get("content_type"),
            "Filename": one.get("filename"),
            "Size": one.get("size"),
        }
        for one in media or ()
    ]
    return json.dumps(files, separators=(",", ":")) if files else None


def delivery_updated(service_sid: str, it: Any, now: datetime) -> NewEvent:
    """Return the webhook that tells what became of a message for one recipient."""
    parameters = {
        "AccountSid": it.account_sid,
        "ChatServiceSid": service_sid,
        "ConversationSid": it.conversation_sid,
        "MessageSid": it.message_sid,
        "DeliveryReceiptSid": it.sid,
        "ChannelMessageSid": it.channel_message_sid,
        "ParticipantSid": it.participant_sid,
        "Status": it.status,
        "ErrorCode": it.error_code or None,
        "DateCreated": it.date_created,
        "DateUpdated": it.date_updated,
    }
    return _event("onDeliveryUpdated", parameters, it.url, now)


def _event(event_type: str, parameters: Mapping[str, Any], url: str, now: datetime) -> NewEvent:
    marked = {"EventType": event_type, **parameters, FOUND_AT: now}
    form = tuple((name, _text(value)) for name, value in marked.items() if value not in (None, ""))
    identity = parsing.identity(form)
    return NewEvent(
        event_key=identity.event_key,
        event_type=identity.event_type,
        lane=identity.lane,
        source=identity.source,
        method=METHOD,
        target="/" + url.partition("://")[2].partition("/")[2],
        body=urlencode(form, errors="surrogatepass").encode(),
        headers={"User-Agent": "Parley reconcile"},
    )


def _text(value: Any) -> str:
    return webhook_date(value) if isinstance(value, datetime) else str(value)
