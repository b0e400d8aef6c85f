"""What a keyword finds when accents do not count, and the hint that people get where a word almost is a keyword."""

from datetime import UTC, datetime

import pytest

from app.rules.facts import Policy
from app.rules.loader import load
from app.rules.simulate import SimulatedMessage, tried_out

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def tried(text: str, when: str, more: str = ""):
    """Return the rule that decides about a text, and the hints about those that do not."""
    rules = load(f'[[rule]]\nname = "r"\nreply = "Yes."\nwhen = {{ {when} }}\n{more}')
    trial = tried_out(SimulatedMessage([text]), rules, Policy("support-bot"), NOON)
    return trial.decision.rule, trial.hints(trial.decision)


NESTED = 'any = [{ keywords = ["x"] }, { all = [{ not = { keywords = ["né"] } }, { keywords = ["café"] }] }]'
FOUND = [
    ("a Café", 'keywords = ["cafe"]', "r"),
    ("a cafe", 'keywords = ["café"]', "r"),
    ("kawa w łodzi", 'keywords = ["Łódzi", "lodzi"]', "r"),
    ("a cafe", NESTED, "r"),
    ("a cafe, ne", NESTED, ""),
    ("a coffee", 'keywords = ["cafe"]', ""),
]


@pytest.mark.parametrize(("text", "when", "rule"), FOUND)
def test_a_rule_that_ignores_accents_finds_its_keywords_with_any(text, when, rule):
    assert tried(text, when, "ignore_accents = true")[0] == rule


@pytest.mark.parametrize("text", ["a Café", "a CAFÉ!"])
def test_without_that_key_accents_count(text):
    assert tried(text, 'keywords = ["cafe"]')[0] == ""


@pytest.mark.parametrize("word", ["alta", "ALTÃ", "stóp"])
def test_an_opt_out_word_never_has_other_accents(word):
    rules = load('[bot]\nopt_out_words = ["ALTÁ", "STOP"]\n[[rule]]\nname = "r"\nreply = "x"')

    assert tried_out(SimulatedMessage([word]), rules, Policy("support-bot"), NOON).decision.code != "opt-out word"


HINTS = [
    ("where is my oder", 'keywords = ["order"]', '"oder" is close to "order"'),
    ("a humn please", 'keywords = ["human"]', '"humn" is close to "human"'),
    ("my odrer", 'keywords = ["order"]', '"odrer" is close to "order"'),
    ("where ist my order", 'keywords = ["Where is my"]', '"where ist my" is close to "Where is my"'),
    ("apointmnet", 'keywords = ["appointment"]', '"apointmnet" is close to "appointment"'),
    ("a on line shop", 'keywords = ["online shop"]', '"on line shop" is close to "online shop"'),
    ("my order", 'any = [{ channel = "chat" }, { keywords = ["orders"] }]', '"order" is close to "orders"'),
    ("a café", 'keywords = ["cafe"]', '"café" is "cafe" but for accents; ignore_accents = true would find it'),
]


@pytest.mark.parametrize(("text", "when", "hint"), HINTS)
def test_a_word_that_is_almost_a_keyword_is_a_hint_and_never_matches(text, when, hint):
    assert tried(text, when) == ("", {"r": hint})


NOT_NEAR = [
    ("a hat", 'keywords = ["cat"]'),
    ("my parcel", 'keywords = ["order"]'),
    ("my odr", 'keywords = ["order"]'),
    ("I like C", 'keywords = ["c++"]'),
]


@pytest.mark.parametrize(("text", "when"), NOT_NEAR)
def test_other_words_are_no_hint(text, when):
    assert tried(text, when) == ("", {})
