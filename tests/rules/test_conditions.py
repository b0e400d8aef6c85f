"""Each condition of a rule: when it holds, and what the trace says when it does not."""

from datetime import UTC, datetime, timedelta

import pytest

from app.rules.engine import decide
from app.rules.facts import ConversationFacts, Inbound, Policy
from app.rules.loader import load
from app.rules.text_matching import SEARCHED_CHARS
from app.twilio_api.addresses import channel_of

POLICY = Policy("support-bot")
NOON = datetime(2026, 11, 23, 11, 0, tzinfo=UTC)  # Monday, 12:00 in Berlin
PHONE = "+15550100001"
BOT = '[bot]\ntimezone = "Europe/Berlin"\nhours = { mon-fri = "09:00-17:30" }\n'
GOLD = ConversationFacts(attributes={"tier": "gold", "age": 30, "vip": True, "order": {"state": "late"}, "a.b": 1})


def said(text: str = "hi", author: str = PHONE, source: str = "SMS", **more: object) -> Inbound:
    return Inbound("IM1", "CH1", author, text, channel_of(author, source), source, NOON, **more)


def failure(when: str, message: Inbound, known: ConversationFacts | None = None) -> str:
    rules = load(f'{BOT}[[rule]]\nname = "r"\nreply = "Yes."\nwhen = {{ {when} }}')
    return decide(message, known or ConversationFacts(), rules, POLICY, NOON).tried[0].failed


HOLDS = [
    pytest.param('regex = "order #?[0-9]{4}"', said("my ORDER #1234!"), None, id="pattern, in any case"),
    pytest.param('regex = "\\\\bstraße\\\\b"', said("In der STRASSE"), None, id="pattern with a sharp s"),
    pytest.param('regex = "^für$"', said("fu\u0308r"), None, id="pattern, umlaut in two code points"),
    pytest.param('regex = ["x", "h.$"]', said(), None, id="second pattern of a list"),
    pytest.param('regex = "[^a-z]"', said("\ud800"), None, id="pattern over a broken sign"),
    pytest.param("media = true", said("", has_media=True), None, id="media"),
    pytest.param("media = false", said(), None, id="no media"),
    pytest.param('attributes = { tier = "gold" }', said(), GOLD, id="attribute"),
    pytest.param('attributes = { tier = ["silver", "gold"] }', said(), GOLD, id="attribute out of a list"),
    pytest.param("attributes = { age = 30.0, vip = true }", said(), GOLD, id="attributes, number and truth"),
    pytest.param('attributes = { "order.state" = "late" }', said(), GOLD, id="attribute by a dotted name"),
    pytest.param('attributes = { order.state = "late" }', said(), GOLD, id="attribute in a table"),
    pytest.param('attributes = { "a.b" = 1 }', said(), GOLD, id="attribute with a dot in its own name"),
    pytest.param(
        'participant_attributes = { lang = "de" }',
        said(),
        ConversationFacts(participant_attributes={"lang": "de"}),
        id="participant attribute",
    ),
    pytest.param('role = "vip"', said(), ConversationFacts(roles=("guest", "vip")), id="role"),
    pytest.param('role = ["vip", "RL1"]', said(), ConversationFacts(roles=("RL1",)), id="role out of a list"),
    pytest.param('any = [{ hours = "closed" }, { keywords = ["hi"] }]', said(), None, id="any"),
    pytest.param('all = [{ hours = "open" }, { keywords = ["hi"] }]', said(), None, id="all"),
    pytest.param('not = { channel = "chat" }', said(), None, id="not"),
    pytest.param('not = { channel = "sms", hours = "closed" }', said(), None, id="not, one of two is otherwise"),
    pytest.param('not = { any = [{ media = true }, { not = { regex = "h" } }] }', said(), None, id="not of any of not"),
]


@pytest.mark.parametrize(("when", "message", "known"), HOLDS)
def test_a_condition_holds(when, message, known):
    assert failure(when, message, known) == ""


