"""Which rules can be reached at all, by logic on their conditions. It may miss one, but never accuses wrongly.

Four facts of a message are gone through one by one: hours, first contact, media and channel, a `Cell` for each
combination. Of the other conditions it knows only when one follows from another.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

from app.rules.schema import BotSettings, Condition, Rule, Rules
from app.rules.text_matching import Phrase, without_accents

CHANNELS = ("sms", "whatsapp", "chat")
ANYTHING = Condition.model_validate({})


@dataclass(frozen=True)
class Cell:
    """One combination of the facts that every message has."""

    hours: str
    first_contact: bool
    media: bool
    channel: str


def cells(rules: Rules) -> list[Cell]:
    """Return all combinations that there are; closed only where the bot is ever closed."""
    channels = dict.fromkeys([*CHANNELS, *(name for rule in rules.rules for name in _channels(rule.when))])
    return [Cell(*facts) for facts in product(_hours(rules.bot), (True, False), (False, True), channels)]


def _hours(bot: BotSettings) -> tuple[str, ...]:
    return ("open", "closed") if bot.hours is not None or bot.holidays else ("open",)


def _channels(condition: Condition) -> Iterator[str]:
    for part in parts_of(condition):
        yield from part.channel or ()
    if condition.not_:
        yield from _channels(condition.not_)


def parts_of(condition: Condition) -> Iterator[Condition]:
    """Yield a condition and all in its `all` and `any`."""
    yield condition
    for part in (*(condition.all_ or ()), *(condition.any_ or ())):
        yield from parts_of(part)


def everything_in(condition: Condition) -> Iterator[Condition]:
    """Yield a condition and all in its `all`, `any` and `not`: whatever can take part in a decision."""
    for part in parts_of(condition):
        yield part
        if part.not_ is not None:
            yield from everything_in(part.not_)


def always_wins(rule: Rule) -> bool:
    """Return whether a rule decides each time that its conditions hold."""
    return not rule.cooldown and rule.quota is None and rule.mode is None


def taking_all(rules: Rules) -> tuple[list[Rule], list[Cell]]:
    """Return the rules that take every message of some cell, whatever it says, and the cells that no rule takes so.

    A rule that cools down takes them too, but for a while. Follow-ups and rules that only observe take none.
    """
    taken: dict[str, Rule] = {}
    left = []
    for cell in cells(rules):
        whole = [one for one in rules.rules if _takes_all(one, cell)]
        taken |= {one.name: one for one in whole}
        left += [] if whole else [cell]
    return [one for one in rules.rules if one.name in taken], left


def _takes_all(rule: Rule, cell: Cell) -> bool:
    return rule.mode is None and rule.when.unanswered_for is None and follows(rule.when, ANYTHING, cell)


def possible(condition: Condition, cell: Cell) -> bool:
    """Return whether the condition can hold for a message of this cell."""
    facts = [
        getattr(cell, name) == getattr(condition, name)
        for name in ("hours", "first_contact", "media")
        if getattr(condition, name) is not None
    ]
    return (
        all(facts)
        and (condition.channel is None or cell.channel in condition.channel)
        and (condition.any_ is None or any(possible(part, cell) for part in condition.any_))
        and all(possible(part, cell) for part in condition.all_ or ())
        and (condition.not_ is None or not follows(condition.not_, ANYTHING, cell))
    )


def follows(wanted: Condition, given: Condition, cell: Cell) -> bool:
    """Return whether `wanted` holds for every message of the cell for which `given` holds."""
    return all(_one_follows(name, wanted, given, cell) for name in wanted.given)


def _one_follows(name: str, wanted: Condition, given: Condition, cell: Cell) -> bool:
    """Return whether one condition of `wanted` follows, from what is given or from each part of an `any` in it."""
    return _HOW[name](wanted, given, cell) or any(
        fact.any_ is not None and all(_one_follows(name, wanted, part, cell) for part in fact.any_)
        for fact in _certain(given)
    )


def _certain(condition: Condition) -> Iterator[Condition]:
    """Yield what holds where a condition holds: itself and all in its `all`."""
    yield condition
    for part in condition.all_ or ():
        yield from _certain(part)


def _cell_says(name: str) -> Callable[[Condition, Condition, Cell], bool]:
    return lambda wanted, _given, cell: bool(getattr(wanted, name) == getattr(cell, name))


def _channel(wanted: Condition, _given: Condition, cell: Cell) -> bool:
    return cell.channel in (wanted.channel or ())


def _keywords(wanted: Condition, given: Condition, _cell: Cell) -> bool:
    return any(fact.phrases and _found_by(wanted, fact) for fact in _certain(given))


def _found_by(wanted: Condition, given: Condition) -> bool:
    """Return whether each keyword of `given` has one of `wanted` in it, whatever accents it is written with."""
    if given.ignores_accents and not wanted.ignores_accents:
        return False
    return all(holds_keyword(phrase, wanted) for phrase in given.phrases)


def holds_keyword(phrase: Phrase, wanted: Condition) -> bool:
    """Return whether a keyword of a condition stands within a phrase, as the condition compares them."""
    return holds_any(without_accents(phrase) if wanted.ignores_accents else phrase, wanted.phrases)


def holds_any(phrase: Phrase, sought: tuple[Phrase, ...]) -> bool:
    """Return whether one of the sought phrases stands within a phrase."""
    return any(phrase[n : n + len(one)] == one for one in sought for n in range(len(phrase) - len(one) + 1))


def _one_of(name: str) -> Callable[[Condition, Condition, Cell], bool]:
    def one_of(wanted: Condition, given: Condition, _cell: Cell) -> bool:
        listed = set(getattr(wanted, name))
        return any(getattr(fact, name) and set(getattr(fact, name)) <= listed for fact in _certain(given))

    return one_of


def _attributes(name: str) -> Callable[[Condition, Condition, Cell], bool]:
    def compared(wanted: Condition, given: Condition, _cell: Cell) -> bool:
        known: list[Mapping[str, Any]] = [getattr(fact, name) or {} for fact in _certain(given)]
        return all(
            any(key in fact and _typed(fact[key]) <= _typed(values) for fact in known)
            for key, values in getattr(wanted, name).items()
        )

    return compared


def _typed(values: tuple[object, ...]) -> set[tuple[bool, object]]:
    return {(isinstance(value, bool), value) for value in values}  # 1 is not true


def _any(wanted: Condition, given: Condition, cell: Cell) -> bool:
    return any(follows(part, given, cell) for part in wanted.any_ or ())


def _all(wanted: Condition, given: Condition, cell: Cell) -> bool:
    return all(follows(part, given, cell) for part in wanted.all_ or ())


def _not(wanted: Condition, given: Condition, cell: Cell) -> bool:
    denied = wanted.not_ or ANYTHING
    if not possible(denied, cell):
        return True
    return any(fact.not_ is not None and follows(fact.not_, denied, cell) for fact in _certain(given))


_HOW: dict[str, Callable[[Condition, Condition, Cell], bool]] = {
    "hours": _cell_says("hours"),
    "first_contact": _cell_says("first_contact"),
    "media": _cell_says("media"),
    "channel": _channel,
    "keywords": _keywords,
    "regex": _one_of("regex"),
    "media_type": _one_of("media_type"),
    "button": _one_of("button"),
    "button_payload": _one_of("button_payload"),
    "profile_name": _one_of("profile_name"),
    "channel_metadata": _attributes("channel_metadata"),
    "role": _one_of("role"),
    "attributes": _attributes("attributes"),
    "participant_attributes": _attributes("participant_attributes"),
    "any_": _any,
    "all_": _all,
    "not_": _not,
}
