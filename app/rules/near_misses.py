"""Hints for people: words of a message that are almost keywords of a rule. No rule ever matches by them."""

from collections.abc import Iterator
from operator import itemgetter

from app.rules.conditions import NO_KEYWORD
from app.rules.engine import Decision
from app.rules.facts import Inbound
from app.rules.reachability import parts_of
from app.rules.schema import Condition, Rule, Rules
from app.rules.text_matching import Phrase, without_accents, words_of

LEAST_CHARACTERS = 4  # of a keyword: shorter ones are near to too much
CHARACTERS_PER_SLIP = 8  # a keyword so long may differ by two letters, by one more for each further so many
MOST_WORDS = 400  # of a message that are looked at


def near_misses(decision: Decision, message: Inbound, rules: Rules) -> dict[str, str]:
    """Return a hint for each rule that was tried and lacked its keywords, by its name, where a word is near to one."""
    lacking = {one.name for one in decision.tried if NO_KEYWORD in one.failed}
    words = words_of(message.text)[:MOST_WORDS]
    hints = {rule.name: next(_hints(rule, words), "") for rule in rules.rules if rule.name in lacking}
    return {name: hint for name, hint in hints.items() if hint}


def _hints(rule: Rule, words: Phrase) -> Iterator[str]:
    for condition in parts_of(rule.when):
        for keyword, phrase in zip(condition.keywords or (), condition.phrases, strict=True):
            if near := _nearest(phrase, words):
                yield _hint(near, keyword, phrase, condition)


def _hint(near: Phrase, keyword: str, phrase: Phrase, condition: Condition) -> str:
    if without_accents(near) == without_accents(phrase) and not condition.ignores_accents:
        return f'"{" ".join(near)}" is "{keyword}" but for accents; ignore_accents = true would find it'
    return f'"{" ".join(near)}" is close to "{keyword}"'


def _nearest(phrase: Phrase, words: Phrase) -> Phrase | None:
    """Return words that stand side by side and differ from the phrase by a slip or two, in letters or in spaces."""
    sought = "".join(phrase)
    if len(sought) < LEAST_CHARACTERS:
        return None
    most = 1 + len(sought) // CHARACTERS_PER_SLIP
    sizes = range(max(1, len(phrase) - 1), len(phrase) + 2)
    places = (words[start : start + size] for size in sizes for start in range(len(words) - size + 1))
    near = [(_differences("".join(place), sought, most), place) for place in places if place != phrase]
    slips, place = min(near, key=itemgetter(0), default=(most + 1, ()))
    return place if slips <= most else None


def _differences(one: str, other: str, most: int) -> int:
    """Return how many letters are missing, too many, wrong or swapped with the next; more than `most` is not counted.

    The distance of Damerau and Levenshtein, where no part is changed twice.
    """
    if abs(len(one) - len(other)) > most:
        return most + 1
    before: list[int] = []
    row = list(range(len(other) + 1))
    for n, letter in enumerate(one, start=1):
        before, last, row = row, before, [n]
        for m, wanted in enumerate(other, start=1):
            least = min(before[m] + 1, row[m - 1] + 1, before[m - 1] + (letter != wanted))
            swapped = n > 1 and m > 1 and letter == other[m - 2] and one[n - 2] == wanted
            row.append(min(least, last[m - 2] + 1) if swapped else least)
    return row[-1]
