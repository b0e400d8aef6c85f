"""The emulator's clock: real time plus what a test has moved it forward, and Twilio's two ways to write it."""

import re
import time
from datetime import UTC, datetime, timedelta

_DURATION = re.compile(
    r"P(?:(?P<weeks>\d+)W)?(?:(?P<days>\d+)D)?"
    r"(?:T(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+(?:\.\d+)?)S)?)?"
)


class EmulatorClock:
    """Aware UTC time that can be moved forward but not back (until reset)."""

    def __init__(self) -> None:
        self._ahead = timedelta()

    def now(self) -> datetime:
        """Return the emulated time, aware, in UTC, to the millisecond as Twilio keeps it."""
        now = datetime.now(UTC) + self._ahead
        return now.replace(microsecond=now.microsecond // 1000 * 1000)

    def seconds(self) -> float:
        """Return seconds that never go back until reset, to measure how long something takes."""
        return time.monotonic() + self._ahead.total_seconds()

    def advance(self, seconds: float) -> None:
        """Move the clock forward."""
        self._ahead += timedelta(seconds=max(0.0, seconds))

    def reset(self) -> None:
        """Return to real time."""
        self._ahead = timedelta()


def rest_time(moment: datetime | None) -> str | None:
    """Return the form that REST answers use, to the second: 2016-03-24T20:37:57Z."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ") if moment else None


def webhook_time(moment: datetime) -> str:
    """Return the form that webhooks use, with milliseconds: 2026-08-11T13:06:45.433Z."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def read_time(text: str) -> datetime | None:
    """Return the moment an ISO 8601 text names, in UTC, or None when it names none."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def read_duration(text: str) -> float | None:
    """Return the seconds of an ISO 8601 duration such as PT10M or P1DT2H, or None when it is none."""
    found = _DURATION.fullmatch(text.strip())
    if not found or text.strip() in ("P", "PT") or not any(found.groups()):
        return None
    parts = {name: float(value) for name, value in found.groupdict().items() if value}
    return timedelta(**parts).total_seconds()
