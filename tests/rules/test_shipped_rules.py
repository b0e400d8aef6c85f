"""The rules that come with Parley suit a support desk: nobody's first message is met with silence."""

from datetime import UTC, datetime, timedelta

import pytest

from app.config import PROJECT
from app.rules.engine import decide, timers_of
from app.rules.facts import ConversationFacts, Inbound, Policy
from app.rules.lint import lint
from app.rules.loader import load
from app.rules.reply_length import MOST_CHARACTERS
from app.twilio_api.addresses import channel_of

TEXT = (PROJECT / "rules.toml").read_text(encoding="utf-8")
RULES = load(TEXT)
MONDAY_NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
SATURDAY_NIGHT = datetime(2026, 11, 28, 22, tzinfo=UTC)


def said(text, at=MONDAY_NOON, author="+15550100001", **more):
    message = Inbound("IM1", "CH1", author, text, channel_of(author, ""), "", at, has_media=not text)
    known = ConversationFacts(**{"first_contact": True, "last_inbound_at": at} | more)
    return decide(message, known, RULES, Policy("support-bot"), at)


@pytest.mark.parametrize(
    "text", ["Hi", "", "Where is my order?", "a human please", "what are your opening hours", "👍"]
)
@pytest.mark.parametrize("day", [0, 5], ids=["Monday", "Saturday"])
@pytest.mark.parametrize("hour", [0, 9, 17, 23])
@pytest.mark.parametrize("author", ["+15550100001", "whatsapp:+15550100001", "messenger:4711", "anna"])
def test_a_first_message_is_answered_at_any_hour_on_every_channel(text, day, hour, author):
    decision = said(text, datetime(2026, 11, 23 + day, hour, tzinfo=UTC), author)

    assert decision.code == "replied"
    assert 0 < len(decision.reply) <= MOST_CHARACTERS // 5


STORIES = [
    ("I want to talk to a HUMAN!", MONDAY_NOON, "ask for a person", "Our team reads this conversation"),
    ("agent", SATURDAY_NIGHT, "ask for a person", "when it is back, on Monday at 09:00 (UTC)."),
    ("Where is my parcel?", SATURDAY_NIGHT, "order status", "when we are back, on Monday at 09:00 (UTC)."),
    ("are you open today", SATURDAY_NIGHT, "opening hours", "We are closed right now."),
    ("hello", MONDAY_NOON, "greeting", "A colleague answers here soon."),
    ("hello", SATURDAY_NIGHT, "greeting", "when we are back, on Monday at 09:00 (UTC)."),
]


@pytest.mark.parametrize(("text", "at", "rule", "words"), STORIES, ids=[f"{story[2]}: {story[0]}" for story in STORIES])
def test_what_customers_ask_is_answered_by_the_rule_for_it(text, at, rule, words):
    decision = said(text, at)

    assert decision.rule == rule
    assert words in decision.reply


@pytest.mark.parametrize(
    ("at", "rule"), [(MONDAY_NOON, "default"), (SATURDAY_NIGHT, "closed")], ids=["when open", "when closed"]
)
def test_a_later_message_is_acknowledged_once_in_a_while(at, rule):
    fired = {rule: (at - timedelta(minutes=5),)}

    assert said("and another thing", at, first_contact=False).rule == rule
    assert said("and another thing", at, first_contact=False, fired=fired).code == "no rule"


@pytest.mark.parametrize("rule", RULES.rules, ids=lambda rule: rule.name)
def test_no_rule_asks_for_something_and_then_answers_it_by_machine(rule):
    asks = [words for words in ("please", "?", "tell us", "send us") if words in (rule.reply or "").lower()]

    assert not asks or rule.hand_over or rule.pause


def test_who_asks_for_a_person_is_left_to_a_person():
    assert said("can I speak to someone?").actions.hand_over


def test_who_still_waits_is_told_once_and_the_conversation_is_marked():
    message = Inbound("IM1", "CH1", "+15550100001", "hello", "sms", "", MONDAY_NOON)
    (silence,) = timers_of(RULES)
    later = MONDAY_NOON + silence
    handed_over = ConversationFacts(first_contact=False, paused_until=later + timedelta(days=1), paused_by="rule")

    first = decide(message, handed_over, RULES, Policy("support-bot"), later, timer=silence)
    again = decide(
        message, ConversationFacts(fired={first.rule: (later,)}), RULES, Policy("support-bot"), later, timer=silence
    )

    assert (first.rule, first.actions.set_attributes) == ("still waiting", {"escalated": True})
    assert not again.says_something


@pytest.mark.parametrize("text", ["STOP", "stop.", "Stopp", "arrêt", "ОТПИСАТЬСЯ", "退订", "停止", "توقف"])
def test_opt_out_words_of_several_languages_are_respected(text):
    assert said(text).code == "opt-out word"


@pytest.mark.parametrize("text", ["please stop sending the wrong size", "can I cancel my order", "Alto Adige?"])
def test_an_opt_out_word_within_a_sentence_is_an_ordinary_word(text):
    assert said(text).code == "replied"


def test_two_bots_do_not_talk_to_each_other_for_ever():
    assert said("We are out of office", first_contact=False, same_texts=2).code == "repeated text"
    assert said("x", reply_times=(MONDAY_NOON - timedelta(minutes=1),) * 5).code == "reply budget"


def test_they_pass_their_own_linter():
    assert lint(RULES, folder=PROJECT) == []


def test_no_burst_is_waited_for():
    assert RULES.bot.coalesce is None
