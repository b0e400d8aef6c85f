"""Gives inbound messages as signed webhook posts, ready to be written to a socket; it sends nothing."""

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlencode

from twilio.request_validator import RequestValidator

PUBLIC_URL = "https://bot.example.com"
ROUTE = "/conversations/webhook"
AUTH_TOKEN = "0123456789abcdef0123456789abcdef"
ACCOUNT_SID = "AC" + "0" * 30 + "42"
SERVICE_SID = "IS" + "0" * 30 + "42"
MESSAGING_SERVICE_SID = "MG" + "0" * 30 + "42"

VALIDATOR = RequestValidator(AUTH_TOKEN)


@dataclass(frozen=True)
class Batch:
    """Which messages: `name` (16 hex digits) makes their SIDs unlike those of any other batch."""

    name: str
    conversations: int

    def conversation_sid(self, number: int) -> str:
        """Return the conversation of message `number`; the messages take turns over the conversations."""
        return f"CH{self.name}{number % self.conversations:016x}"


def new_batch(conversations: int) -> Batch:
    """Return a batch whose SIDs no server has seen before."""
    return Batch(name=uuid.uuid4().hex[:16], conversations=conversations)


def inbound_sms(batch: Batch, number: int) -> dict[str, str]:
    """Return the form of an `onMessageAdded` as Twilio posts it for a text message that arrives now.

    Source: conversations-classic/conversations-webhooks, read 2026-11-22.
    """
    return {
        "MessagingServiceSid": MESSAGING_SERVICE_SID,
        "EventType": "onMessageAdded",
        "Attributes": "{}",
        "DateCreated": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
        "Index": str(number // batch.conversations),
        "ChatServiceSid": SERVICE_SID,
        "MessageSid": f"IM{batch.name}{number:016x}",
        "AccountSid": ACCOUNT_SID,
        "Source": "SMS",
        "RetryCount": "0",
        "Author": f"+1555010{number % batch.conversations % 10_000:04d}",
        "ParticipantSid": f"MB{batch.name}{number % batch.conversations:016x}",
        "Body": f"Where is my order {number}? I asked for it two weeks ago.",  # a text that is repeated gets no reply
        "ConversationSid": batch.conversation_sid(number),
    }


def conversation_added(batch: Batch, number: int) -> dict[str, str]:
    """Return the form of the `onConversationAdded` that Twilio posts before the first message of a new sender.

    Source: conversations-classic/conversations-webhooks, read 2026-11-22.
    """
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    return {
        "MessagingServiceSid": MESSAGING_SERVICE_SID,
        "EventType": "onConversationAdded",
        "Attributes": "{}",
        "DateCreated": now,
        "DateUpdated": now,
        "ChatServiceSid": SERVICE_SID,
        "AccountSid": ACCOUNT_SID,
        "Source": "SMS",
        "RetryCount": "0",
        "State": "active",
        "MessagingBinding.Address": f"+1555010{number % batch.conversations % 10_000:04d}",
        "MessagingBinding.ProxyAddress": "+15550199999",
        "ConversationSid": batch.conversation_sid(number),
    }


def receipt(message_sid: str, conversation_sid: str, status: str) -> dict[str, str]:
    """Return the form of an `onDeliveryUpdated` as Twilio posts it for a message of ours.

    Source: conversations-classic/delivery-receipts, read 2026-11-22.
    """
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    return {
        "AccountSid": ACCOUNT_SID,
        "ChannelMessageSid": f"SM{message_sid[2:]}",
        "ChatServiceSid": SERVICE_SID,
        "ConversationSid": conversation_sid,
        "DateCreated": now,
        "DateUpdated": now,
        "DeliveryReceiptSid": f"DY{message_sid[2:]}",
        "EventType": "onDeliveryUpdated",
        "MessageSid": message_sid,
        "ParticipantSid": f"MB{conversation_sid[2:]}",
        "RetryCount": "0",
        "Status": status,
    }


def signed_post(form: dict[str, str]) -> bytes:
    """Return the whole HTTP/1.1 request, with the signature Twilio would give it."""
    body = urlencode(form)
    head = (
        f"POST {ROUTE} HTTP/1.1",
        "Host: bot.example.com",
        "User-Agent: TwilioProxy/1.1",
        "Accept: */*",
        "Content-Type: application/x-www-form-urlencoded; charset=utf-8",
        f"I-Twilio-Idempotency-Token: {uuid.uuid4()}",
        f"X-Twilio-Signature: {VALIDATOR.compute_signature(PUBLIC_URL + ROUTE, form)}",
        f"Content-Length: {len(body)}",
    )
    return ("\r\n".join(head) + "\r\n\r\n" + body).encode()


def signed_posts(batch: Batch, count: int) -> list[bytes]:
    """Return the first `count` messages of the batch, each as one signed request."""
    return [signed_post(inbound_sms(batch, number)) for number in range(count)]
