"""The guards that are asked once more right before sending, and who counts as the writer of a message."""

from datetime import timedelta

import pytest

from app.rules.facts import ConversationFacts, writer_of
from app.rules.guards import changed_guards
from tests.rules.test_guards import FOREVER, NIGHT, NOON, POLICY, RULES, chat, said


@pytest.mark.parametrize(
    ("known", "human_wrote", "reason"),
    [
        pytest.param(ConversationFacts(), False, None, id="nothing changed"),
        pytest.param(ConversationFacts(), True, "a human wrote in the meantime", id="a human was faster"),
        pytest.param(ConversationFacts(opted_out=True), False, "the recipient has opted out", id="opted out"),
        pytest.param(ConversationFacts(state="closed"), False, "the conversation is closed", id="closed"),
        pytest.param(ConversationFacts(paused_until=FOREVER), False, "paused until resumed", id="paused"),
    ],
)
def test_guards_that_can_change_are_asked_again_before_sending(known, human_wrote, reason):
    assert changed_guards(said(), known, POLICY, NOON, human_wrote) == reason


PAUSED = ConversationFacts(paused_until=NOON + timedelta(hours=1))


@pytest.mark.parametrize(
    ("known", "now", "timer", "reason"),
    [
        pytest.param(ConversationFacts(), NOON, None, None, id="nothing changed"),
        pytest.param(
            ConversationFacts(), NIGHT, None, "quiet hours until 2026-11-24 06:00 CET", id="it has become night"
        ),
        pytest.param(PAUSED, NOON, None, "paused until 2026-11-23 13:00 CET", id="paused, local time"),
        pytest.param(
            ConversationFacts(paused_until=FOREVER, paused_by="rule"),
            NOON,
            timedelta(minutes=5),
            None,
            id="follow-up, handed over",
        ),
        pytest.param(
            ConversationFacts(paused_until=FOREVER, paused_by="agent"),
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
        pytest.param(
            said(), ConversationFacts(has_messaging_participant=True), "customer", id="phone, even where a pattern fits"
        ),
        pytest.param(chat(), ConversationFacts(), "customer", id="chat alone"),
        pytest.param(chat(), ConversationFacts(roles=("guest",)), "customer", id="another role"),
        pytest.param(chat(), ConversationFacts(roles=("guest", "agent")), "agent", id="role of an agent"),
        pytest.param(chat(), ConversationFacts(has_messaging_participant=True), "agent", id="chat beside SMS"),
        pytest.param(chat(author="support-bot"), ConversationFacts(author_role="agent"), "bot", id="bot before agent"),
        pytest.param(said(author="desk-1", source="API"), ConversationFacts(), "agent", id="agent before program"),
        pytest.param(said(author="crm", source="API"), ConversationFacts(), "api", id="program"),
        pytest.param(said(author="system", source=""), ConversationFacts(), "system", id="system"),
    ],
)
def test_the_writer_of_a_message_is_known(message, known, writer):
    assert writer_of(message, known, POLICY) == writer
