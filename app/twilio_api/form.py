"""Parses Twilio's urlencoded parameters: bytes to pairs, texts to values; knows no event."""

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote_to_bytes

Form = tuple[tuple[str, str], ...]

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
EARLIEST, LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)  # of what can have happened
_LARGEST_NUMBER = 2**31 - 1
SID_DIGITS = "[0-9a-fA-F]{32}"  # of a SID, behind two letters that say of what


def decode_form(raw: bytes) -> Form:
    """Return the pairs of an urlencoded body in order, with blank and repeated values; never raises.

    Bytes that are not UTF-8 survive as lone surrogates, so that a signature can be computed over them.
    """
    parts = (part.partition(b"=") for part in raw.split(b"&") if part)
    return tuple((_decode(name), _decode(value)) for name, _, value in parts)


def read_form(method: str, target: str, body: bytes) -> Form:
    """Return the parameters of a webhook: from the query of the raw target for GET, else from the body."""
    return decode_form(_encoded(method, target, body))


def read_text(method: str, target: str, body: bytes, name: str) -> str:
    """Return one parameter as it can be stored, "" where it is absent; its name as Twilio writes it, unescaped.

    Many times faster than read_form where nothing else is asked.
    """
    _, _, behind = (b"&" + _encoded(method, target, body)).partition(f"&{name}=".encode())
    return storable(_decode(behind.partition(b"&")[0]))


def _encoded(method: str, target: str, body: bytes) -> bytes:
    if method.upper() not in ("GET", "HEAD"):
        return body
    query = target.partition("#")[0].partition("?")[2]
    return query.encode("utf-8", "surrogatepass")


def _decode(raw: bytes) -> str:
    raw = raw.replace(b"+", b" ")
    if b"%" in raw:
        raw = unquote_to_bytes(raw)
    return raw.decode("utf-8", "surrogateescape")


def storable(text: str) -> str:
    """Return the text without what a database refuses: U+FFFD for NUL and for lone surrogates."""
    return _UNSTORABLE.sub("\ufffd", text)


def parameter(name: str, read: Callable[[str], Any] = str) -> Any:
    """Return a dataclass field that `read` makes of Twilio's parameter `name`; absent is as empty."""
    return field(default_factory=lambda: read(""), metadata={"parameter": name, "read": read})


def read_index(text: str) -> int | None:
    """Return the number; None for what is none, negative, or too large for a 32-bit column."""
    number = int(text) if re.fullmatch("[0-9]{1,10}", text) else _LARGEST_NUMBER + 1
    return number if number <= _LARGEST_NUMBER else None


def read_number(text: str) -> int:
    """Return the number, or 0 for everything that is none."""
    return read_index(text) or 0


def read_date(text: str) -> datetime | None:
    """Return the moment in UTC; None for a text that is no date with a time zone.

    One that nothing can have happened at counts as the nearest that one can still reckon with, in any time zone: a
    message of the year 1 is an old one. Webhooks have milliseconds and Z.
    Source: conversations-classic/conversations-webhooks, read 2026-11-22.
    """
    try:
        moment = datetime.fromisoformat(text)
        if not moment.tzinfo:
            return None
        if EARLIEST.year < moment.year < LATEST.year:
            return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return EARLIEST if moment.year <= EARLIEST.year else LATEST


def webhook_date(moment: datetime) -> str:
    """Return a moment as webhooks write it, in UTC with milliseconds and Z.

    Source: conversations-classic/conversations-webhooks, read 2026-11-22.
    """
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def read_flag(text: str) -> bool | None:
    """Return what `true` or `false` says, in any case; None for other texts."""
    return {"true": True, "false": False}.get(text.lower())


def read_attributes(text: str) -> dict[str, Any]:
    """Return the JSON object in the text, or {} when there is none."""
    value = _read_json(text)
    return value if isinstance(value, dict) else {}


@dataclass(frozen=True, slots=True)
class Media:
    """One attachment. The bytes are at Twilio; `size` is their number."""

    sid: str
    content_type: str
    filename: str
    size: int


def written_attributes(value: Mapping[str, Any]) -> str:
    """Return attributes as compact JSON. Raises ValueError for a number that JSON does not have."""
    return in_unicode(json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False))


def in_unicode(text: str) -> str:
    """Return a JSON text with what is no Unicode escaped, such as half an emoji that a program cut: it has no bytes."""
    return re.sub("[\ud800-\udfff]", lambda half: f"\\u{ord(half[0]):04x}", text)


def read_media(text: str) -> tuple[Media, ...]:
    """Return the attachments of a `Media` parameter, a text that holds a JSON array; () for other texts.

    Its keys may be in small letters too, as `content_type`.
    Source: conversations-classic/conversations-webhooks, read 2026-11-22; the small letters in a page of Twilio's on
    media, read 2026-11-29.
    """
    items = _read_json(text)
    if not isinstance(items, list):
        return ()
    return tuple(_read_attachment(item) for item in items if isinstance(item, dict))


def _read_attachment(item: dict[str, Any]) -> Media:
    values = {name.replace("_", "").lower(): value for name, value in item.items()}
    sid, content_type, filename = (str(values.get(name) or "") for name in ("sid", "contenttype", "filename"))
    return Media(sid, content_type, filename, read_number(str(values.get("size"))))


def is_sid(value: object, *prefixes: str) -> bool:
    """Return whether a value is a SID, matched in full, that begins with one of these pairs of letters."""
    return isinstance(value, str) and re.fullmatch(f"(?:{'|'.join(prefixes)}){SID_DIGITS}", value) is not None


def read_object(text: str | None) -> dict[str, Any] | None:
    """Return the JSON object that an answer or Attributes hold, {} for no text; None for what is none."""
    try:
        found = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _read_json(text: str) -> Any:
    try:
        return _storable_value(json.loads(text))
    except (ValueError, RecursionError):
        return None


def _storable_value(value: Any) -> Any:
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, list):
        return [_storable_value(item) for item in value]
    if isinstance(value, dict):
        return {storable(name): _storable_value(item) for name, item in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value
