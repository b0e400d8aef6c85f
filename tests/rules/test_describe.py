"""Every condition of a rule and everything it does can be said in words."""

import pytest

from app.rules import describe
from app.rules.loader import load
from app.rules.schema import Condition


def rule(text):
    return load(f'[[rule]]\nname = "one"\n{text}\n').rules[0]


@pytest.mark.parametrize(
    ("when", "words"),
    [
        ("{}", []),
        ('{ keywords = ["order", "where is my"] }', ["has the words “order” or “where is my”"]),
        ('{ regex = "o+" }', ["matches /o+/"]),
        ('{ channel = ["sms", "whatsapp"], hours = "open" }', ["by sms or whatsapp", "while open"]),
        ("{ first_contact = true, media = false }", ["first message of a customer", "without a picture or file"]),
        ("{ first_contact = false, media = true }", ["not the first message", "with a picture or file"]),
        ('{ role = ["vip", "gold"] }', ["the author's role is vip or gold"]),
        (
            '{ attributes = { tier = ["gold", 1], order.late = true } }',
            ['attribute tier is "gold" or 1 and attribute order.late is true'],
        ),
        ("{ participant_attributes = { vip = true } }", ["the author's attribute vip is true"]),
        (
            '{ any = [{ hours = "open", media = true }, { channel = "sms" }] }',
            ["one of: (while open and with a picture or file); by sms"],
        ),
        ('{ all = [{ hours = "open" }, { not = { channel = "sms" } }] }', ["all of: while open; not by sms"]),
        ('{ unanswered_for = "90m", hours = "open" }', ["after 90 min without a human", "while open"]),
    ],
    ids=[
        "always",
        "keywords",
        "regex",
        "channel and hours",
        "first",
        "known",
        "role",
        "attributes",
        "participant attributes",
        "any",
        "all and not",
        "follow-up",
    ],
)
def test_conditions_are_said_in_words(when, words):
    assert describe.conditions(rule(f'when = {when}\nreply = "x"').when) == words


def test_keywords_with_any_accents_are_said_to_be_so():
    words = describe.conditions(rule('when = { keywords = ["cafe"] }\nignore_accents = true\nreply = "x"').when)

    assert words == ["has the words “cafe”, whatever their accents"]


def test_no_condition_lacks_its_words():
    assert set(describe._WORDS) == set(Condition.model_fields)


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ('reply = "Hello\\n{{ author }}"', ["says “Hello {{ author }}”"]),
        ('media = "menu.pdf"', ["sends the file menu.pdf"]),
        (
            'reply = "x"\ntemplate = { content_sid = "HX00000000000000000000000000000001" }',
            [
                "says “x”",
                "sends the template HX00000000000000000000000000000001, where WhatsApp's window is closed "
                "or nothing is said",
            ],
        ),
        (
            'set_attributes = { a = "x", b = [1, true] }',
            ['sets the attribute a = "x"', "sets the attribute b = [1, true]"],
        ),
        ('add_participant = { identity = "agent" }\nclose = true', ["adds agent", "closes the conversation"]),
        ("hand_over = true", ["hands over: the bot is silent until somebody resumes it"]),
        ('pause = "2h"', ["pauses the bot for 2 h"]),
        ("stop = true", ["stays silent, and no further rule is tried"]),
    ],
    ids=["reply", "media", "template", "attributes", "participant and close", "hand over", "pause", "stop"],
)
def test_what_a_rule_does_is_said_in_words(keys, words):
    assert describe.actions_of(rule(keys)) == words


def test_a_long_reply_is_cut():
    (line,) = describe.actions_of(rule(f'reply = "{"x" * 400}"'))

    assert len(line) < 320 and line.endswith("…”")


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ("", []),
        ('cooldown = "90m"', ["then passed over for 90 min"]),
        ("quota = 1", ["at most 1 time ever"]),
        ('quota = { count = 3, per = "1d" }', ["at most 3 times in 1 d"]),
    ],
    ids=["none", "cooldown", "quota", "quota in a time"],
)
def test_limits_are_said_in_words(keys, words):
    assert describe.limits(rule(f'reply = "x"\n{keys}')) == words
