"""Which rule answers, what it says, and what no rule may ever do."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.rules.engine import Decision, decide
from app.rules.facts import ConversationFacts, Inbound, Policy
from app.rules.loader import load
from app.rules.schema import Rules
from app.twilio_api.addresses import channel_of

RULES = load(
    """
[bot]
timezone = "Europe/Berlin"
hours = { mon-fri = "09:00-17:30", sat = "10:00-12:00,13:00-14:00", sun = "22:00-06:00" }
holidays = ["2026-12-25"]
reply_budget = { count = 3, per = "10m" }

[[rule]]
name = "order"
when = { keywords = ["order", "where is my", "24h", "don't"] }
reply = "Order number, please."
cooldown = "10m"

[[rule]]
name = "refund"
when = { keywords = ["退款", "Rückgabe"], channel = ["whatsapp", "chat"] }
reply = "Refund on {{ channel }}."

[[rule]]
name = "night"
when = { hours = "closed", channel = "sms" }
reply = "We are {{ hours }}."

[[rule]]
name = "greeting"
when = { first_contact = true, hours = "open" }
reply = "Hello {{ author }}."

[[rule]]
name = "broken"
when = { keywords = ["broken"] }
reply = "{{ attributes.secret_plan }}"

[[rule]]
name = "mute"
when = { keywords = ["mute"] }
reply = "{% if hours == 'never' %}x{% endif %}"