FAILS = [
    pytest.param('regex = "order"', said(), None, "none of its patterns", id="pattern"),
    pytest.param('regex = "end"', said("a" * SEARCHED_CHARS + " end"), None, "none of its patterns", id="far behind"),
    pytest.param(
        'regex = ["x", "(h+)+$"]',
        said("h" * 3000 + "!"),
        None,
        "pattern number 2 took too long and counts as not found",
        id="pattern that runs away",
    ),
    pytest.param("media = true", said(), None, "no media", id="media"),
    pytest.param("media = false", said(has_media=True), None, "it has media", id="no media"),
    pytest.param("first_contact = false", said(), None, "the first contact", id="first contact"),
    pytest.param('attributes = { tier = "gold" }', said(), None, "attribute tier is missing", id="attribute missing"),
    pytest.param('attributes = { tier = "Gold" }', said(), GOLD, "attribute tier is not Gold", id="attribute case"),
    pytest.param("attributes = { vip = 1 }", said(), GOLD, "attribute vip is not 1", id="true is not 1"),
    pytest.param('attributes = { age = "30" }', said(), GOLD, "attribute age is not 30", id="a number is no text"),
    pytest.param(
        'attributes = { order.state = "late", tier = ["a", "b"] }',
        said(),
        GOLD,
        "attribute tier is not a or b",
        id="second attribute",
    ),
    pytest.param(
        'attributes = { tier.colour = "x" }', said(), GOLD, "attribute tier.colour is missing", id="no such table"
    ),
    pytest.param(
        'participant_attributes = { lang = "de" }',
        said(),
        GOLD,
        "participant attribute lang is missing",
        id="participant attribute",
    ),
    pytest.param(
        'role = ["vip", "x"]', said(), ConversationFacts(roles=("guest",)), "the role is not vip or x", id="role"
    ),
    pytest.param(
        'any = [{ hours = "closed" }, { keywords = ["yo"] }]',
        said(),
        None,
        "none of any: we are open, none of its keywords",
        id="any",
    ),
    pytest.param('all = [{ hours = "open" }, { media = true }]', said(), None, "no media", id="all"),
    pytest.param('not = { channel = "sms" }', said(), None, "what it excludes is so", id="not"),
    pytest.param('unanswered_for = "5m"', said(), None, "waits for 5 min without a human", id="follow-up"),
]


@pytest.mark.parametrize(("when", "message", "known", "failed"), FAILS)
def test_a_condition_fails_and_the_trace_says_which(when, message, known, failed):
    assert failure(when, message, known) == failed


HOUR = timedelta(hours=1)
LIMITS = [
    pytest.param('cooldown = "1h"', (HOUR / 2,), "cool-down, 30 min left", id="in cool-down"),
    pytest.param('cooldown = "1h"', (HOUR, HOUR / 2), "", id="newest counts for the cool-down"),
    pytest.param("quota = 2", (HOUR,), "", id="one of two"),
    pytest.param("quota = 2", (HOUR, 9000 * HOUR), "quota, 2 times in this conversation", id="quota for ever"),
    pytest.param('quota = { count = 2, per = "1d" }', (HOUR, 2 * HOUR), "quota, 2 times within 1 d", id="per day"),
    pytest.param('quota = { count = 2, per = "1d" }', (HOUR, 24 * HOUR), "", id="the first is a day ago"),
]


@pytest.mark.parametrize(("limit", "ages", "failed"), LIMITS)
def test_a_rule_rests_after_it_has_answered(limit, ages, failed):
    rules = load(f'[[rule]]\nname = "r"\nreply = "Yes."\n{limit}')
    known = ConversationFacts(fired={"r": tuple(NOON - age for age in ages), "other": (NOON,)})

    assert decide(said(), known, rules, POLICY, NOON).tried[0].failed == failed


def test_patterns_that_run_away_do_not_hold_up_the_decision():
    slow = "\n".join(f'[[rule]]\nname = "r{n}"\nreply = "x"\nwhen = {{ regex = "(h+)+{n}$" }}' for n in range(100))
    last = '[[rule]]\nname = "last"\nreply = "Still here."'

    decision = decide(said("h" * 3000 + "!"), ConversationFacts(), load(slow + "\n" + last), POLICY, NOON)

    given_up = "pattern number 1 took too long and counts as not found"  # one alone would search for ages
    assert [step.failed for step in decision.tried] == [given_up] * 100 + [""]
    assert decision.reply == "Still here."
