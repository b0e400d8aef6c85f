"""Redacts recorded webhooks: numbers, SIDs, names and texts become stand-ins. It reads no file.

Within one recording the same original always becomes the same stand-in, wherever it stands, so that what
belonged together still does; another recording starts anew.
"""

from __future__ import annotations

import json
import mimetypes
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote, unquote

from app.recordings.files import FORM_TYPE, RecordedRequest, encode, form_of, with_form
from app.recordings.placeholders import kept_words, neutral_signs, neutral_space, neutral_word
from app.rules.text_matching import words_of
from app.twilio_api.form import SID_DIGITS, Form, decode_form, read_date

HOST = "bot.example.com"
_CHANNELS = "whatsapp|messenger|rcs|gbm|email|sms|mms|apple|viber|line|telegram"
_SID = re.compile(rf"(?<![A-Za-z0-9])[A-Z]{{2}}{SID_DIGITS}(?![A-Za-z0-9])")
_ADDRESS = re.compile(
    rf"(?<![A-Za-z0-9])((?:(?:{_CHANNELS}):)?)(\+?[0-9](?:[ ()./-]{{0,2}}[0-9]){{6,}})(?![A-Za-z0-9])"
)
_WHOLE_ADDRESS = re.compile(rf"((?:(?:{_CHANNELS}):)?)(\+?[0-9]{{2,}})")
_PART = re.compile(r"(?P<space>\s+)|(?P<word>[^\W_]+)|(?P<signs>[^\w\s]+|_+)")
_MIME_TYPE = re.compile(r"[a-z]+/[a-z0-9.+-]+")
_ENUM = re.compile(r"true|false|[A-Z][A-Z_]{2,31}|[0-9]{1,6}")

# Twilio's own words and numbers in these tell nothing of anybody.
# Source: conversations-classic/conversations-webhooks, read 2026-11-22.
_PLAIN_PARAMETERS = frozenset(
    "EventType Index RetryCount Source Status ErrorCode Reason State StateFrom StateTo LastReadMessageIndex isOnline"
    " isNotifiable MessagingBinding.Type".split()
)
_PLAIN = re.compile(r"[A-Za-z][A-Za-z_]{0,39}|[0-9]{1,9}")
_NAME_PARAMETERS = frozenset(
    "Author AuthorFriendlyName ClientIdentity Identity FriendlyName ProfileName UniqueName".split()
)
_TEXT_PARAMETERS = frozenset("Body ButtonText MessageBody Subject".split())
_JSON_PARAMETERS = frozenset("Attributes ChannelMetadata Media".split())


@dataclass(frozen=True)
class Kept:
    """What stays, so that a replay is decided as the original was: our own names and the words of our rules.

    `keywords` stay wherever they stand in a text, `whole_messages` (STOP, HELP, START) where they are all of it.
    """

    bot_author: str = "support-bot"
    agents: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()
    whole_messages: tuple[str, ...] = ()


def redact(requests: Sequence[RecordedRequest], kept: Kept) -> list[RecordedRequest]:
    """Return the requests of one recording with stand-ins for all that is private, and without signatures."""
    redactor = _Redactor(requests, kept)
    return [redactor.request(request) for request in requests]


@dataclass
class _StandIns:
    """Originals of one kind and what stands for them; a stand-in is never one of the originals."""

    originals: frozenset[str]
    known: dict[str, str] = field(default_factory=dict)

    def get(self, original: str, make: Callable[[int], str]) -> str:
        if original not in self.known:
            taken = self.originals | set(self.known.values())
            numbers = iter(range(1, len(taken) + 2))
            self.known[original] = next(made for n in numbers if (made := make(n)) not in taken)
        return self.known[original]


