"""Resources as Twilio's REST API shows them: every property of the OpenAPI description, none more.

`base` is the URL under which the resource was asked for, with or without /Services/IS...
"""

from typing import Any

from app.emulator.clock import rest_time
from app.emulator.models import (
    Conversation,
    EmulatedMessage,
    EmulatedReceipt,
    Participant,
    ScopedHook,
    StoredMedia,
    User,
)
from app.emulator.webhook_forms import present

ORIGIN = "https://conversations.twilio.com"
V1 = f"{ORIGIN}/v1"
Document = dict[str, Any]
_LEVELS = {
    "sent": ("sent", "delivered", "read", "undelivered"),
    "delivered": ("delivered", "read"),
    "read": ("read",),
    "failed": ("failed",),
    "undelivered": ("undelivered",),
}


def conversation(account_sid: str, base: str, it: Conversation) -> Document:
    """Return a Conversation."""
    url = f"{base}/Conversations/{it.sid}"
    return {
        "sid": it.sid,
        "account_sid": account_sid,
        "chat_service_sid": it.service_sid,
        "messaging_service_sid": it.messaging_service_sid,
        "friendly_name": it.friendly_name,
        "unique_name": it.unique_name,
        "attributes": it.attributes,
        "state": it.state,
        "date_created": rest_time(it.created),
        "date_updated": rest_time(it.updated),
        "timers": timers(it),
        "bindings": {"email": it.email_binding} if it.email_binding else {},
        "url": url,
        "links": {
            "participants": f"{url}/Participants",
            "messages": f"{url}/Messages",
            "webhooks": f"{url}/Webhooks",
        },
    }


def timers(it: Conversation) -> Document:
    """Return when the timers end; nothing for a closed conversation."""
    if it.state == "closed":
        return {}
    inactive_at = it.due_at(it.inactive_after) if it.state == "active" else None
    return present(date_inactive=rest_time(inactive_at), date_closed=rest_time(it.due_at(it.closed_after)))


def participant(account_sid: str, base: str, it: Participant) -> Document:
    """Return a Participant."""
    return {
        "sid": it.sid,
        "account_sid": account_sid,
        "conversation_sid": it.conversation_sid,
        "identity": it.identity,
        "attributes": it.attributes,
        "messaging_binding": binding(it),
        "role_sid": it.role_sid,
        "date_created": rest_time(it.created),
        "date_updated": rest_time(it.updated),
        "last_read_message_index": it.last_read_index,
        "last_read_timestamp": it.last_read_at,
        "url": f"{base}/Conversations/{it.conversation_sid}/Participants/{it.sid}",
    }


def binding(it: Participant) -> Document | None:
    """Return a messaging binding, or None for somebody who is only in the chat."""
    if not (it.address or it.projected_address):
        return None
    return present(
        type=it.kind,
        address=it.address,
        proxy_address=it.proxy_address,
        projected_address=it.projected_address,
    )


def message(account_sid: str, base: str, it: EmulatedMessage) -> Document:
    """Return a Message."""
    url = f"{base}/Conversations/{it.conversation_sid}/Messages/{it.sid}"
    return {
        "sid": it.sid,
        "account_sid": account_sid,
        "conversation_sid": it.conversation_sid,
        "index": it.index,
        "author": it.author,
        "body": it.body,
        "media": [media_entry(file) for file in it.media] or None,
        "attributes": it.attributes,
        "participant_sid": it.participant_sid,
        "date_created": rest_time(it.created),
        "date_updated": rest_time(it.updated),
        "delivery": delivery(it),
        "content_sid": it.content_sid,
        "url": url,
        "links": {"delivery_receipts": f"{url}/Receipts", "channel_metadata": f"{url}/ChannelMetadata"},
    }


def media_entry(it: StoredMedia) -> Document:
    """Return a file as a message lists it."""
    return {"sid": it.sid, "size": it.size, "content_type": it.content_type, "filename": it.filename}


def delivery(it: EmulatedMessage) -> Document | None:
    """Return how many phones the message has reached, as all, some or none; None without phones.

    A message that was read was also delivered, and one that was delivered was also sent.
    """
    total = len(it.receipts)
    if not total:
        return None
    summary: Document = {"total": total}
    for level, statuses in _LEVELS.items():
        count = sum(1 for receipt in it.receipts.values() if receipt.status in statuses)
        summary[level] = "all" if count == total else "some" if count else "none"
    return summary


def receipt(account_sid: str, base: str, of: EmulatedMessage, it: EmulatedReceipt) -> Document:
    """Return a delivery receipt; its status is null while the message is still inside Twilio."""
    return {
        "sid": it.sid,
        "account_sid": account_sid,
        "conversation_sid": of.conversation_sid,
        "message_sid": of.sid,
        "channel_message_sid": it.channel_message_sid,
        "participant_sid": it.participant_sid,
        "status": it.status,
        "error_code": it.error_code,
        "date_created": rest_time(it.created),
        "date_updated": rest_time(it.updated),
        "url": f"{base}/Conversations/{of.conversation_sid}/Messages/{of.sid}/Receipts/{it.sid}",
    }


def scoped_hook(account_sid: str, base: str, conversation_sid: str, it: ScopedHook) -> Document:
    """Return a webhook of a conversation."""
    settings: Document = {"url": it.url, "method": it.method.upper()}
    if it.target == "webhook":
        settings["filters"] = list(it.filters)
    elif it.target == "trigger":
        settings["triggers"] = list(it.triggers)
    else:
        settings = {"flow_sid": it.flow_sid}
    if it.replay_after is not None:
        settings["replay_after"] = it.replay_after
    return {
        "sid": it.sid,
        "account_sid": account_sid,
        "conversation_sid": conversation_sid,
        "target": it.target,
        "configuration": settings,
        "date_created": rest_time(it.created),
        "date_updated": rest_time(it.updated),
        "url": f"{base}/Conversations/{conversation_sid}/Webhooks/{it.sid}",
    }


def participant_conversation(
    account_sid: str, base: str, of: Conversation, it: Participant, user: User | None
) -> Document:
    """Return a participant together with the conversation he is in."""
    url = f"{base}/Conversations/{of.sid}"
    return {
        "account_sid": account_sid,
        "chat_service_sid": of.service_sid,
        "participant_sid": it.sid,
        "participant_user_sid": user.sid if user else None,
        "participant_identity": it.identity,
        "participant_messaging_binding": binding(it),
        "conversation_sid": of.sid,
        "conversation_unique_name": of.unique_name,
        "conversation_friendly_name": of.friendly_name,
        "conversation_attributes": of.attributes,
        "conversation_date_created": rest_time(of.created),
        "conversation_date_updated": rest_time(of.updated),
        "conversation_created_by": of.created_by,
        "conversation_state": of.state,
        "conversation_timers": timers(of),
        "links": {"participant": f"{url}/Participants/{it.sid}", "conversation": url},
    }
