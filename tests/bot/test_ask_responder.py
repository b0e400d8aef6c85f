"""The responder is asked where no rule matched: one answer or one fallback, whatever it does."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from app.responder import Reply
from tests.support.responders import FALLBACK, RULES, decision, environ, responds, rules_file, said

pytestmark = pytest.mark.engines("sqlite")

__all__ = ["decision", "environ", "responds", "rules_file", "said"]
SECRET = "the customer said 1234"


def fail(message, context):
    raise ValueError(SECRET)


def leave(message, context):
    raise SystemExit(SECRET)


@pytest.mark.parametrize(
    ("function", "replies", "code", "reason"),
    [
        pytest.param(
            lambda message, context: f"You wrote: {message.text}",
            ["You wrote: hello"],
            "replied",
            "no rule matched; BOT_RESPONDER answered",
            id="text",
        ),
        pytest.param(
            lambda message, context: Reply("Yes."),
            ["Yes."],
            "replied",
            "no rule matched; BOT_RESPONDER answered",
            id="reply",
        ),
        pytest.param(
            lambda message, context: None,
            [],
            "no answer",
            "no rule matched, and BOT_RESPONDER had no answer",
            id="none",
        ),
        pytest.param(
            lambda message, context: "",
            [],
            "no answer",
            "no rule matched, and BOT_RESPONDER had no answer",
            id="empty text",
        ),
        pytest.param(
            fail,
            [FALLBACK],
            "responder failed",
            "BOT_RESPONDER failed: ValueError at test_ask_responder.py:{line} in fail",
            id="error",
        ),
        pytest.param(
            leave,
            [FALLBACK],
            "responder failed",
            "BOT_RESPONDER failed: SystemExit at test_ask_responder.py:{line} in leave",
            id="exit",
        ),
        pytest.param(
            lambda message, context: 42,
            [FALLBACK],
            "responder failed",
            "BOT_RESPONDER failed: returned int; return a Reply, a text or None (see docs/responders.md)",
            id="something else",
        ),
    ],
)
def test_what_the_responder_returns_decides_what_the_customer_reads(
    arrives, responds, run_worker, emulator, decision, function, replies, code, reason
):
    responds(function)
    message = arrives("hello")
    run_worker()
    made = decision(message)

    assert emulator.replies() == replies
    assert (made.code, made.rule) == (code, "BOT_RESPONDER")
    assert made.reason == reason.format(line=function.__code__.co_firstlineno + 1)


def test_a_rule_that_matches_is_not_put_to_the_responder(arrives, responds, run_worker, emulator):
    asked = []
    responds(lambda message, context: asked.append(message.text))
    arrives("my order")
    run_worker()

    assert emulator.replies() == ["Please send your order number."]
    assert asked == []


def test_who_opted_out_is_not_put_to_the_responder(arrives, responds, run_worker, emulator):
    asked = []
    responds(lambda message, context: asked.append(message.text))
    arrives("STOP")
    arrives("are you there?")
    run_worker()

    assert (emulator.replies(), asked) == ([], [])


def test_the_trace_ends_with_the_responder(arrives, responds, run_worker, decision):
    responds(lambda message, context: None)
    message = arrives("hello")
    run_worker()

    assert decision(message).tried == [["order", "none of its keywords"], ["BOT_RESPONDER", "no answer"]]


def test_the_responder_is_told_what_is_known(customer_writes, responds, settle, clock):
    asked = []
    responds(lambda message, context: asked.append((message, context)) or "Yes.")
    first = customer_writes("Is my bike ready?")
    settle()
    customer_writes("And my helmet?")
    settle()
    message, context = asked[-1]

    assert (message.text, message.author, message.by) == ("And my helmet?", "+15550100001", "customer")
    assert message.texts == ("And my helmet?",)
    assert abs(message.at - clock()) < timedelta(seconds=10)
    assert context.conversation_sid == first["conversation_sid"]
    assert (context.channel, context.is_open, context.now.tzinfo.key) == ("sms", True, "Europe/Berlin")
    assert [one[1].first_contact for one in asked] == [True, False]
    assert [(one.by, one.text) for one in context.recent if one.text] == [
        ("customer", "Is my bike ready?"),
        ("bot", "Yes."),
    ]


def test_at_most_twenty_earlier_messages_are_told_oldest_first(arrives, responds, run_worker, rules_file):
    asked = []
    rules_file.write_text('[[rule]]\nname = "number"\nwhen = { keywords = ["number"] }\nstop = true')
    responds(lambda message, context: asked.append([one.text for one in context.recent]))
    for n in range(24):
        arrives(f"number {n}")
    arrives("hello")
    run_worker()

    assert asked == [[f"number {n}" for n in range(4, 24)]]


def test_the_words_of_an_error_are_neither_logged_nor_stored(arrives, responds, run_worker, said, flask_command, capfd):
    responds(fail)
    arrives("hello")
    run_worker()

    assert [line for line, _ in said()] == ["responder.failed"]
    assert SECRET not in capfd.readouterr().err + str(said()) + flask_command("inbox", "list", "--json")


def test_a_hand_over_is_said_and_silences_the_bot(arrives, responds, run_worker, emulator):
    responds(lambda message, context: Reply("A colleague takes over.", hand_over=True))
    arrives("hello")
    run_worker()
    arrives("my order")
    run_worker()

    assert emulator.replies() == ["A colleague takes over."]


def test_a_file_beside_the_rules_is_sent_with_the_answer(arrives, responds, run_worker, emulator, rules_file):
    (rules_file.parent / "menu.pdf").write_bytes(b"%PDF-1.4 lunch")
    responds(lambda message, context: Reply("Today:", media="menu.pdf"))
    arrives("hello")
    run_worker()
    (answer,) = [one for one in emulator.messages() if one["author"] == "support-bot"]

    assert (answer["body"], [one["filename"] for one in answer["media"]]) == ("Today:", ["menu.pdf"])


def test_a_burst_is_one_question(arrives, responds, run_worker, emulator, rules_file, clock):
    rules_file.write_text(RULES.replace("[bot]", '[bot]\ncoalesce = "2s"'))
    asked = []
    responds(lambda message, context: asked.append(message.texts) or "Yes.")
    arrives("hello")
    arrives("are you there?")
    clock.advance(3)
    run_worker()

    assert (asked, emulator.replies()) == ([("hello", "are you there?")], ["Yes."])


def test_a_fallback_that_is_empty_says_nothing(arrives, responds, run_worker, emulator, decision, rules_file):
    rules_file.write_text(RULES.replace(FALLBACK, ""))
    responds(fail)
    message = arrives("hello")
    run_worker()

    assert emulator.replies() == []
    assert decision(message).code == "responder failed"


def test_a_fallback_is_a_template(arrives, responds, run_worker, emulator, rules_file):
    rules_file.write_text(RULES.replace(FALLBACK, "We are {{ hours }}, {{ author }}."))
    responds(fail)
    arrives("hello")
    run_worker()

    assert emulator.replies() == ["We are open, +15550100001."]


def test_without_a_responder_nobody_is_asked(arrives, app, run_worker, emulator, decision):
    parley = app.extensions["parley"]
    parley.settings = replace(parley.settings, bot_responder="")
    message = arrives("hello")
    run_worker()

    assert (emulator.replies(), decision(message).code) == ([], "no rule")


def test_the_responder_knows_what_the_channel_tells_beside_the_text(arrives, responds, run_worker, emulator):
    seen = []
    responds(lambda message, context: seen.append(message))
    metadata = {"type": "whatsapp", "data": {"context": {"ProfileName": "Ann"}}}
    arrives(
        "Yes",
        ButtonText="Yes",
        ButtonPayload="confirm",
        ChannelMetadata=json.dumps(metadata),
        Media='[{"Sid": "ME00000000000000000000000000000009", "ContentType": "audio/ogg; codecs=opus", "Size": 1}]',
    )
    run_worker()

    (message,) = seen
    assert (message.button, message.button_payload, message.profile_name) == ("Yes", "confirm", "Ann")
    assert (message.media_type, message.channel_metadata) == ("audio/ogg", metadata)
