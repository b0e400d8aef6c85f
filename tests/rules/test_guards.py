"""Who wrote a message, by which channel, and what forbids a reply before any rule is asked."""

from datetime import UTC, datetime, timedelta

import pytest

from app.rules.engine import decide
from app.rules.facts import ConversationFacts, Inbound, Policy
from app.rules.loader import load
from app.twilio_api.addresses import channel_of

RULES = load("""
[bot]
timezone = "Europe/Berlin"
reply_budget = [{ count = 3, per = "10m" }, { count = 4, per = "1d" }]
quiet_hours = { between = "23:00-06:00", channel = "sms" }
opt_out_words = ["STOP", "arrêt", "退订"]

[[rule]]
name = "always"
reply = "Hello."
""")
POLICY = Policy("support-bot", ("support-agent", "desk-*", "+*"), timedelta(hours=1), account_sid="AC1")
NOON = datetime(2026, 11, 23, 11, 0, tzinfo=UTC)  # 12:00 in Berlin
PHONE = "+15550100001"
FOREVER = datetime.max.replace(tzinfo=UTC)


def ago(**units: float) -> datetime:
    return NOON - timedelta(**units)


def said(text: str = "hi", author: str = PHONE, source: str = "SMS", at: datetime = NOON, **more: object) -> Inbound:
    return Inbound("IM1", "CH1", author, text, channel_of(author, source), source, at, **more)


def chat(text: str = "hi", author: str = "anna", **more: object) -> Inbound:
    return said(text, author, "SDK", **more)


SILENT = [
    pytest.param(
        said(author="support-bot"), ConversationFacts(), "own author", "the bot wrote this message itself", id="itself"
    ),
    pytest.param(
        said(attributes={"parley": {"n": 0}}),
        ConversationFacts(),
        "own marker",
        "the message carries the bot's own marker",
        id="own",
    ),
    pytest.param(
        chat(author="support-agent"), ConversationFacts(), "agent", "a human agent wrote", id="agent by identity"
    ),
    pytest.param(chat(author="desk-7"), ConversationFacts(), "agent", "a human agent wrote", id="agent by pattern"),
    pytest.param(
        chat(author="x", client_identity="desk-7"),
        ConversationFacts(),
        "agent",
        "a human agent wrote",
        id="agent by client identity",
    ),
    pytest.param(said(), ConversationFacts(author_role="agent"), "agent", "a human agent wrote", id="agent by role"),
    pytest.param(
        chat(author="ops:anna"),
        ConversationFacts(has_messaging_participant=True),
        "agent",
        "a human agent wrote",
        id="chat beside SMS",
    ),
    pytest.param(
        said(source="api"), ConversationFacts(), "api", "a program wrote this message (Source=API)", id="program"
    ),
    pytest.param(
        said(author="system", source="API"),
        ConversationFacts(has_messaging_participant=True),
        "api",
        "a program wrote this message (Source=API)",
        id="program as system beside SMS",
    ),
    pytest.param(said(author=""), ConversationFacts(), "no author", "the message has no author", id="nobody"),
    pytest.param(
        said(author="", source="SDK"),
        ConversationFacts(has_messaging_participant=True),
        "no author",
        "the message has no author",
        id="nobody beside SMS",
    ),
    pytest.param(
        said(author="anna", source="API", participant_sid="MB1"),
        ConversationFacts(),
        "api",
        "a program wrote this message (Source=API)",
        id="program as a chat user",
    ),
    pytest.param(
        said("stop", account_sid="AC2"),
        ConversationFacts(),
        "another account",
        "the message is of the account AC2, not of TWILIO_ACCOUNT_SID",
        id="another account",
    ),
    pytest.param(
        said(author="system", source=""), ConversationFacts(), "system", 'the author is "system"', id="system"
    ),
    pytest.param(said(" stop! "), ConversationFacts(), "opt-out word", "the message is an opt-out word", id="stop"),
    pytest.param(
        said("Stop", author="whatsapp:+15550100001"),
        ConversationFacts(),
        "opt-out word",
        "the message is an opt-out word",
        id="WA stop",
    ),
    pytest.param(
        said("Help?"), ConversationFacts(), "help word", "the message is a help word, which Twilio answers", id="help"
    ),
    pytest.param(
        said("start"),
        ConversationFacts(),
        "opt-in word",
        "the message is an opt-in word, which Twilio answers",
        id="start",
    ),
    pytest.param(
        said("Yes."),
        ConversationFacts(opted_out=True),
        "opt-in word",
        "the message is an opt-in word, which Twilio answers",
        id="yes after an opt-out",
    ),
    pytest.param(said(), ConversationFacts(opted_out=True), "opted out", "the recipient has opted out", id="opted out"),
    pytest.param(said(), ConversationFacts(state="closed"), "closed", "the conversation is closed", id="closed"),
    pytest.param(
        said(),
        ConversationFacts(paused_until=NOON + timedelta(minutes=150), paused_why="an agent wrote"),
        "paused",
        "paused until 2026-11-23 14:30 CET because an agent wrote",
        id="paused",
    ),
    pytest.param(
        said(),
        ConversationFacts(paused_until=NOON + timedelta(days=1)),
        "paused",
        "paused until 2026-11-24 12:00 CET",
        id="paused until tomorrow",
    ),
    pytest.param(
        said(),
        ConversationFacts(paused_until=FOREVER, paused_why="somebody took over"),
        "paused",
        "paused until resumed because somebody took over",
        id="paused until resumed",
    ),
    pytest.param(said(" \n"), ConversationFacts(), "empty", "the message has neither text nor media", id="empty"),
    pytest.param(
        said(at=ago(hours=1, seconds=1)), ConversationFacts(), "too old", "the message is older than 1 h", id="too old"
    ),
    pytest.param(
        said(),
        ConversationFacts(reply_times=(ago(minutes=1), ago(minutes=2), ago(minutes=9))),
        "reply budget",
        "3 automatic replies within 10 min are enough",
        id="reply budget",
    ),
    pytest.param(
        said(),
        ConversationFacts(reply_times=(ago(minutes=1), ago(hours=2), ago(hours=3), ago(hours=4))),
        "reply budget",
        "4 automatic replies within 1 d are enough",
        id="second reply budget",
    ),
    pytest.param(
        said("I am away until Monday."),
        ConversationFacts(same_texts=2),
        "repeated text",
        "the same text came 3 times within 10 min, as from another bot",
        id="the same text for the third time",
    ),
    pytest.param(
        said("ARRÊT"), ConversationFacts(), "opt-out word", "the message is an opt-out word", id="stop in French"
    ),
    pytest.param(
        chat("退订"), ConversationFacts(), "opt-out word", "the message is an opt-out word", id="stop in Chinese"
    ),
]


