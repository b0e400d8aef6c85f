"""`flask conversations pause` and `resume`: the bot is silent in one conversation, then speaks again."""

import re
from datetime import datetime, timedelta

import pytest

UNKNOWN = "CH" + "9".zfill(32)


@pytest.fixture
def conversation(customer_writes, run_worker):
    """A conversation in which the bot has answered once."""
    sid = customer_writes("hello")["conversation_sid"]
    run_worker()
    return sid


def test_a_paused_bot_is_silent_until_it_is_resumed(conversation, flask_command, customer_writes, run_worker, emulator):
    flask_command("conversations", "pause", conversation)
    customer_writes("order")
    run_worker()
    while_paused = len(emulator.replies())
    flask_command("conversations", "resume", conversation)
    customer_writes("order")
    run_worker()

    assert while_paused == 1
    assert emulator.replies()[1:] == ["Please send your order number."]


def test_a_pause_ends_by_itself(conversation, flask_command, customer_writes, run_worker, emulator, clock):
    flask_command("conversations", "pause", conversation, "--for", "2h")
    clock.advance(7201)
    emulator.advance(7201)
    customer_writes("order")
    run_worker()

    assert emulator.replies()[1:] == ["Please send your order number."]


def test_it_says_until_when(conversation, flask_command, in_json, clock):
    paused = in_json("conversations", "pause", conversation, "--for", "30m")
    said = flask_command("conversations", "pause", conversation, "--for", "2h")

    assert (paused["conversation_sid"], paused["paused_why"]) == (conversation, "paused by an operator")
    assert timedelta(minutes=29) < datetime.fromisoformat(paused["paused_until"]) - clock() <= timedelta(minutes=30)
    assert re.fullmatch(rf"The bot is silent in {conversation} until 20\d\d-\d\d-\d\d \d\d:\d\d:\d\d UTC.\n", said)


def test_a_pause_without_an_end_stays_when_a_shorter_one_is_asked_for(conversation, flask_command):
    forever = f"The bot is silent in {conversation} until `flask conversations resume`.\n"

    assert flask_command("conversations", "pause", conversation) == forever
    assert flask_command("conversations", "pause", conversation, "--for", "1m") == forever


def test_a_conversation_is_shown_as_paused(conversation, flask_command, in_json):
    flask_command("conversations", "pause", conversation)

    said = flask_command("conversations", "show", conversation)
    assert "  bot                  silent until `flask conversations resume`, paused by an operator\n" in said
    assert in_json("conversations", "show", conversation)["bot"]["paused_why"] == "paused by an operator"


def test_a_conversation_no_webhook_has_mentioned_can_be_paused(flask_command, emulator):
    said = flask_command("conversations", "pause", UNKNOWN)

    assert said.endswith("No webhook has mentioned this conversation so far; the pause holds all the same.\n")
    assert "silent until" in flask_command("conversations", "resume", UNKNOWN)
    assert emulator.requests() == []


def test_resuming_a_bot_that_speaks_says_so(conversation, flask_command, in_json):
    assert flask_command("conversations", "resume", conversation) == f"The bot was not paused in {conversation}.\n"
    assert in_json("conversations", "resume", conversation) == {
        "conversation_sid": conversation,
        "paused_until": None,
        "was_paused": False,
    }


def test_a_unique_name_is_looked_up(in_json, flask_command):
    sid = in_json("conversations", "create", "--unique-name", "order-42")["sid"]

    assert in_json("conversations", "pause", "order-42")["conversation_sid"] == sid
    assert flask_command("conversations", "resume", "order-42").startswith(f"The bot speaks again in {sid};")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        pytest.param(
            ["pause", UNKNOWN, "--for", "2 hours"],
            "'2 hours' is no length of time; write a number and a unit, like 30m, 2h or 1d",
            id="words",
        ),
        pytest.param(
            ["pause", UNKNOWN, "--for", "0m"],
            "'0m' is no length of time; write a number and a unit, like 30m, 2h or 1d",
            id="nothing",
        ),
        pytest.param(
            ["resume", "CH/../x"],
            "the conversation 'CH/../x' cannot stand in a URL as it is; give its SID (CH...) instead",
            id="a path",
        ),
    ],
)
def test_bad_input_is_refused(refused, emulator, arguments, sentence):
    assert refused("conversations", *arguments) == f"Error: {sentence}\n"
    assert emulator.requests() == []
