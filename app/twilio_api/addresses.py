"""Addresses of people as Twilio writes them, and which channel each belongs to; whose they are is not known here."""

import re

# What people and telephones write between the digits of a number: all kinds of space, of hyphen, of direction mark.
BETWEEN_DIGITS = r"\s()./\u2010-\u2015\u200e\u200f\u202a-\u202e\u2066-\u2069-"
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


def spellings(address: str) -> tuple[str, str]:
    """Return an address as it is written and as Twilio would write it: "whatsapp:+15550100001"."""
    channel, number = re.fullmatch(r"((?:[A-Za-z][A-Za-z0-9_-]*:)?)(.*)", address.strip(), re.DOTALL).groups()  # type: ignore[union-attr]
    digits = re.sub(f"[{BETWEEN_DIGITS}]", "", number)
    return address, channel.lower() + (digits if is_phone_number(digits) else number.strip())
