"""What the page shows beside the lines of a thread: delivery ticks, and why the bot answered or kept silent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.db.database import Record

ANSWERED = ("replied", "acted")


@dataclass(frozen=True, slots=True)
class Tick:
    """What became of a message at one recipient; `name` is "" where the recipient is not known."""

    name: str
    status: str
    error_code: int


@dataclass(frozen=True, slots=True)
class Deed:
    """What a rule did beside answering."""

    kind: str
    state: str
    reason: str


@dataclass(frozen=True, slots=True)
class Why:
    """Why the bot did or did not answer: one decision, with every rule tried and what failed first.

    `timer_seconds` is 0 for the decision on arrival; else it is about a follow-up after so long without a human.
    `burst_of` names the message together with which this one was answered; `together` counts those of this one.
    """

    has_answered: bool
    code: str
    reason: str
    rule: str
    tried: tuple[tuple[str, str], ...]
    observed: tuple[str, ...]
    timer_seconds: int
    burst_of: str
    deeds: tuple[Deed, ...] = ()
    together: int = 0


def ticks_of(deliveries: Iterable[Record], names: Mapping[str, str]) -> dict[str, tuple[Tick, ...]]:
    """Return for each message what became of it, recipient by recipient; `names` by ParticipantSid."""
    return _grouped(
        (row.message_sid, Tick(names.get(row.participant_sid, ""), row.status, row.error_code)) for row in deliveries
    )


def whys_of(
    decisions: Sequence[Record], actions: Iterable[Record], answered: Collection[tuple[str, int]]
) -> dict[str, tuple[Why, ...]]:
    """Return the decisions on each message: that on its arrival first, then its follow-ups.

    `answered` are those that have replies: message and timer_seconds.
    """
    deeds = _grouped(((row.message_sid, row.timer_seconds), Deed(row.kind, row.state, row.reason)) for row in actions)
    bursts = Counter(row.burst_of for row in decisions if row.burst_of)
    return _grouped(
        (row.message_sid, _why(row, answered, deeds, 0 if row.timer_seconds else bursts[row.message_sid]))
        for row in decisions
    )


def _why(row: Record, answered: Collection[Any], deeds: Mapping[Any, tuple[Deed, ...]], together: int) -> Why:
    this = (row.message_sid, row.timer_seconds)
    return Why(
        has_answered=row.code in ANSWERED or this in answered,
        code=row.code,
        reason=row.reason,
        rule=row.rule,
        tried=tuple((str(name), str(failed)) for name, failed in row.tried),
        observed=tuple(str(name) for name in row.observed or ()),
        timer_seconds=row.timer_seconds,
        burst_of=row.burst_of,
        deeds=deeds.get(this, ()),
        together=together,
    )


def _grouped(pairs: Iterable[tuple[Any, Any]]) -> dict[Any, tuple[Any, ...]]:
    found: dict[Any, list[Any]] = {}
    for key, value in pairs:
        found.setdefault(key, []).append(value)
    return {key: tuple(values) for key, values in found.items()}
