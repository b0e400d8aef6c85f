"""`flask messages history`, `export`, `show` and `delete`, as an operator types them."""

import json
import os
import signal
import subprocess
import sys

import pytest

from app.config import PROJECT
from app.operations import history

CUSTOMER = "+15550100001"


@pytest.fixture
def conversation(emulator):
    """A conversation that a customer began by SMS."""
    return emulator.inbound("hello")["conversation_sid"]


@pytest.fixture
def reply(account, conversation):
    """Say something in the conversation as the bot and return the message's SID."""

    def say(body="hi", **more):
        return account.ask(
            lambda v1: v1.conversations(conversation).messages.create(author="support-bot", body=body, **more)
        ).sid

    return say


@pytest.fixture
def fail(app):
    def run(*arguments):
        result = app.test_cli_runner().invoke(args=["messages", *arguments])
        assert result.exit_code == 1, result.output
        return result.output

    return run


def test_the_history_is_a_table_with_the_oldest_first(conversation, reply, emulator, flask_command):
    reply("Good\nmorning")
    emulator.inbound(None, media=[{"content_type": "image/jpeg", "filename": "photo.jpg", "content": "AAAA"}])
    emulator.settle()
    lines = flask_command("messages", "history", conversation).splitlines()

    assert lines[0].split() == ["TIME", "AUTHOR", "TEXT", "MEDIA", "DELIVERY"]
    assert [line.split()[3:] for line in lines[1:]] == [
        [CUSTOMER, "hello"],
        ["support-bot", "Good", "morning", "delivered"],
        [CUSTOMER, "photo.jpg"],
    ]


def test_the_history_in_json_has_twilios_fields(conversation, flask_command):
    (message,) = json.loads(flask_command("messages", "history", conversation, "--json"))

    assert {"sid", "index", "author", "body", "media", "attributes", "delivery", "date_created"} <= message.keys()
    assert (message["author"], message["body"], message["index"]) == (CUSTOMER, "hello", 0)


def test_the_limit_leaves_out_the_older_ones(conversation, reply, flask_command):
    [reply(f"message {n}") for n in range(3)]
    found = json.loads(flask_command("messages", "history", conversation, "--limit", "2", "--json"))

    assert [message["body"] for message in found] == ["message 1", "message 2"]


def test_what_could_steer_a_terminal_is_not_shown(emulator, flask_command):
    conversation = emulator.inbound("\x1b[2Jboo\x9b31m")["conversation_sid"]
    shown = flask_command("messages", "history", conversation)

    assert "boo" in shown
    assert "\x1b" not in shown
    assert "\x9b" not in shown


def test_a_conversation_without_messages_says_so(account, flask_command):
    account.ask(lambda v1: v1.conversations.create(unique_name="order-7"))

    assert flask_command("messages", "history", "order-7") == "Nothing was said yet.\n"


@pytest.mark.parametrize("command", [["history"], ["export"], ["history", "--follow"]])
def test_a_conversation_that_is_not_there_is_named(fail, command, emulator):
    assert "there is no conversation order-8" in fail(*command, "order-8")


@pytest.mark.parametrize(
    ("delivery", "expected"),
    [
        (None, ""),
        ({"total": 1, "sent": "none"}, "on its way"),
        ({"total": 1, "sent": "all", "delivered": "none"}, "sent"),
        ({"total": 2, "sent": "all", "delivered": "some"}, "delivered to some"),
        ({"total": 1, "sent": "all", "delivered": "all", "read": "all"}, "read"),
        ({"total": 2, "sent": "all", "delivered": "some", "undelivered": "some"}, "undelivered to some"),
        ({"total": 1, "failed": "all"}, "failed"),
    ],
)
def test_the_delivery_state_is_a_word_or_two(delivery, expected):
    assert history.delivery_state({"delivery": delivery}) == expected


class Enough(Exception):
    """The test has seen what it wanted to see."""


def followed(account, conversation, *steps, limit=50, **more):
    """Follow a conversation while each step happens between two looks; return what was shown then."""
    shown, left, waits = [], list(steps), []

    def wait(seconds):
        waits.append(seconds)
        if not left:
            raise Enough
        left.pop(0)()

    found = history.recent(account, conversation, limit=limit)
    with pytest.raises(Enough):
        for message in history.follow(account, conversation, found, wait=wait, **more):
            shown.append((message["body"], history.delivery_state(message)))
    return shown, waits


def test_following_shows_what_comes_once(account, conversation, emulator):
    shown, waits = followed(
        account, conversation, lambda: emulator.inbound("one"), lambda: None, lambda: emulator.inbound("two")
    )

    assert shown == [("one", ""), ("two", "")]
    assert waits == [2.0] * 4


def test_following_shows_a_message_again_when_its_receipt_comes(account, conversation, reply, emulator):
    reply("hi")
    emulator.carrier(CUSTOMER, status="sent")
    emulator.settle()
    shown, _ = followed(
        account, conversation, lambda: reply("bye"), emulator.settle, lambda: emulator.edit(first(emulator), "HELLO")
    )

    assert shown[-1] == ("HELLO", "")
    assert ("bye", "sent") in shown
    assert ("hi", "delivered") not in shown


def first(emulator):
    return emulator.messages()[0]["sid"]


