"""The customers one can write as in the phone simulator: SMS, WhatsApp or web chat."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

OUR_NUMBER = "+15550100099"
CHANNELS = {"sms": "SMS", "whatsapp": "WhatsApp", "chat": "Web chat"}
MOST_PEOPLE = 8
LONGEST_IDENTITY = 256
_NUMBER = re.compile(r"\+[1-9]\d{5,14}")
_SOURCES = {"SMS": "sms", "WHATSAPP": "whatsapp", "SDK": "chat"}


@dataclass(frozen=True)
class PhoneCustomer:
    """Somebody with a phone; `name` is the number, or the identity in the web chat."""

    channel: str
    name: str

    @property
    def key(self) -> str:
        """Return what stands for the customer in an address of the page."""
        return f"{self.channel}:{self.name}"

    @property
    def address(self) -> str:
        """Return the name by which Twilio knows the customer."""
        return f"whatsapp:{self.name}" if self.channel == "whatsapp" else self.name

    @property
    def has_number(self) -> bool:
        """Whether messages go out to a phone: then there are carriers and receipts."""
        return self.channel != "chat"

    @property
    def initials(self) -> str:
        """Return what stands on the picture: the last digits of a number, the first letters of a name."""
        return self.name[-2:] if self.has_number else self.name[:2].upper()


CAST = (
    PhoneCustomer("sms", "+15550100003"),
    PhoneCustomer("whatsapp", "+15550100004"),
    PhoneCustomer("chat", "visitor"),
)


def customer(channel: str, name: str, *, bot_author: str) -> PhoneCustomer:
    """Return who this is. Raises ValueError with a sentence when nobody can be called so."""
    name = name.strip()
    if channel not in CHANNELS:
        raise ValueError(f"choose one of {', '.join(CHANNELS.values())}")
    if channel != "chat":
        number = re.sub(r"[\s()./-]", "", name.removeprefix("whatsapp:"))
        if not _NUMBER.fullmatch(number):
            raise ValueError(f"“{name[:40]}” is not a phone number; write it as +15550100003")
        return PhoneCustomer(channel, number)
    if not name or len(name) > LONGEST_IDENTITY or not name.isprintable() or re.match(r"\+|whatsapp:", name):
        raise ValueError(f"“{name[:40]}” cannot be a name in the web chat; choose one like visitor")
    if name == bot_author:
        raise ValueError(f"“{name}” is the bot itself; choose another name")
    return PhoneCustomer("chat", name)


def of_key(key: str, *, bot_author: str) -> PhoneCustomer:
    """Return the customer that an address of the page names, the first of the cast for "". Raises ValueError."""
    if not key:
        return CAST[0]
    channel, _, name = key.partition(":")
    return customer(channel, name, bot_author=bot_author)


def people(messages: Sequence[Mapping[str, Any]], me: PhoneCustomer) -> list[PhoneCustomer]:
    """Return who can be chosen: me, the cast, and who has written at the emulator lately."""
    known = dict.fromkeys((*CAST, me))
    for message in reversed(messages):
        if len(known) >= MOST_PEOPLE:
            break
        known |= dict.fromkeys(_writer(message))
    return list(known)


def _writer(message: Mapping[str, Any]) -> list[PhoneCustomer]:
    """Return the customer who wrote a message; in a chat who began it: the others may be agents."""
    channel = _SOURCES.get(message["source"])
    if channel is None or (channel == "chat" and message["index"] > 0):
        return []
    return [PhoneCustomer(channel, message["author"].removeprefix("whatsapp:"))]
