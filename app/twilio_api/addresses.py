"""Addresses of people as Twilio writes them, which channel each belongs to, and what a channel tells beside the text.

Whose they are is not known here.
"""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from app.twilio_api.form import read_attributes

# What telephones and programs write that nobody sees: soft hyphens, joiners, direction marks, the mark of an encoding.
_UNSEEN = r"\u00ad\u200b-\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff"
# What people and telephones write between the digits of a number: all kinds of space, of hyphen, and what is not seen.
BETWEEN_DIGITS = rf"\s()./\u2010-\u2015\u2212{_UNSEEN}-"
# After the customer's last message. Source: api/errors/63016, read 2026-11-22.
WHATSAPP_WINDOW = timedelta(hours=24)
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


def is_whatsapp_user_id(name: str) -> bool:
    """Return whether a name is the id that WhatsApp gives a user for a business, in place of a number: US.134912...

    Twilio writes "whatsapp:" before it, people leave that out. Source: shapes that other products have published
    (business-scoped user ids, 2026), read 2026-11-29.
    """
    return re.fullmatch(r"[A-Z]{2}\.[0-9]{10,}", name) is not None


# The same telephone is written with and without a digit before its number. Source: WhatsApp's and Twilio's pages on
# numbers of Mexico (a 1 until 2019), Brazil (the ninth digit) and Argentina (a 9), read 2026-11-29.
_WRITTEN_IN_TWO_WAYS = (
    (re.compile(r"\+521(\d{10})"), r"+52\1"),
    (re.compile(r"\+55(\d{2})9(\d{8})"), r"+55\1\2"),
    (re.compile(r"\+549(\d{10})"), r"+54\1"),
)
_WRITTEN_OTHERWISE = (
    (re.compile(r"\+52(\d{10})"), r"+521\1"),
    (re.compile(r"\+55(\d{2})(\d{8})"), r"+55\g<1>9\2"),
    (re.compile(r"\+54(\d{10})"), r"+549\1"),
)
_NUMBERED_CHANNELS = ("", "whatsapp:", "rcs:", "sms:", "viber:")


def person_of(address: str) -> str:
    """Return whose address it is: one text for a number in every spelling and on every channel.

    "whatsapp:+521 55 1234 5678" and "+525512345678" are one person, "messenger:4711" is nobody else's.
    """
    channel, rest = re.fullmatch(r"((?:[A-Za-z][A-Za-z0-9_-]*:)?)(.*)", address.strip(), re.DOTALL).groups()  # type: ignore[union-attr]
    number = re.sub(f"[{BETWEEN_DIGITS}]", "", rest)
    return _one_way(number) if is_phone_number(number) else channel.lower() + rest.strip()


def spellings(address: str) -> tuple[str, ...]:
    """Return how Twilio may write the address of the same person: a number on each channel that has numbers."""
    person = person_of(address)
    if not is_phone_number(person):
        return (address, person) if address != person else (address,)
    numbers = [person, *(form.sub(other, person) for form, other in _WRITTEN_OTHERWISE if form.fullmatch(person))]
    return tuple(channel + number for channel in _NUMBERED_CHANNELS for number in numbers)


def _one_way(number: str) -> str:
    for form, plain in _WRITTEN_IN_TWO_WAYS:
        if form.fullmatch(number):
            return form.sub(plain, number)
    return number


def without_marks(text: str) -> str:
    """Return a text without what nobody sees at its ends: direction marks, as telephones put them around a number."""
    return re.sub(rf"^[{_UNSEEN}]+|[{_UNSEEN}]+$", "", text)


def in_ascii_digits(text: str) -> str:
    """Return a text with the digits and the plus of every script as 0 to 9 and +, one character for each."""
    if text.isascii():
        return text
    return "".join(str(unicodedata.decimal(one)) if one.isdecimal() else "+" if one == "＋" else one for one in text)


def number_in(text: str) -> str:
    """Return a phone number as Twilio writes it, however a person or a telephone wrote it, "" for what is none.

    It has a plus or 00 and the country's code: "\u202a+1 (555) 010-0001\u202c", "0015550100001".
    """
    number = re.sub(f"[{BETWEEN_DIGITS}]", "", in_ascii_digits(text))
    number = f"+{number[2:]}" if number.startswith("00") else number
    return number if re.fullmatch(r"\+[1-9][0-9]{6,14}", number) else ""


@dataclass(frozen=True, slots=True)
class ChannelFacts:
    """What a channel tells of a message beside its text: the button that was pressed, the name of a profile, metadata.

    None of it is documented for Conversations webhooks; it is read where it comes. Absent values are "" and {};
    `channel_metadata` is the JSON object as the channel wrote it.
    Source: captures that users of other products have published (ButtonText, ButtonPayload, ChannelMetadata with a
    ProfileName in data.context; AuthorFriendlyName of Event Streams), read 2026-11-29.
    """

    button: str = ""
    button_payload: str = ""
    profile_name: str = ""
    channel_metadata: Mapping[str, Any] = field(default_factory=dict)


NOTHING = ChannelFacts()


def channel_facts(parameters: Mapping[str, str]) -> ChannelFacts:
    """Return what the parameters of a webhook, or the metadata in them, tell."""
    metadata = read_attributes(parameters.get("ChannelMetadata", ""))
    return ChannelFacts(
        button=parameters.get("ButtonText") or _told(metadata, "ButtonText"),
        button_payload=parameters.get("ButtonPayload") or _told(metadata, "ButtonPayload"),
        profile_name=parameters.get("ProfileName")
        or _told(metadata, "ProfileName")
        or parameters.get("AuthorFriendlyName", ""),
        channel_metadata=metadata,
    )


def _told(metadata: Mapping[str, Any], name: str) -> str:
    """Return a text of the metadata: they have it in data.context, in data or at the top."""
    data = metadata.get("data")
    context = data.get("context") if isinstance(data, Mapping) else None
    for place in (context, data, metadata):
        if isinstance(place, Mapping) and isinstance(found := place.get(name), str) and found:
            return found
    return ""
