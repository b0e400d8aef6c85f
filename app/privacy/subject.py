"""The person whose data is looked for: the spellings of their number, address or identity."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from app.common.quoting import quoted
from app.store.consent import Person
from app.twilio_api.addresses import (
    BETWEEN_DIGITS,
    CHANNEL_OF_SOURCE,
    in_ascii_digits,
    is_phone_number,
    number_in,
    person_of,
    spellings,
    without_marks,
)

_CHANNELS = frozenset(CHANNEL_OF_SOURCE.values())
_MOST_DIGITS = 15  # of a phone number; names of other channels have more
_TELLING_DIGITS = 8  # an address with so many is no word that stands in other texts by chance


class NoSubject(ValueError):
    """What was given is no number, no address and no identity of a chat user; the message says what to write."""


@dataclass(frozen=True)
class Subject:
    """Whose data is looked for: somebody with this number, or who is called so, on whatever channel.

    A name without a channel, as the page shows it, is that of a chat user and of "messenger:<name>" alike.
    """

    text: str
    is_number: bool

    @classmethod
    def of(cls, text: str) -> Subject:
        """Return the subject that a person named. Raises NoSubject."""
        name = without_marks(text.strip()).strip()
        if number := number_in(re.sub("^[a-z_]+:", "", name, flags=re.IGNORECASE)):
            return cls(number, True)
        if not name or len(name) > 256 or name.startswith("+") or not name.isprintable():
            raise NoSubject(
                f"{quoted(text, 20)} is neither a number such as +15550100001 nor an address or identity from the page"
            )
        channel, name = _split(name)
        return cls(f"{channel}:{name}" if channel else name, False)

    def is_name(self, name: str) -> bool:
        """Return whether an author, address or identity is this person's, on whatever channel."""
        if self.is_number:
            return self._person == person_of(name)
        if not name or self.text == name:
            return bool(name)
        channel, rest = _split(name)
        return bool(channel) and self.text in (rest, f"{channel}:{rest}")

    def is_in(self, text: str) -> bool:
        """Return whether a text has this person's number or address, however it is written; others are words."""
        if self.is_number:
            plain = in_ascii_digits(text)
            return any(found.search(one) for one in (plain, _joined(plain)) for found in self._written)
        return any(found.search(text) for found in self._written)

    @cached_property
    def people(self) -> tuple[Person, ...]:
        """Who it may be where consent is stored: an address, on whatever channel, or a chat user."""
        if self.is_number or _split(self.text)[0]:
            return (Person(self.text),)
        return (Person(self.text, "chat"), *(Person(f"{channel}:{self.text}") for channel in sorted(_CHANNELS)))

    @property
    def looks_like_a_number(self) -> bool:
        """Return whether an identity is rather a number without its plus; those are looked for as they stand."""
        digits = len(re.findall("[0-9]", self.text))
        shaped = re.fullmatch(rf"(?:[a-z_]+:)?[0-9{BETWEEN_DIGITS}]+", self.text)
        return not self.is_number and bool(shaped) and 7 <= digits <= _MOST_DIGITS

    @cached_property
    def _person(self) -> str:
        return person_of(self.text)

    @cached_property
    def _written(self) -> tuple[re.Pattern[str], ...]:
        return tuple(map(re.compile, self._patterns()))

    def _patterns(self) -> Iterator[str]:
        if self.is_number:
            numbers = {one[1:] for one in spellings(self.text) if is_phone_number(one)} | {self.text[1:]}
            yield f"(?<![0-9])(?:00|011)?(?:{'|'.join(sorted(numbers))})(?![0-9])"
        elif len(re.findall("[0-9]", self.text)) >= _TELLING_DIGITS and not self.looks_like_a_number:
            yield rf"(?<![\w.+])(?:{'|'.join(sorted(_CHANNELS))}:)?{re.escape(_split(self.text)[1])}(?!\w)"


def is_address(name: str) -> bool:
    """Return whether an author is reached on a channel, so that it is no chat user of ours."""
    return bool(re.search(r"\+[0-9]{7}", name)) or bool(_split(name)[0])


def _split(name: str) -> tuple[str, str]:
    """Return the channel before an address, in small letters, and the rest; "" where there is none that we know."""
    channel, colon, rest = name.partition(":")
    return (channel.lower(), rest) if colon and rest and channel.lower() in _CHANNELS else ("", name)


def _joined(text: str) -> str:
    return re.sub(f"[{BETWEEN_DIGITS}]", "", text)
