"""Evaluates the conditions of one rule: the first that is not met, in words that quote no message."""

import json
from collections.abc import Callable, Mapping
from datetime import timedelta

from app.rules.facts import DecisionInput
from app.rules.guards import in_words
from app.rules.schema import Condition, Rule

MISSING = object()
NO_KEYWORD = "none of its keywords"


def first_failure(rule: Rule, asked: DecisionInput) -> str:
    """Return why a rule does not apply, or an empty text: its conditions, then its cool-down, then its quota."""
    waits = rule.when.unanswered_for
    if waits is not None and waits != asked.timer:
        return f"waits for {in_words(waits)} without a human"
    return _failure(rule.when, asked) or _cool_down(rule, asked) or _quota(rule, asked)


def _failure(condition: Condition, asked: DecisionInput) -> str:
    for name in condition.given:
        if failed := CHECKS[name](condition, asked):
            return failed
    return ""


def _keywords(condition: Condition, asked: DecisionInput) -> str:
    spoken = asked.spoken.without_accents if condition.ignores_accents else asked.spoken
    return "" if spoken.has_any_of(condition.phrases) else NO_KEYWORD


def _channel(condition: Condition, asked: DecisionInput) -> str:
    channels = condition.channel or ()
    if asked.message.channel in channels:
        return ""
    return f"the channel is {asked.message.channel}, not {' or '.join(channels)}"


def _hours(condition: Condition, asked: DecisionInput) -> str:
    return "" if condition.hours == asked.hours else f"we are {asked.hours}"


def _first_contact(condition: Condition, asked: DecisionInput) -> str:
    if condition.first_contact == asked.known.first_contact:
        return ""
    return "not the first contact" if condition.first_contact else "the first contact"


def _media(condition: Condition, asked: DecisionInput) -> str:
    if condition.media == asked.message.has_media:
        return ""
    return "no media" if condition.media else "it has media"


def _media_type(condition: Condition, asked: DecisionInput) -> str:
    wanted, found = condition.media_type or (), asked.message.media_types
    if any(_is_of_type(one, media_type) for one in found for media_type in wanted):
        return ""
    return f"it has no {' or '.join(wanted)}"


def _is_of_type(found: str, wanted: str) -> bool:
    return found == wanted or (wanted.endswith("/*") and found.startswith(wanted[:-1]))


def _button(condition: Condition, asked: DecisionInput) -> str:
    pressed = asked.message.channel_facts.button
    if not pressed:
        return "no button was pressed"
    is_one = any(_is_same_text(pressed, text) for text in condition.button or ())
    return "" if is_one else "another button was pressed"


def _button_payload(condition: Condition, asked: DecisionInput) -> str:
    payload = asked.message.channel_facts.button_payload
    if not payload:
        return "no button with a payload was pressed"
    return "" if payload in (condition.button_payload or ()) else "the button has another payload"


def _profile_name(condition: Condition, asked: DecisionInput) -> str:
    name = asked.message.channel_facts.profile_name
    is_one = any(_is_same_text(name, text) for text in condition.profile_name or ())
    return "" if is_one else "the profile has another name" if name else "no name of a profile came"


def _channel_metadata(condition: Condition, asked: DecisionInput) -> str:
    return _difference(
        "channel metadata", condition.channel_metadata or {}, asked.message.channel_facts.channel_metadata
    )


def _is_same_text(found: str, wanted: str) -> bool:
    return " ".join(found.split()).casefold() == " ".join(wanted.split()).casefold()


def _role(condition: Condition, asked: DecisionInput) -> str:
    roles = condition.role or ()
    return "" if set(roles) & set(asked.known.roles) else f"the role is not {' or '.join(roles)}"


def _attributes(condition: Condition, asked: DecisionInput) -> str:
    return _difference("attribute", condition.attributes or {}, asked.known.attributes)


def _participant_attributes(condition: Condition, asked: DecisionInput) -> str:
    wanted = condition.participant_attributes or {}
    return _difference("participant attribute", wanted, asked.known.participant_attributes)


def _regex(condition: Condition, asked: DecisionInput) -> str:
    results = [asked.search.result(pattern) for pattern in condition.regex or ()]
    if "found" in results:
        return ""
    if "too slow" in results:
        return f"pattern number {results.index('too slow') + 1} took too long and counts as not found"
    return "none of its patterns"


def _any(condition: Condition, asked: DecisionInput) -> str:
    failed = [_failure(part, asked) for part in condition.any_ or ()]
    return "" if "" in failed else f"none of any: {', '.join(failed)}"


def _all(condition: Condition, asked: DecisionInput) -> str:
    return next((failed for part in condition.all_ or () if (failed := _failure(part, asked))), "")


def _not(condition: Condition, asked: DecisionInput) -> str:
    return "" if condition.not_ is None or _failure(condition.not_, asked) else "what it excludes is so"


CHECKS: dict[str, Callable[[Condition, DecisionInput], str]] = {
    "keywords": _keywords,
    "channel": _channel,
    "hours": _hours,
    "first_contact": _first_contact,
    "media": _media,
    "media_type": _media_type,
    "button": _button,
    "button_payload": _button_payload,
    "profile_name": _profile_name,
    "channel_metadata": _channel_metadata,
    "role": _role,
    "attributes": _attributes,
    "participant_attributes": _participant_attributes,
    "regex": _regex,
    "any_": _any,
    "all_": _all,
    "not_": _not,
}


def _difference(kind: str, wanted: Mapping[str, tuple[object, ...]], attributes: object) -> str:
    for name, values in wanted.items():
        found = _value(attributes, name)
        if found is MISSING:
            return f"{kind} {name} is missing"
        if not any(_is_same(found, value) for value in values):
            return f"{kind} {name} is not {' or '.join(map(_in_words, values))}"
    return ""


def _in_words(value: object) -> str:
    """Return a value as rules and attributes have it: true, not True."""
    return value if isinstance(value, str) else json.dumps(value)


def _value(attributes: object, name: str) -> object:
    """Return the value of a dotted name: "order.state" is {"order.state": x} or {"order": {"state": x}}."""
    if not isinstance(attributes, Mapping):
        return MISSING
    if name in attributes:
        return attributes[name]
    here, _, deeper = name.partition(".")
    return _value(attributes[here], deeper) if deeper and here in attributes else MISSING


def _is_same(found: object, wanted: object) -> bool:
    return found == wanted and isinstance(found, bool) == isinstance(wanted, bool)  # True == 1 in Python


def _cool_down(rule: Rule, asked: DecisionInput) -> str:
    times = asked.known.fired.get(rule.name)
    if rule.cooldown is None or not times or asked.now - times[0] >= rule.cooldown:
        return ""
    return f"cool-down, {in_words(rule.cooldown - (asked.now - times[0]))} left"


def _quota(rule: Rule, asked: DecisionInput) -> str:
    if rule.quota is None:
        return ""
    per = rule.quota.per or timedelta.max
    fired = sum(asked.now - fired_at < per for fired_at in asked.known.fired.get(rule.name, ()))
    if fired < rule.quota.count:
        return ""
    return f"quota, {fired} times" + (f" within {in_words(per)}" if rule.quota.per else " in this conversation")
