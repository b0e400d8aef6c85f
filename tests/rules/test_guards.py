"""Who wrote a message, by which channel, and what forbids a reply before any rule is asked."""

from datetime import UTC, datetime, timedelta

import pytest

from app.rules.engine import decide
from app.rules.facts import Known, Message, Policy, writer_of
from app.rules.guards import changed_guards
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


def said(text: str = "hi", author: str = PHONE, source: str = "SMS", at: datetime = NOON, **more: object) -> Message:
    return Message("IM1", "CH1", author, text, channel_of(author, source), source, at, **more)


def chat(text: str = "hi", author: str = "anna", **more: object) -> Message:
    return said(text, author, "SDK", **more)


SILENT = [
    pytest.param(said(author="support-bot"), Known(), "own author", "the bot wrote this message itself", id="itself"),
    pytest.param(
        said(attributes={"parley": {"n": 0}}),
        Known(),
        "own marker",
        "the message carries the bot's own marker",
        id="own",
    ),
    pytest.param(chat(author="support-agent"), Known(), "agent", "a human agent wrote", id="agent by identity"),
    pytest.param(chat(author="desk-7"), Known(), "agent", "a human agent wrote", id="agent by pattern"),
    pytest.param(
        chat(author="x", client_identity="desk-7"),
        Known(),
        "agent",
        "a human agent wrote",
        id="agent by client identity",
    ),
    pytest.param(said(), Known(author_role="agent"), "agent", "a human agent wrote", id="agent by role"),
    pytest.param(
        chat(author="ops:anna"),
        Known(has_messaging_participant=True),
        "agent",
        "a human agent wrote",
        id="chat beside SMS",
    ),
    pytest.param(said(source="api"), Known(), "api", "a program wrote this message (Source=API)", id="program"),
    pytest.param(
        said(author="system", source="API"),
        Known(has_messaging_participant=True),
        "api",
        "a program wrote this message (Source=API)",
        id="program as system beside SMS",
    ),
    pytest.param(said(author=""), Known(), "no author", "the message has no author", id="nobody"),
    pytest.param(
        said(author="", source="SDK"),
        Known(has_messaging_participant=True),
        "no author",
        "the message has no author",
        id="nobody beside SMS",
    ),
    pytest.param(
        said(author="anna", source="API", participant_sid="MB1"),
        Known(),
        "api",
        "a program wrote this message (Source=API)",
        id="program as a chat user",
    ),
    pytest.param(
        said("stop", account_sid="AC2"),
        Known(),
        "another account",
        "the message is of the account AC2, not of TWILIO_ACCOUNT_SID",
        id="another account",
    ),
    pytest.param(said(author="system", source=""), Known(), "system", 'the author is "system"', id="system"),
    pytest.param(said(" stop! "), Known(), "opt-out word", "the message is an opt-out word", id="stop"),
    pytest.param(
        said("Stop", author="whatsapp:+15550100001"),
        Known(),
        "opt-out word",
        "the message is an opt-out word",
        id="WA stop",
    ),
    pytest.param(said("Help?"), Known(), "help word", "the message is a help word, which Twilio answers", id="help"),
    pytest.param(
        said("start"), Known(), "opt-in word", "the message is an opt-in word, which Twilio answers", id="start"
    ),
    pytest.param(
        said("Yes."),
        Known(opted_out=True),
        "opt-in word",
        "the message is an opt-in word, which Twilio answers",
        id="yes after an opt-out",
    ),
    pytest.param(said(), Known(opted_out=True), "opted out", "the recipient has opted out", id="opted out"),
    pytest.param(said(), Known(state="closed"), "closed", "the conversation is closed", id="closed"),
    pytest.param(
        said(),
        Known(paused_until=NOON + timedelta(minutes=150), paused_why="an agent wrote"),
        "paused",
        "paused until 2026-11-23 14:30 CET because an agent wrote",
        id="paused",
    ),
    pytest.param(
        said(),
        Known(paused_until=NOON + timedelta(days=1)),
        "paused",
        "paused until 2026-11-24 12:00 CET",
        id="paused until tomorrow",
    ),
    pytest.param(
        said(),
        Known(paused_until=FOREVER, paused_why="somebody took over"),
        "paused",
        "paused until resumed because somebody took over",
        id="paused until resumed",
    ),
    pytest.param(said(" \n"), Known(), "empty", "the message has neither text nor media", id="empty"),
    pytest.param(said(at=ago(hours=1, seconds=1)), Known(), "too old", "the message is older than 1 h", id="too old"),
    pytest.param(
        said(),
        Known(reply_times=(ago(minutes=1), ago(minutes=2), ago(minutes=9))),
        "reply budget",
        "3 automatic replies within 10 min are enough",
        id="reply budget",
    ),
    pytest.param(
        said(),
        Known(reply_times=(ago(minutes=1), ago(hours=2), ago(hours=3), ago(hours=4))),
        "reply budget",
        "4 automatic replies within 1 d are enough",
        id="second reply budget",
    ),
    pytest.param(
        said("I am away until Monday."),
        Known(same_texts=2),
        "repeated text",
        "the same text came 3 times within 10 min, as from another bot",
        id="the same text for the third time",
    ),
    pytest.param(said("ARRÊT"), Known(), "opt-out word", "the message is an opt-out word", id="stop in French"),
    pytest.param(chat("退订"), Known(), "opt-out word", "the message is an opt-out word", id="stop in Chinese"),
]


