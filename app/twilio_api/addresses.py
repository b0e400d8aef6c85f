"""Addresses of people as Twilio writes them, and which channel each belongs to; whose they are is not known here."""

import re

CHANNEL_OF_SOURCE = {"mms": "sms"} | {
    name: name for name in ("sms", "whatsapp", "messenger", "rcs", "gbm", "email", "apple", "viber", "line")
}


def channel_of(author: str, source: str) -> str:
    """Return the channel a message came by: "sms", "whatsapp", "chat", "messenger", ...

    The address decides (`whatsapp:+1555...`, `+1555...`), then Source, an open set. A chat client's identity is
    never an address, whatever it looks like.
    Source: docs/conversations-classic/conversations-webhooks, values of Source (read 2026-11-22)
    """
    if source.upper() == "SDK":
        return "chat"
    if is_phone_number(author):
        return "sms"
    prefix = re.match(r"([A-Za-z][A-Za-z0-9_-]*):.", author)
    return prefix[1].lower() if prefix else CHANNEL_OF_SOURCE.get(source.lower(), "chat")


def is_phone_number(address: str) -> bool:
    """Return whether an address is a phone number in E.164; `whatsapp:+1555...` is another kind of address."""
    return re.fullmatch(r"\+[0-9]{2,15}", address) is not None