class _Redactor:
    """The stand-ins given so far in one recording."""

    def __init__(self, requests: Sequence[RecordedRequest], kept: Kept) -> None:
        self._kept = kept
        self._whole = {words_of(word) for word in kept.whole_messages}
        self._phrases = tuple(filter(None, map(words_of, kept.keywords)))
        values = [text for request in requests for _, text in _all_pairs(request)]
        names_and_addresses = {
            text
            for request in requests
            for name, text in _all_pairs(request)
            if name in _NAME_PARAMETERS and text.strip()
        }
        numbers = {_digits(found[2]) for text in values for found in _ADDRESS.finditer(text)}
        numbers |= {_digits(text) for text in names_and_addresses if _WHOLE_ADDRESS.fullmatch(text)}
        names = {text for text in names_and_addresses if self._is_name(text)}
        self._sids = _StandIns(frozenset(sid for text in values for sid in _SID.findall(text)))
        self._numbers = _StandIns(frozenset(numbers))
        self._names = _StandIns(frozenset(names))
        self._files = _StandIns(frozenset())
        self._tokens = _StandIns(frozenset())
        self._special = _special_parts(names)

    def request(self, request: RecordedRequest) -> RecordedRequest:
        path, _, query = _path_and_query(request.target).partition("?")
        path = quote(path, safe="/%")
        target = f"{path}?{encode(self._form(decode_form(query.encode())))}" if query else path
        headers = {"Host": HOST, "Accept": "*/*", "User-Agent": "TwilioProxy/1.1"}
        if token := request.headers.get("I-Twilio-Idempotency-Token"):
            make = "00000000-0000-4000-8000-{:012}".format
            headers["I-Twilio-Idempotency-Token"] = self._tokens.get(token, make)
        if request.method == "GET":
            return RecordedRequest(request.method, target, headers, b"")
        bare = replace(request, target=target, headers={**headers, "Content-Type": FORM_TYPE})
        return with_form(bare, self._form(form_of(request)))

    def _form(self, form: Form) -> Form:
        return tuple((self._key(name), self._value(name, text)) for name, text in form)

    def _value(self, name: str, text: str) -> str:
        if not text.strip() or (name in _PLAIN_PARAMETERS and _PLAIN.fullmatch(text)) or read_date(text):
            return text
        if name in _NAME_PARAMETERS:
            return self._name(text)
        if name in _JSON_PARAMETERS:
            return self._json(text, is_media=name == "Media")
        if name in _TEXT_PARAMETERS or not _ENUM.fullmatch(text):
            return self._text(text)
        return text if not self._is_known(text) else self._text(text)

    def _is_known(self, text: str) -> bool:
        return text in self._names.originals or text in self._numbers.originals

    def _is_name(self, text: str) -> bool:
        """Return whether an author, identity or name is somebody's: not ours, no address or SID in it."""
        is_address = _WHOLE_ADDRESS.fullmatch(text) or _ADDRESS.search(text) or _SID.search(text)
        return not is_address and not self._is_ours(text)

    def _is_ours(self, name: str) -> bool:
        return name in (self._kept.bot_author, "system") or name in self._kept.agents

    def _name(self, text: str) -> str:
        if self._is_ours(text):
            return text
        if found := _WHOLE_ADDRESS.fullmatch(text):
            return self._address(found[1], found[2])
        return self._person(text) if text in self._names.originals else self._text(text)

    def _person(self, name: str) -> str:
        """Return who stands for a name; an agent's stand-in still matches the agents' pattern."""
        patterns = [pattern for pattern in self._kept.agents if fnmatchcase(name, pattern)]

        def make(n: int) -> str:
            alike = [pattern.replace("*", f"person-{n}").replace("?", "1") for pattern in patterns]
            fitting = (made for made, pattern in zip(alike, patterns, strict=True) if fnmatchcase(made, pattern))
            return next((made for made in fitting if str(n) in made), f"person-{n}")

        return self._names.get(name, make)

    def _address(self, prefix: str, number: str) -> str:
        stand_in = self._numbers.get(_digits(number), "155501{:05}".format)
        return prefix + ("+" if number.startswith("+") else "") + stand_in

    def _sid(self, sid: str) -> str:
        return self._sids.get(sid, lambda n: f"{sid[:2]}{n:032}")

    def _key(self, name: str) -> str:
        """Return a parameter's or attribute's name, changed only where it holds what was replaced elsewhere."""
        return self._special.sub(self._stand_in, name)

    def _stand_in(self, found: re.Match[str]) -> str:
        if found["sid"]:
            return self._sid(found["sid"])
        return self._person(found["name"]) if found["name"] else self._address(found["channel"], found["number"])

    def _text(self, text: str) -> str:
        """Return neutral words; SIDs, addresses and known names in between become what they are elsewhere."""
        if words_of(text) in self._whole:
            return text
        parts = list(self._parts(text))
        kept = kept_words([part if part is not None else made for part, made in parts], self._phrases)
        made = "".join(kept.get(n, made) if part is not None else made for n, (part, made) in enumerate(parts))
        return neutral_word("word") if made == text and len(text) > 2 and not kept else made

    def _parts(self, text: str) -> Iterator[tuple[str | None, str]]:
        """Give (original, stand-in) of each part; the original is None where it must not be kept."""
        end = 0
        for found in self._special.finditer(text):
            yield from self._plain_parts(text[end : found.start()])
            yield None, self._stand_in(found)
            end = found.end()
        yield from self._plain_parts(text[end:])

    def _plain_parts(self, text: str) -> Iterator[tuple[str | None, str]]:
        for found in _PART.finditer(text):
            if found["space"]:
                yield None, neutral_space(found[0])
            elif found["signs"]:
                yield None, neutral_signs(found[0])
            elif found[0] in self._numbers.originals:
                yield None, self._address("", found[0])
            else:
                yield found[0], neutral_word(found[0])

    def _json(self, text: str, *, is_media: bool) -> str:
        try:
            document = self._item(json.loads(text), is_media=is_media)
        except (ValueError, RecursionError):
            return self._text(text)
        return json.dumps(document, separators=(",", ":"))

    def _item(self, value: Any, key: str = "", *, is_media: bool) -> Any:
        if isinstance(value, dict):
            return {self._key(name): self._item(item, name, is_media=is_media) for name, item in value.items()}
        if isinstance(value, list):
            return [self._item(item, key, is_media=is_media) for item in value]
        if isinstance(value, str):
            return self._string(value, key, is_media=is_media)
        return self._count(value) if type(value) in (int, float) else value

    def _count(self, value: int | float) -> int | float:
        """Return a number as it is, unless it may be a phone number."""
        digits = _digits(repr(value))
        is_phone = digits in self._numbers.originals or (isinstance(value, int) and len(digits) >= 10)
        return int(self._address("", digits)) if is_phone else value

    def _string(self, text: str, key: str, *, is_media: bool) -> str:
        if not text.strip() or (key, text) == ("role", "agent") or read_date(text):
            return text
        if is_media and ((key == "Category" and text == "media") or (key == "ContentType" and _is_mime_type(text))):
            return text
        if is_media and key == "Filename":
            return self._files.get(text, lambda n: f"file-{n}{_known_suffix(text)}")
        return self._person(text) if text in self._names.originals else self._text(text)


