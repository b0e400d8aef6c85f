"""Whole stories in which the bot is silent: a person has the word, the customer said STOP, or enough was said."""

import json

import pytest

from app.store import messages

THANKS = "Thanks, we will be right back."


@pytest.fixture
def reason(app):
    """Return why a message was or was not answered."""

    def read(message):
        with app.extensions["parley"].db.read() as tx:
            return messages.decision(tx, messages.DecisionKey(message["message_sid"])).reason

    return read


def test_an_agents_message_silences_the_bot(customer_writes, settle, emulator, reason):
    first = customer_writes("hello")
    settle()
    emulator.chat(first["conversation_sid"], "support-agent", "Hi, this is Ann.")
    second = customer_writes("thank you")
    settle()

    assert emulator.replies() == [THANKS]
    assert reason(second).startswith("paused until")


def test_any_chat_identity_beside_an_sms_customer_is_an_agent(customer_writes, settle, emulator, reason):
    first = customer_writes("hello")
    settle()
    emulator.chat(first["conversation_sid"], "ann@example.com", "Hi, this is Ann.")
    second = customer_writes("thank you")
    settle()

    assert reason(second).startswith("paused until")


def test_the_pause_ends_by_itself(customer_writes, settle, emulator, clock):
    first = customer_writes("hello")
    settle()
    emulator.chat(first["conversation_sid"], "support-agent", "Hi, this is Ann.")
    assert emulator.settle()
    settle()
    clock.advance(31 * 60)
    customer_writes("anybody there?")
    settle()

    assert emulator.replies() == [THANKS, THANKS]


def test_an_agent_who_wrote_while_the_message_waited_is_not_interrupted(
    customer_writes, settle, emulator, flask_command
):
    message = customer_writes("hello")
    emulator.chat(message["conversation_sid"], "support-agent", "I am on it.")
    assert emulator.settle()
    settle()

    assert emulator.replies() == []
    outcomes = [event["outcome"] for event in json.loads(flask_command("inbox", "list", "--json"))]
    assert "rule default not sent: a human wrote in the meantime" in outcomes


def test_stop_silences_the_bot_for_that_number_until_start(customer_writes, settle, emulator, reason):
    customer_writes("hello")
    settle()
    customer_writes("STOP")
    settle()
    silent = customer_writes("hello again")
    settle()
    assert reason(silent) == "the recipient has opted out"

    customer_writes("START")
    customer_writes("hello at last")
    settle()
    assert emulator.replies() == [THANKS, THANKS]


def test_a_carrier_that_reports_an_opt_out_silences_the_bot(customer_writes, settle, emulator, reason):
    emulator.carrier("+15550100001", error_code=21610, status="undelivered")
    customer_writes("hello")
    settle()
    second = customer_writes("hello again")
    settle()

    assert reason(second) == "the recipient has opted out"


def test_an_old_message_is_stored_but_not_answered(post_webhook, run_worker, emulator, flask_command):
    post_webhook("onMessageAdded__sms_text", DateCreated="2025-09-17T22:23:11.350Z")
    run_worker()

    (event,) = json.loads(flask_command("inbox", "list", "--json"))
    assert emulator.replies() == []
    assert event["outcome"] == "no reply: the message is older than 1 h"


def test_a_closed_conversation_is_not_answered(customer_writes, settle, emulator, post_webhook, reason):
    message = customer_writes("hello")
    closed = {"ConversationSid": message["conversation_sid"], "StateTo": "closed"}
    post_webhook("onConversationStateUpdated__closed_by_timer", closed)
    settle()
    late = {"ConversationSid": message["conversation_sid"], "MessageSid": "IM" + "9" * 32}
    post_webhook("onMessageAdded__sms_text", late)
    settle()

    assert emulator.replies() == [THANKS]
    assert reason({"message_sid": "IM" + "9" * 32}) == "the conversation is closed"


def test_two_bots_cannot_talk_for_ever(customer_writes, settle, emulator, reason):
    for n in range(6):
        last = customer_writes(f"I am out of office {n}")
        settle()

    assert len(emulator.replies()) == 5
    assert reason(last) == "5 automatic replies within 10 min are enough"


def test_two_machines_that_talk_slowly_and_never_say_the_same_come_to_an_end(
    customer_writes, settle, emulator, passes, reason
):
    for n in range(60):
        message = customer_writes(f"Your request number {n} is important to us.")
        settle()
        passes(3 * 60)

    assert len(emulator.replies()) == 30
    assert reason(message) == "30 automatic replies within 1 d are enough, as when two machines talk (reply_budget)"
