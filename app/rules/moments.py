"""A moment as people write it: a date and a time, a weekday and a time, or a time of today."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
FIRST_YEAR, LAST_YEAR = 2000, 2999  # so that nothing counted from a moment leaves what dates can say
FORMS = '"2026-11-28 22:00", "Sat 22:00" or "22:00"'


def moment(text: str, now: datetime, zone: tzinfo) -> datetime:
    """Return the moment that `text` names in a time zone, aware; a weekday is the next one, today included.

    Raises ValueError with what may be written.
    """
    here = now.astimezone(zone)
    found = re.fullmatch(r"(?:([A-Za-z]{3,9})\s+)?(\d{1,2}):(\d{2})", text.strip())
    try:
        local = _on_a_day(found, here) if found else datetime.fromisoformat(text.strip())
    except ValueError:
        raise ValueError(f"{text!r} is no time; write {FORMS}") from None
    if not FIRST_YEAR <= local.year <= LAST_YEAR:
        raise ValueError(f"{text!r} is too far away; write a year from {FIRST_YEAR} to {LAST_YEAR}")
    aware = local if local.tzinfo else local.replace(tzinfo=zone)
    return aware.astimezone(UTC).astimezone(zone)  # a time that the clock skips in spring is the one after it


def _on_a_day(found: re.Match[str], here: datetime) -> datetime:
    day, hour, minute = found.groups()
    at = here.replace(hour=int(hour), minute=int(minute), second=0, microsecond=0, tzinfo=None)
    return at + timedelta(days=(_weekday(day) - at.weekday()) % 7) if day else at


def _weekday(name: str) -> int:
    number = next((n for n, day in enumerate(DAYS) if day.startswith(name.lower())), None)
    if number is None:
        raise ValueError(name)
    return number
