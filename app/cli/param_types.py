"""The kinds of values that options take beside click's own; a wrong value is named, with what to write instead."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from typing import Any
from urllib.parse import urlsplit

import click

from app.common.quoting import quoted
from app.twilio_api.form import is_sid

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_LONGEST_AGO = timedelta(days=100_000)  # a date before the year 1 cannot be told


class NearestChoice(click.ParamType[str]):
    """One of these names, exactly as they are written."""

    name = "NAME"

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if value not in self.names:
            self.fail(f"{quoted(value)} is unknown; {suggestion(value, self.names)}", param, ctx)
        return str(value)


class SidParam(click.ParamType[str]):
    """A SID with one of these prefixes, matched in full, as the commands that ask Twilio match it."""

    name = "SID"

    def __init__(self, *prefixes: str) -> None:
        self._prefixes = prefixes

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if is_sid(value, *self._prefixes):
            return value
        begins = " or ".join(self._prefixes)
        return self.fail(
            f"'{value[:40]}' is not a SID that begins with {begins} and has 32 hexadecimal digits after it", param, ctx
        )


class Number(click.FloatRange):
    """A number within limits; "nan", which no limit holds back, and "inf" are none."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the number."""
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{quoted(value)} is not a valid number.", param, ctx)
        return number


class Since(click.ParamType[timedelta | datetime]):
    """How long ago, as 10m, or a date or time as ISO 8601, in UTC unless it says otherwise."""

    name = "TIME"

    def __init__(self, units: str, examples: str) -> None:
        self._units, self._examples = units, examples

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta | datetime:
        """Return how long ago, or when."""
        if found := re.fullmatch(rf"(\d{{1,6}})([{self._units}])", value):
            ago = timedelta(**{_UNITS[found[2]]: int(found[1])})
            return ago if ago < _LONGEST_AGO else self.fail(f"{quoted(value)} is too long ago", param, ctx)
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{quoted(value)} is no time; write {self._examples}", param, ctx)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


class JsonObject(click.ParamType[dict[str, Any]]):
    """A JSON object, as Twilio's attributes are."""

    name = "JSON"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dict[str, Any]:
        """Return the object, or say what is wrong with it."""
        try:
            found = json.loads(value) if isinstance(value, str) else value
        except ValueError as error:
            self.fail(f'{quoted(value)} is not JSON ({error}); write \'{{"tier": "gold"}}\'', param, ctx)
        if not isinstance(found, dict):
            self.fail(f'{quoted(value)} is no JSON object; write \'{{"tier": "gold"}}\'', param, ctx)
        return found


class UrlParam(click.ParamType[str]):
    """A URL of http or https with a host; an origin has no path and no query."""

    name = "URL"

    def __init__(self, *, is_origin: bool = False) -> None:
        self._is_origin = is_origin

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            parts = urlsplit(value)
            usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        except ValueError:
            usable = False
        if not usable or not value.isascii() or any(char.isspace() for char in value):
            self.fail(f"{quoted(value)} must be http:// or https:// and a host", param, ctx)
        if self._is_origin and (parts.query or parts.fragment or parts.path.strip("/")):
            self.fail(f"{quoted(value)} must be an origin alone, e.g. https://bot.example.com", param, ctx)
        return value.rstrip("/") if self._is_origin else value.partition("#")[0]


def nearest(name: str, names: Iterable[str], *, cutoff: float = 0.6) -> str | None:
    """Return the name that this one was probably meant to be, or None."""
    by_lower = {known.lower(): known for known in names}
    found = get_close_matches(name.lower(), by_lower, n=1, cutoff=cutoff)
    return by_lower[found[0]] if found else None


def suggestion(name: str, names: Sequence[str]) -> str:
    """Return what to write instead: the nearest name, else all of them."""
    meant = nearest(name, names)
    return f"did you mean {meant}?" if meant else f"known are {', '.join(names)}"