@pytest.mark.parametrize(("message", "known", "code", "reason"), SILENT)
def test_the_bot_keeps_silent_and_says_why(message, known, code, reason):
    decision = decide(message, known, RULES, POLICY, NOON)

    assert (decision.reply, decision.code, decision.reason) == (None, code, reason)


ANSWERED = [
    pytest.param(said(), ConversationFacts(same_texts=1), id="the same text for the second time"),
    pytest.param(said("", has_media=True), ConversationFacts(same_texts=9), id="many pictures without text"),
    pytest.param(
        said(), ConversationFacts(reply_times=(ago(minutes=1), ago(hours=24), ago(hours=25))), id="budget of a day ago"
    ),
    pytest.param(said("help", texts=("help", "my order?")), ConversationFacts(), id="help together with a question"),
    pytest.param(
        said(source="API", participant_sid="MB1"), ConversationFacts(), id="an SMS that a new webhook is told of later"
    ),
    pytest.param(said(account_sid="AC1"), ConversationFacts(), id="our account"),
    pytest.param(said("start", texts=("start", "my order?")), ConversationFacts(), id="start together with a question"),
]


@pytest.mark.parametrize(("message", "known"), ANSWERED)
def test_the_bot_answers_where_a_guard_nearly_stops_it(message, known):
    assert decide(message, known, RULES, POLICY, NOON).code == "replied"


BURSTS = [
    pytest.param(("hi", "stop", "sorry"), ConversationFacts(), "opt-out word", id="stop in the middle"),
    pytest.param(("start", "stop"), ConversationFacts(), "opt-out word", id="the last word counts: stop"),
    pytest.param(("stop", "start"), ConversationFacts(), "opt-in word", id="the last word counts: start"),
    pytest.param(("stop", "yes"), ConversationFacts(), "opt-out word", id="yes is no start for who had not opted out"),
    pytest.param(("stop", "help"), ConversationFacts(), "opt-out word", id="help takes no stop back"),
    pytest.param(("help", "info"), ConversationFacts(), "help word", id="help twice"),
    pytest.param(
        ("start", "my order?"), ConversationFacts(opted_out=True), "opt-in word", id="start again, and a question"
    ),
    pytest.param(("my order?", "hello?"), ConversationFacts(opted_out=True), "opted out", id="opted out"),
]


@pytest.mark.parametrize(("texts", "known", "code"), BURSTS)
def test_every_text_of_a_burst_is_held_against_the_words_of_the_carrier(texts, known, code):
    burst = said("\n".join(texts), texts=texts)

    assert decide(burst, known, RULES, Policy("support-bot"), NOON).code == code


NIGHT = NOON + timedelta(hours=11)  # 23:00 in Berlin


@pytest.mark.parametrize(
    ("message", "code", "reason"),
    [
        pytest.param(said(at=NIGHT), "quiet hours", "quiet hours until 2026-11-24 06:00 CET", id="quiet"),
        pytest.param(said("stop", at=NIGHT), "opt-out word", "the message is an opt-out word", id="stop comes first"),
        pytest.param(said(author="whatsapp:+15550100001", at=NIGHT), "replied", 'rule "always" matched', id="WhatsApp"),
    ],
)
def test_nothing_is_sent_in_quiet_hours(message, code, reason):
    decision = decide(message, ConversationFacts(), RULES, POLICY, NIGHT)

    assert (decision.code, decision.reason) == (code, reason)


@pytest.mark.parametrize(
    ("last_inbound_at", "code"),
    [
        pytest.param(None, "whatsapp window", id="nothing newer"),
        pytest.param(ago(hours=30), "whatsapp window", id="older still"),
        pytest.param(ago(hours=23), "replied", id="a newer message opened it again"),
    ],
)
def test_a_late_whatsapp_reply_needs_an_open_window(last_inbound_at, code):
    message = said("order", author="whatsapp:+15550100001", source="WHATSAPP", at=ago(hours=25))

    decision = decide(message, ConversationFacts(last_inbound_at=last_inbound_at), RULES, Policy("support-bot"), NOON)

    assert decision.code == code
