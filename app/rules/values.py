"""Parses and validates single values of a rules file: durations, times of day, words, template texts.

Each takes what TOML gave and returns what the rules use, or raises ValueError with the next step.
"""

import math
import re
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator

from app.rules.templates import checked_reply
from app.rules.text_matching import checked_pattern, words_of

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
LONGEST = timedelta(days=3660)

Span = tuple[int, int]  # minutes since midnight; an end at or before its start is on the next day
Week = tuple[tuple[Span, ...], ...]  # Monday first
Scalar = str | int | float | bool


def _duration(value: Any) -> timedelta:
    found = re.fullmatch(r"(\d{1,8})([smhd])", value) if isinstance(value, str) else None
    if found is None:
        raise ValueError('is not a duration; write a number and a unit such as "30s", "10m", "2h" or "1d"')
    if (duration := timedelta(seconds=int(found[1]) * SECONDS[found[2]])) > LONGEST:
        raise ValueError("is longer than ten years; write a shorter duration")
    return duration


def _positive(value: Any) -> timedelta:
    if not (duration := _duration(value)):
        raise ValueError('is no time at all; write a longer duration such as "10m"')
    return duration


def time_zone(value: Any) -> ZoneInfo:
    """Return the time zone of an IANA name."""
    try:
        return ZoneInfo(value)
    except (LookupError, ValueError, TypeError, OSError):
        raise ValueError('is not a known time zone; write an IANA name such as "Europe/Berlin"') from None


# Zones without a place, and where the clocks are that people mean. Source: IANA's file northamerica, read 2026-11-29.
_PLACES = {"EST": "America/New_York", "MST": "America/Denver"}


def hint_at_fixed_zone(name: str) -> str:
    """Return what is odd about a time zone that is a fixed distance from UTC, "" for UTC itself and for places."""
    if name not in _PLACES and not re.fullmatch(r"(Etc/)?GMT[+-]\d+", name):
        return ""
    signs = "" if name in _PLACES else ", and its sign is the other way round: Etc/GMT-1 is an hour ahead of UTC"
    place = _PLACES.get(name, "Europe/Berlin")
    return f'"{name}" has no summer time{signs}; name the place, such as "{place}", unless its clocks never change'


def _day(value: Any) -> date:
    if isinstance(value, datetime) or not isinstance(value, date | str):
        raise ValueError('is not a day; write it like "2026-12-25"')
    try:
        return value if isinstance(value, date) else date.fromisoformat(value.strip())
    except ValueError:
        raise ValueError('is not a day; write it like "2026-12-25"') from None


def week(value: Any) -> Week:
    """Return the spans of each day of the week, from a table such as { mon-fri = "09:00-17:30" }."""
    if not isinstance(value, dict) or not value:
        raise ValueError('is not a table of days; write { mon-fri = "09:00-17:30" }, or leave it out to be always open')
    found: dict[int, tuple[Span, ...]] = {}
    for names, times in value.items():
        for day in _days(names):
            if day in found:
                raise ValueError(f'names {DAYS[day]} twice; put all its times into one, "09:00-12:00,13:00-17:00"')
            found[day] = spans(times)
    return tuple(found.get(day, ()) for day in range(7))


def _days(name: str) -> list[int]:
    ends = name.lower().replace(" ", "").split("-")
    if len(ends) > 2 or not set(ends) <= set(DAYS):
        raise ValueError(f'does not know the day "{name}"; write mon, tue, wed, thu, fri, sat, sun or mon-fri')
    first, last = DAYS.index(ends[0]), DAYS.index(ends[-1])
    return [day % 7 for day in range(first, (last if last >= first else last + 7) + 1)]


def spans(value: Any) -> tuple[Span, ...]:
    """Return the spans of a text such as "09:00-12:00,13:00-17:00"."""
    return tuple(_span(text) for text in str(value).split(","))


def _span(text: str) -> Span:
    found = re.fullmatch(r"(\d{1,2}):([0-5]\d)-(\d{1,2}):([0-5]\d)", text.replace(" ", ""))
    start, end = (int(found[1]) * 60 + int(found[2]), int(found[3]) * 60 + int(found[4])) if found else (0, 0)
    if start == end or start >= 1440 or end > 1440:
        raise ValueError(f'has no time span in "{text}"; write it like "09:00-17:30", all day is "00:00-24:00"')
    return start, end


def _words(value: Any) -> Any:
    for keyword in value if isinstance(value, list) else ():
        if isinstance(keyword, str) and not words_of(keyword):
            raise ValueError(f'has "{keyword}", which holds no letter or digit; write a word or a phrase')
    return value


def one_or_more(value: Any) -> Any:
    """Return a list as it is, and anything else as a list of one."""
    return value if isinstance(value, list) else [value]


def _channels(value: Any) -> Any:
    return [name.lower() if isinstance(name, str) else name for name in one_or_more(value)]


def _pattern(value: Any) -> Any:
    return checked_pattern(value) if isinstance(value, str) else value


def _media_type(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    plain = value.strip().lower()
    if not re.fullmatch(r"[\w.+-]+/([\w.+-]+|\*)", plain):
        raise ValueError(f'has "{value}", which is no type of files; write one such as "image/jpeg", or "image/*"')
    return plain


def compared(value: Any) -> Mapping[str, tuple[Scalar, ...]]:
    """Return, for each attribute by its dotted name, the values of which it must have one."""
    if not isinstance(value, dict) or not value:
        raise ValueError('is not a table of attributes; write { tier = "gold" } or { tier = ["gold", "silver"] }')
    found: dict[str, tuple[Scalar, ...]] = {}
    for name, wanted in value.items():
        if isinstance(wanted, dict) and wanted:  # { order.state = "late" } is a table in a table
            found |= {f"{name}.{deeper}": values for deeper, values in compared(wanted).items()}
            continue
        values = one_or_more(wanted)
        if not values or not all(isinstance(one, str | int | float) for one in values):
            raise ValueError(f"{name} cannot be compared; write a text, a number, true or false, or a list of them")
        found[name] = tuple(values)
    return found


def attribute(value: Any) -> Any:
    """Return what a conversation's attribute is set to: any value of JSON; its texts are templates."""
    if isinstance(value, str):
        return checked_reply(value, may_be_empty=True)
    if isinstance(value, list):
        return tuple(attribute(one) for one in value)
    if isinstance(value, dict):
        return {name: attribute(one) for name, one in value.items()}
    if not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError('is not a value of JSON; write a text, such as "2026-11-23" for a date')
    return value


Duration = Annotated[timedelta, BeforeValidator(_duration)]
Positive = Annotated[timedelta, BeforeValidator(_positive)]
Day = Annotated[date, BeforeValidator(_day)]
Words = Annotated[tuple[str, ...], BeforeValidator(_words)]
Channels = Annotated[tuple[str, ...], BeforeValidator(_channels)]
MediaType = Annotated[str, BeforeValidator(_media_type)]
Pattern = Annotated[str, BeforeValidator(_pattern)]