@pytest.mark.parametrize(("message", "known", "code", "reason"), SILENT)
def test_the_bot_keeps_silent_and_says_why(message, known, code, reason):
    decision = decide(message, known, RULES, POLICY, NOON)

    assert (decision.reply, decision.code, decision.reason) == (None, code, reason)


ANSWERED = [
    pytest.param(said(), Known(same_texts=1), id="the same text for the second time"),
    pytest.param(said("", has_media=True), Known(same_texts=9), id="many pictures without text"),
    pytest.param(said(), Known(reply_times=(ago(minutes=1), ago(hours=24), ago(hours=25))), id="budget of a day ago"),
    pytest.param(said("help", texts=("help", "my order?")), Known(), id="help together with a question"),
    pytest.param(said(source="API", participant_sid="MB1"), Known(), id="an SMS that a new webhook is told of later"),
    pytest.param(said(account_sid="AC1"), Known(), id="our account"),
    pytest.param(said("start", texts=("start", "my order?")), Known(), id="start together with a question"),
]


@pytest.mark.parametrize(("message", "known"), ANSWERED)
def test_the_bot_answers_where_a_guard_nearly_stops_it(message, known):
    assert decide(message, known, RULES, POLICY, NOON).code == "replied"


BURSTS = [
    pytest.param(("hi", "stop", "sorry"), Known(), "opt-out word", id="stop in the middle"),
    pytest.param(("start", "stop"), Known(), "opt-out word", id="the last word counts: stop"),
    pytest.param(("stop", "start"), Known(), "opt-in word", id="the last word counts: start"),
    pytest.param(("stop", "yes"), Known(), "opt-out word", id="yes is no start for who had not opted out"),
    pytest.param(("stop", "help"), Known(), "opt-out word", id="help takes no stop back"),
    pytest.param(("help", "info"), Known(), "help word", id="help twice"),
    pytest.param(("start", "my order?"), Known(opted_out=True), "opt-in word", id="start again, and a question"),
    pytest.param(("my order?", "hello?"), Known(opted_out=True), "opted out", id="opted out"),
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
    decision = decide(message, Known(), RULES, POLICY, NIGHT)

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

    decision = decide(message, Known(last_inbound_at=last_inbound_at), RULES, Policy("support-bot"), NOON)

    assert decision.code == code


@pytest.mark.parametrize(
    ("known", "human_wrote", "reason"),
    [
        pytest.param(Known(), False, None, id="nothing changed"),
        pytest.param(Known(), True, "a human wrote in the meantime", id="a human was faster"),
        pytest.param(Known(opted_out=True), False, "the recipient has opted out", id="opted out"),
        pytest.param(Known(state="closed"), False, "the conversation is closed", id="closed"),
        pytest.param(Known(paused_until=FOREVER), False, "paused until resumed", id="paused"),
    ],
)
def test_guards_that_can_change_are_asked_again_before_sending(known, human_wrote, reason):
    assert changed_guards(said(), known, POLICY, NOON, human_wrote) == reason


PAUSED = Known(paused_until=NOON + timedelta(hours=1))


@pytest.mark.parametrize(
    ("known", "now", "timer", "reason"),
    [
        pytest.param(Known(), NOON, None, None, id="nothing changed"),
        pytest.param(Known(), NIGHT, None, "quiet hours until 2026-11-24 06:00 CET", id="it has become night"),
        pytest.param(PAUSED, NOON, None, "paused until 2026-11-23 13:00 CET", id="paused, local time"),
        pytest.param(
            Known(paused_until=FOREVER, paused_by="rule"), NOON, timedelta(minutes=5), None, id="follow-up, handed over"
        ),
        pytest.param(
            Known(paused_until=FOREVER, paused_by="agent"),
            NOON,
            timedelta(minutes=5),
            "paused until resumed",
            id="follow-up, an agent came",
        ),
    ],
)
def test_the_rules_of_the_bot_and_its_follow_ups_are_asked_again_too(known, now, timer, reason):
    assert changed_guards(said(), known, POLICY, now, False, bot=RULES.bot, timer=timer) == reason


@pytest.mark.parametrize(
    ("message", "known", "writer"),
    [
        pytest.param(said(), Known(has_messaging_participant=True), "customer", id="phone, even where a pattern fits"),
        pytest.param(chat(), Known(), "customer", id="chat alone"),
        pytest.param(chat(), Known(roles=("guest",)), "customer", id="another role"),
        pytest.param(chat(), Known(roles=("guest", "agent")), "agent", id="role of an agent"),
        pytest.param(chat(), Known(has_messaging_participant=True), "agent", id="chat beside SMS"),
        pytest.param(chat(author="support-bot"), Known(author_role="agent"), "bot", id="bot before agent"),
        pytest.param(said(author="desk-1", source="API"), Known(), "agent", id="agent before program"),
        pytest.param(said(author="crm", source="API"), Known(), "api", id="program"),
        pytest.param(said(author="system", source=""), Known(), "system", id="system"),
    ],
)
def test_the_writer_of_a_message_is_known(message, known, writer):
    assert writer_of(message, known, POLICY) == writer