def test_following_does_not_show_what_was_there_and_not_asked_for(account, conversation, reply):
    [reply(f"message {n}") for n in range(4)]
    shown, _ = followed(account, conversation, lambda: reply("new"), limit=1)

    assert [body for body, _ in shown if body != "message 3"] == ["new"]


def test_following_misses_nothing_when_much_comes_at_once(account, conversation, emulator):
    shown, _ = followed(account, conversation, lambda: [emulator.inbound(f"message {n}") for n in range(120)])

    assert [body for body, _ in shown] == [f"message {n}" for n in range(120)]


def test_following_goes_on_after_an_outage_and_asks_less_often(account, conversation, emulator):
    complaints = []
    broken = [{"status": 503, "method": "GET", "count": 2}]
    shown, waits = followed(
        account,
        conversation,
        lambda: emulator.faults(fail_next=broken),
        lambda: emulator.inbound("one"),
        lambda: None,
        complain=complaints.append,
    )

    assert shown == [("one", "")]
    assert waits == [2.0, 4.0, 8.0, 2.0]
    assert complaints == ["Twilio has a fault (20503)"] * 2


def test_ctrl_c_ends_following_without_an_error(environ, conversation, emulator):
    command = [sys.executable, "-m", "flask", "messages", "history", conversation, "--follow", "--json"]
    process = subprocess.Popen(
        command, cwd=PROJECT, env={**os.environ, **environ}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert json.loads(process.stdout.readline())["body"] == "hello"
    emulator.inbound("one")
    assert json.loads(process.stdout.readline())["body"] == "one"
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=60)

    assert (process.returncode, output, errors) == (0, "", "")


def test_the_export_has_every_message_once_with_the_oldest_first(conversation, emulator, app, tmp_path):
    [emulator.inbound(f"message {n}") for n in range(250)]
    path = tmp_path / "history.jsonl"
    result = app.test_cli_runner().invoke(args=["messages", "export", conversation, "--out", str(path)])

    bodies = [json.loads(line)["body"] for line in path.read_text().splitlines()]
    assert bodies == ["hello", *(f"message {n}" for n in range(250))]
    assert "Exporting: 200 of 251" in result.stderr
    assert "251 messages in" in result.stderr
    assert list(tmp_path.glob("*.part")) == []


def test_the_export_goes_to_standard_output_otherwise(conversation, flask_command):
    (line,) = flask_command("messages", "export", conversation).splitlines()

    assert json.loads(line)["body"] == "hello"


def test_an_export_that_fails_leaves_no_file(conversation, emulator, fail, tmp_path):
    [emulator.inbound(f"message {n}") for n in range(120)]
    emulator.faults(fail_next=[{"status": 500, "method": "GET", "count": 9}])

    assert "Twilio has a fault" in fail("export", conversation, "--out", str(tmp_path / "history.jsonl"))
    assert list(tmp_path.glob("history*")) == []


def test_an_export_into_a_folder_that_is_not_there_is_refused(conversation, fail, tmp_path):
    assert "give another --out" in fail("export", conversation, "--out", str(tmp_path / "none" / "history.jsonl"))


def test_a_message_is_shown_with_the_meaning_of_its_receipts(conversation, reply, emulator, flask_command):
    emulator.carrier(CUSTOMER, error_code=30003)
    message_sid = reply("hi")
    emulator.settle()
    shown = flask_command("messages", "show", conversation, message_sid)
    document = json.loads(flask_command("messages", "show", conversation, message_sid, "--json"))

    assert "delivery:   undelivered" in shown
    assert "30003 the handset cannot be reached" in shown
    assert (document["body"], document["delivery_receipts"][0]["error_code"]) == ("hi", 30003)


def test_a_message_that_our_database_knows_needs_no_conversation(customer_writes, run_worker, flask_command):
    message_sid = customer_writes("hello")["message_sid"]
    run_worker()

    assert "text:       hello" in flask_command("messages", "show", message_sid)


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        pytest.param(["IM" + "9" * 32], "name its conversation too", id="unknown here"),
        pytest.param(["order-7"], "begins with IM", id="no message SID"),
        pytest.param(["CH" + "1" * 32, "IM1"], "begins with IM", id="a bad message SID"),
        pytest.param(["a/b", "IM" + "1" * 32], "cannot stand in a URL", id="a bad name"),
        pytest.param(["CH" + "1" * 32, "IM" + "1" * 32], "there is no message", id="not there"),
    ],
)
def test_a_message_that_cannot_be_meant_is_refused(emulator, fail, names, sentence):
    assert sentence in fail("show", *names)
    assert sentence in fail("delete", *names, "--yes")


def test_deleting_asks_first(conversation, reply, emulator, app):
    message_sid = reply("oops")
    result = app.test_cli_runner().invoke(args=["messages", "delete", conversation, message_sid], input="n\n")

    assert result.exit_code == 1
    assert f"Delete message {message_sid} (support-bot, " in result.output
    assert len(emulator.messages(conversation)) == 2


def test_a_deleted_message_is_gone(conversation, reply, emulator, flask_command):
    message_sid = reply("oops")

    assert flask_command("messages", "delete", conversation, message_sid, "--yes") == f"Deleted {message_sid}.\n"
    assert [message["body"] for message in emulator.messages(conversation)] == ["hello"]