[[rule]]
name = "again"
when = { first_contact = false }
reply = "Hello again."
cooldown = "1h"
"""
)
POLICY = Policy("support-bot", ("support-agent", "desk-*"), timedelta(hours=1))
NOON = datetime(2026, 11, 23, 11, 0, tzinfo=UTC)  # Monday, 12:00 in Berlin
NIGHT = datetime(2026, 11, 23, 22, 0, tzinfo=UTC)
HOLIDAY = datetime(2026, 12, 25, 11, 0, tzinfo=UTC)
PHONE = "+15550100001"


def ago(**units: float) -> datetime:
    return NOON - timedelta(**units)


def said(text: str = "hi", author: str = PHONE, source: str = "SMS", at: datetime = NOON, **more: object) -> Inbound:
    return Inbound("IM1", "CH1", author, text, channel_of(author, source), source, at, **more)


def chat(text: str = "hi", author: str = "anna", **more: object) -> Inbound:
    return said(text, author, "SDK", **more)


def decided(message: Inbound, known: ConversationFacts, rules: Rules = RULES, now: datetime | None = None) -> Decision:
    return decide(message, known, rules, POLICY, now or message.sent_at)


BACK = ConversationFacts(first_contact=False)
ANSWERED = [
    pytest.param(said("my order"), ConversationFacts(), "order", "Order number, please.", id="keyword"),
    pytest.param(said("ORDER"), ConversationFacts(), "order", "Order number, please.", id="keyword in capitals"),
    pytest.param(
        said("my (order)!?"), ConversationFacts(), "order", "Order number, please.", id="keyword in punctuation"
    ),
    pytest.param(
        said("ｏｒｄｅｒ"), ConversationFacts(), "order", "Order number, please.", id="keyword in wide letters"
    ),
    pytest.param(
        said("Where\n is  my parcel"), ConversationFacts(), "order", "Order number, please.", id="phrase over lines"
    ),
    pytest.param(said("where, is my"), ConversationFacts(), "order", "Order number, please.", id="phrase with a comma"),
    pytest.param(said("I don’t know"), ConversationFacts(), "order", "Order number, please.", id="curly apostrophe"),
    pytest.param(said("border"), ConversationFacts(), "greeting", f"Hello {PHONE}.", id="keyword inside a word"),
    pytest.param(
        said("reorders"), ConversationFacts(), "greeting", f"Hello {PHONE}.", id="keyword inside a longer word"
    ),
    pytest.param(said("where is it, my"), ConversationFacts(), "greeting", f"Hello {PHONE}.", id="phrase interrupted"),
    pytest.param(
        chat("我要退款"), ConversationFacts(), "refund", "Refund on chat.", id="keyword in a script without spaces"
    ),
    pytest.param(
        chat("RU\u0308CKGABE"), ConversationFacts(), "refund", "Refund on chat.", id="umlaut in two code points"
    ),
    pytest.param(said("退款"), ConversationFacts(), "greeting", f"Hello {PHONE}.", id="keyword on the wrong channel"),
    pytest.param(said("hi", at=NIGHT), ConversationFacts(), "night", "We are closed.", id="at night"),
    pytest.param(said("hi", at=HOLIDAY), ConversationFacts(), "night", "We are closed.", id="on a holiday"),
    pytest.param(
        said("", has_media=True), ConversationFacts(), "greeting", f"Hello {PHONE}.", id="picture without text"
    ),
    pytest.param(said(), BACK, "again", "Hello again.", id="known customer"),
    pytest.param(
        chat("help"), ConversationFacts(), "greeting", "Hello anna.", id="help in a web chat, Twilio is not there"
    ),
    pytest.param(said("yes"), ConversationFacts(), "greeting", f"Hello {PHONE}.", id="yes as an ordinary answer"),
    pytest.param(
        said("please stop by"), ConversationFacts(), "greeting", f"Hello {PHONE}.", id="stop inside a sentence"
    ),
    pytest.param(
        said("order"),
        ConversationFacts(first_contact=False, fired={"order": (ago(minutes=6),)}),
        "again",
        "Hello again.",
        id="rule in cool-down leaves it to the next",
    ),
    pytest.param(
        said("order"),
        ConversationFacts(fired={"order": (ago(minutes=10),)}),
        "order",
        "Order number, please.",
        id="cool-down just over",
    ),
    pytest.param(said(), ConversationFacts(paused_until=NOON), "greeting", f"Hello {PHONE}.", id="pause just over"),
    pytest.param(said(at=ago(hours=1)), ConversationFacts(), "greeting", f"Hello {PHONE}.", id="as old as allowed"),
    pytest.param(
        said(),
        ConversationFacts(reply_times=(ago(minutes=1), ago(minutes=2), ago(minutes=10))),
        "greeting",
        f"Hello {PHONE}.",
        id="one reply left in the budget",
    ),
    pytest.param(
        said(author="desk-1:x", source="SMS"),
        ConversationFacts(),
        "greeting",
        "Hello desk-1:x.",
        id="pattern never fits addresses",
    ),
    pytest.param(
        said(author="Support-Bot", source="SDK"), ConversationFacts(), "greeting", "Hello Support-Bot.", id="other case"
    ),
]


@pytest.mark.parametrize(("message", "known", "rule", "reply"), ANSWERED)
def test_a_message_is_answered_by_the_first_rule_that_fits(message, known, rule, reply):
    decision = decided(message, known, now=max(message.sent_at, NOON))

    assert (decision.code, decision.rule, decision.reply) == ("replied", rule, reply)
    assert decision.tried[-1].failed == ""


TEMPLATE_FAULT = 'reply template of rule "broken" failed: it uses a value that is not there; add |default("...")'
SILENT = [
    pytest.param(
        said("order"),
        ConversationFacts(first_contact=False, fired={"order": (ago(minutes=6),), "again": (ago(minutes=6),)}),
        "no rule",
        "no rule matched",
        id="every rule in cool-down",
    ),
    pytest.param(chat(at=NIGHT), ConversationFacts(), "no rule", "no rule matched", id="no rule for chat at night"),
    pytest.param(chat("broken", at=NIGHT), ConversationFacts(), "template failed", TEMPLATE_FAULT, id="template fails"),
    pytest.param(
        chat("mute", at=NIGHT), ConversationFacts(), "empty reply", 'rule "mute" says nothing here', id="empty reply"
    ),
]


@pytest.mark.parametrize(("message", "known", "code", "reason"), SILENT)
def test_no_rule_answers_and_the_reason_is_kept(message, known, code, reason):
    decision = decided(message, known)

    assert (decision.reply, decision.code, decision.reason) == (None, code, reason)


def test_every_rule_tried_is_kept_with_the_first_condition_that_failed():
    fired = {"order": (ago(minutes=6),)}
    decision = decided(said("my order"), ConversationFacts(first_contact=False, fired=fired))

    assert [(tried.name, tried.failed) for tried in decision.tried] == [
        ("order", "cool-down, 4 min left"),
        ("refund", "none of its keywords"),
        ("night", "we are open"),
        ("greeting", "not the first contact"),
        ("broken", "none of its keywords"),
        ("mute", "none of its keywords"),
        ("again", ""),
    ]


def test_a_cool_down_lasts_its_full_time_over_a_change_of_clocks():
    fired_at = datetime(2026, 10, 25, 2, 58, tzinfo=RULES.bot.timezone)
    just_after = datetime(2026, 10, 25, 2, 2, tzinfo=RULES.bot.timezone, fold=1)

    decision = decided(said("order", at=just_after), ConversationFacts(fired={"order": (fired_at,)}))

    assert decision.tried[0].failed == "cool-down, 6 min left"


MOMENTS = st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001
TEXTS = st.one_of(st.text(max_size=40), st.sampled_from(["order", "STOP", "yes", "mute", "broken", "start", "退款"]))
AUTHORS = st.sampled_from([PHONE, "whatsapp:+15550100001", "anna", "support-bot", "support-agent", "system", ""])
MESSAGES = st.builds(said, TEXTS, AUTHORS, st.sampled_from(["SMS", "SDK", "API", "WHATSAPP", ""]), MOMENTS)
KNOWN = st.builds(
    ConversationFacts,
    state=st.sampled_from(["", "active", "closed"]),
    first_contact=st.booleans(),
    opted_out=st.booleans(),
    has_messaging_participant=st.booleans(),
    paused_until=st.none() | MOMENTS,
    fired=st.dictionaries(st.sampled_from(["order", "again"]), st.tuples(MOMENTS)),
)


@given(MESSAGES, KNOWN)
def test_there_is_one_reply_by_the_last_rule_tried_or_none_with_a_reason(message, known):
    decision = decided(message, known)

    assert (decision.reply is not None) == (decision.code == "replied")
    assert [tried.failed for tried in decision.tried].count("") == (decision.code != "no rule")
    assert decision.reason


@given(MESSAGES, KNOWN)
def test_nobody_who_opted_out_is_answered(message, known):
    assert decided(message, replace(known, opted_out=True)).reply is None


@given(MESSAGES, KNOWN, st.timedeltas(timedelta(microseconds=1), timedelta(days=365)))
def test_nothing_is_said_within_a_pause(message, known, left):
    assert decided(message, replace(known, paused_until=message.sent_at + left)).reply is None


@given(MESSAGES, KNOWN)
def test_the_bot_never_answers_itself(message, known):
    assert decided(replace(message, author="support-bot"), known).reply is None
    assert decided(replace(message, attributes={"parley": {}}), known).reply is None


@given(TEXTS)
def test_a_reason_never_holds_the_text_of_the_message(text):
    rules = load('[[rule]]\nname = "r"\nreply = "{{ attributes[text] }}{{ 1 + text }}"')

    assert decided(said(f"secret {text}"), ConversationFacts(), rules).reason.count("secret") == 0