def _special_parts(names: set[str]) -> re.Pattern[str]:
    """Return what finds a SID, a known name or an address in a text."""
    longest_first = sorted(names, key=lambda name: (-len(name), name))
    any_name = "|".join(map(re.escape, longest_first)) or r"(?!)"
    address = _ADDRESS.pattern.replace("((?:(?:", "(?P<channel>(?:(?:", 1).replace(r"(\+?", r"(?P<number>\+?", 1)
    return re.compile(rf"(?P<sid>{_SID.pattern})|(?<!\w)(?P<name>{any_name})(?!\w)|{address}")


def _all_pairs(request: RecordedRequest) -> Form:
    query = _path_and_query(request.target).partition("?")[2]
    return form_of(request) + (decode_form(query.encode()) if request.method != "GET" else ())


def _path_and_query(target: str) -> str:
    """Return the target without scheme, host and fragment, which a caller may have written into it."""
    return re.sub(r"^[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*", "", target.partition("#")[0]) or "/"


def _digits(text: str) -> str:
    return "".join(char for char in text if char.isascii() and char.isdigit())


def _is_mime_type(text: str) -> bool:
    return _MIME_TYPE.fullmatch(text) is not None and (mimetypes.guess_extension(text) or "") != ""


def _known_suffix(name: str) -> str:
    suffix = PurePosixPath(unquote(name)).suffix.lower()
    return suffix if suffix in mimetypes.types_map else ""
