"""Describes a rule in words: when it applies and what it does."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from app.rules.schema import Condition, Rule, When

SHOWN_CHARACTERS = 300  # of a reply


def conditions(when: When) -> list[str]:
    """Return a line for each condition, all of which must hold; [] for a rule that always applies."""
    lines = list(_conditions(when))
    if when.unanswered_for:
        lines.insert(0, f"after {_span(when.unanswered_for)} without a human")
    return lines


def actions_of(rule: Rule) -> list[str]:
    """Return a line for each thing that a rule does, what it says first."""
    return list(_actions_of(rule))


def limits(rule: Rule) -> list[str]:
    """Return how often a rule may be used in one conversation; [] for any number of times."""
    lines = [f"then passed over for {_span(rule.cooldown)}"] if rule.cooldown else []
    if rule.quota:
        within = f" in {_span(rule.quota.per)}" if rule.quota.per else " ever"
        lines.append(f"at most {rule.quota.count} time{'' if rule.quota.count == 1 else 's'}{within}")
    return lines


def _conditions(when: Condition) -> Iterator[str]:
    for name in when.given:
        accents = ", whatever their accents" if name == "keywords" and when.ignores_accents else ""
        yield _WORDS[name](getattr(when, name)) + accents


def _actions_of(rule: Rule) -> Iterator[str]:
    if rule.reply:
        words = " ".join(rule.reply.split())
        yield f"says “{words[:SHOWN_CHARACTERS]}{'…' if len(words) > SHOWN_CHARACTERS else ''}”"
    if rule.media:
        yield f"sends the file {rule.media}"
    if rule.template:
        yield f"sends the template {rule.template.content_sid}, where WhatsApp's window is closed or nothing is said"
    for name, value in rule.set_attributes.items():
        yield f"sets the attribute {name} = {_json(value)}"
    if rule.add_participant:
        yield f"adds {rule.add_participant.identity or rule.add_participant.address}"
    yield from _deeds_of_the_bot(rule)


def _deeds_of_the_bot(rule: Rule) -> Iterator[str]:
    if rule.hand_over:
        yield "hands over: the bot is silent until somebody resumes it"
    if rule.pause:
        yield f"pauses the bot for {_span(rule.pause)}"
    if rule.close:
        yield "closes the conversation"
    if rule.notify:
        yield f"tells {' and '.join(rule.notify.to)}"
    if rule.stop:
        yield "stays silent, and no further rule is tried"


def _inside(part: Condition) -> str:
    lines = list(_conditions(part))
    return lines[0] if len(lines) == 1 else f"({' and '.join(lines)})"


def _any(values: Sequence[Any]) -> str:
    return " or ".join(str(value) for value in values)


def _attributes(of: str) -> Callable[[Mapping[str, Sequence[Any]]], str]:
    def words(wanted: Mapping[str, Sequence[Any]]) -> str:
        return " and ".join(f"{of} {name} is {_any([_json(one) for one in wanted[name]])}" for name in wanted)

    return words


def _span(duration: timedelta) -> str:
    """Return a duration exactly, in the largest unit of which it is a whole number."""
    seconds = int(duration.total_seconds())
    size, unit = next(pair for pair in ((86400, "d"), (3600, "h"), (60, "min"), (1, "s")) if seconds % pair[0] == 0)
    return f"{seconds // size} {unit}"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


_WORDS: Mapping[str, Callable[[Any], str]] = {
    "keywords": lambda words: f"has the words {_any([f'“{word}”' for word in words])}",
    "regex": lambda patterns: f"matches {_any([f'/{pattern}/' for pattern in patterns])}",
    "channel": lambda channels: f"by {_any(channels)}",
    "hours": lambda hours: f"while {hours}",
    "first_contact": lambda first: "first message of a customer" if first else "not the first message",
    "media": lambda has: "with a picture or file" if has else "without a picture or file",
    "media_type": lambda types: f"with a file of the type {_any(types)}",
    "button": lambda texts: f"the button {_any([f'“{text}”' for text in texts])} was pressed",
    "button_payload": lambda payloads: f"a button with the payload {_any(payloads)} was pressed",
    "profile_name": lambda names: f"the author's profile is called {_any(names)}",
    "channel_metadata": _attributes("channel metadata"),
    "role": lambda roles: f"the author's role is {_any(roles)}",
    "attributes": _attributes("attribute"),
    "participant_attributes": _attributes("the author's attribute"),
    "any_": lambda of: f"one of: {'; '.join(_inside(part) for part in of)}",
    "all_": lambda of: f"all of: {'; '.join(_inside(part) for part in of)}",
    "not_": lambda part: f"not {_inside(part)}",
}
