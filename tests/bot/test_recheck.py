"""What is stored and not yet worked on counts right before sending: a wish for silence elsewhere, a message removed."""

import json

import pytest

pytestmark = pytest.mark.engines("sqlite", "postgresql")

THANKS = "Thanks, we will be right back."
OPTED_OUT = "the recipient has opted out"
PERHAPS = "the recipient may want to opt out, and nobody has decided yet"
REMOVED = "the message was removed before it was answered"


@pytest.fixture
def outcomes(flask_command):
    return lambda: [event["outcome"] for event in json.loads(flask_command("inbox", "list", "--json"))]


@pytest.fixture
def two_conversations(customer_writes, settle):
    """One person who has written by SMS and by WhatsApp, and was answered in both."""
    customer_writes("hi")
    customer_writes("hi", channel="whatsapp")
    settle()


@pytest.mark.parametrize(("words", "reason"), [("STOP", OPTED_OUT), ("please stop texting me", PERHAPS)])
@pytest.mark.parametrize(("asks", "silences"), [("sms", "whatsapp"), ("whatsapp", "sms")])
def test_a_wish_for_silence_that_waits_in_another_conversation_of_the_person_counts(
    two_conversations, customer_writes, settle, emulator, outcomes, words, reason, asks, silences
):
    customer_writes("and a question", channel=asks)
    customer_writes(words, channel=silences)
    settle()

    assert emulator.replies() == [THANKS, THANKS]
    assert any(reason in outcome for outcome in outcomes())


def test_what_anybody_else_wants_elsewhere_changes_nothing(two_conversations, customer_writes, settle, emulator):
    customer_writes("and a question")
    customer_writes("STOP", sender="+15550100002")
    settle()

    assert emulator.replies() == [THANKS, THANKS, THANKS]


PER_CHANNEL = '[bot]\nopt_out_per_channel = true\n\n[[rule]]\nname = "default"\nreply = "Thanks."'


def test_where_channels_are_kept_apart_a_stop_on_another_one_counts_there_alone(bot, customer_writes, emulator):
    bot.rules(PER_CHANNEL)
    customer_writes("hi")
    customer_writes("hi", channel="whatsapp")
    bot.works()
    customer_writes("and a question")
    customer_writes("STOP", channel="whatsapp")
    bot.works()

    assert emulator.replies() == ["Thanks.", "Thanks.", "Thanks."]


def test_a_message_that_was_removed_before_the_bot_answered_is_not_answered(
    customer_writes, settle, emulator, outcomes
):
    message = customer_writes("hello")
    emulator.remove(message["message_sid"])
    assert emulator.settle()
    settle()

    assert emulator.replies() == []
    assert any(REMOVED in outcome for outcome in outcomes())


def test_the_removal_of_another_message_changes_nothing(customer_writes, settle, emulator):
    first = customer_writes("hello")
    settle()
    customer_writes("hello again")
    emulator.remove(first["message_sid"])
    assert emulator.settle()
    settle()

    assert emulator.replies() == [THANKS, THANKS]
