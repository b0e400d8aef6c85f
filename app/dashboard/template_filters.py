"""Jinja2 filters of the page: times, durations, shares, error codes, rules in words."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from app.rules import describe
from app.rules.schema import Rule
from app.twilio_api.errors import meaning


def moment(at: datetime | None) -> str:
    """Return a time for people without JavaScript; the page's script puts it into their own time zone."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC") if at else ""


def duration(seconds: int) -> str:
    """Return a time span in the largest unit that it is a whole number of."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds and seconds % size == 0:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def code_meaning(code: int) -> str:
    """Return what a failed delivery's error code means."""
    return meaning(code) if code else "no error code was given"


def brief(span: timedelta) -> str:
    """Return how long something took, as exactly as one wants to know it."""
    seconds = span.total_seconds()
    if seconds < 10:
        return f"{seconds:.1f} s"
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def share(part: int, whole: int) -> str:
    """Return a part as a percentage that neither hides the few nor claims all when it is not."""
    if not whole:
        return "–"
    percent = 100 * part / whole
    if 0 < percent < 0.1:
        return "< 0.1 %"
    return f"{min(percent, 99.9):.1f} %" if part < whole else "100 %"


def rule_conditions(rule: Rule) -> list[str]:
    """Return what must hold for a rule to match, a line each."""
    return describe.conditions(rule.when)


def rule_actions(rule: Rule) -> list[str]:
    """Return what a rule does and how often it may, a line each."""
    return [*describe.actions_of(rule), *describe.limits(rule)]


def as_json(value: Any) -> str:
    """Return a value as JSON, with every letter as it is."""
    return json.dumps(value, ensure_ascii=False, default=str)


FILTERS: Mapping[str, Callable[..., object]] = {
    "moment": moment,
    "meaning": meaning,
    "duration": duration,
    "code_meaning": code_meaning,
    "brief": brief,
    "share": share,
    "rule_conditions": rule_conditions,
    "rule_actions": rule_actions,
    "as_json": as_json,
}
