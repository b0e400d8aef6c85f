"""`flask listen`: what arrives and what was decided, as people and programs follow it."""

import json
import os
import re
import signal
import subprocess
import sys
import threading

import pytest

from app.cli.inbox_tail import Follower
from app.config import PROJECT
from app.inbox.queue import NewEvent, add_all
from tests.support.eventually import eventually


@pytest.fixture
def listen(flask_command):
    """Run `flask listen` for a moment and return what it printed."""
    return lambda *arguments: flask_command("listen", "--for", "0", *arguments)


@pytest.fixture
def listen_json(listen):
    """Run `flask listen --json` for a moment and return its objects."""
    return lambda *arguments: [json.loads(line) for line in listen("--json", *arguments).splitlines()]


def event(number, lane="CH" + "1" * 32):
    body = f"EventType=onConversationAdded&ConversationSid={lane}".encode()
    return NewEvent(
        event_key=f"k{number}",
        event_type="onConversationAdded",
        lane=lane,
        source="API",
        method="POST",
        target="/conversations/webhook",
        body=body,
        headers={},
    )


def states(followed):
    return [(one.row.event_type, one.row.state) for one in followed]


def test_what_was_there_before_is_shown_only_when_asked_for(customer_writes, settle, listen):
    customer_writes("hello")
    settle()

    assert listen() == ""
    assert listen("--last", "10").count("onMessageAdded") == 1
    assert listen("--since", "10m").count("onMessageAdded") == 1
    assert listen("--since", "2999-01-01") == ""


def test_a_finished_event_is_two_aligned_lines_without_text_and_numbers(customer_writes, run_worker, listen):
    customer_writes("a secret order")
    run_worker()

    first, second = listen("--last", "10", "--event-type", "onMessageAdded").splitlines()
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC  in   onMessageAdded             \+1555…0001: \(14 characters\)", first
    )
    assert re.fullmatch(
        r" {25}out  processed                  rule order -> \(30 characters\) \(sent\), \d+ ms", second
    )


def test_raw_shows_text_and_numbers(customer_writes, run_worker, listen):
    customer_writes("a secret order")
    run_worker()

    shown = listen("--last", "10", "--raw")
    assert '+15550100001: "a secret order"' in shown
    assert '-> "Please send your order number."' in shown


@pytest.mark.parametrize("channel", ["sms", "whatsapp"])
def test_json_has_one_object_a_line_without_text_and_numbers(customer_writes, run_worker, listen, channel):
    message = customer_writes("a secret order", channel=channel)
    run_worker()

    printed = listen("--last", "10", "--json", "--event-type", "onMessageAdded")
    document = json.loads(printed)
    assert "secret" not in printed
    assert "5550100001" not in printed
    assert document["message_sid"] == message["message_sid"]
    assert (document["state"], document["is_finished"]) == ("processed", True)


def test_json_with_raw_has_every_parameter(customer_writes, listen_json):
    customer_writes("a secret order")

    (document,) = listen_json("--last", "1", "--raw")
    assert document["parameters"]["Body"] == "a secret order"


def test_raw_text_stays_on_its_line_and_cannot_steer_the_terminal(customer_writes, listen):
    customer_writes("two\nlines \x1b[2J")

    assert '+15550100001: "two lines �[2J"' in listen("--last", "1", "--raw")


def test_an_identity_is_masked_too(customer_writes, emulator, listen):
    message = customer_writes("hello")
    emulator.chat(message["conversation_sid"], "carla@example.com", "hi")
    emulator.settle()

    shown = listen("--last", "10")
    assert "carla" not in shown
    assert "ca…" in shown


def test_an_event_is_shown_when_it_is_stored_and_again_when_it_is_finished(customer_writes, run_worker, db):
    follower = Follower(db, raw=False, wants=lambda row: row.event_type == "onMessageAdded")
    customer_writes("hello")

    assert states(follower.steps()) == [("onMessageAdded", "pending")]
    assert states(follower.steps()) == []
    run_worker()
    assert states(follower.steps()) == [("onMessageAdded", "processed")]
    assert states(follower.steps()) == []


def test_an_event_that_waits_is_called_stored(customer_writes, listen):
    customer_writes("hello")

    assert re.search(r"out  stored +waits for a worker$", listen("--last", "1"), re.MULTILINE)


def test_a_refused_reply_says_when_it_is_tried_again(customer_writes, run_worker, emulator, listen):
    emulator.faults(fail_next=[{"status": 503, "method": "POST"}])
    customer_writes("hello")
    run_worker()

    shown = listen("--last", "10", "--state", "scheduled")
    assert re.search(r"out  stored +again at \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC, 1 attempts so far: ", shown)


def test_the_state_filter_counts_for_what_is_finished_later(customer_writes, run_worker, db):
    follower = Follower(db, wants=lambda row: row.state == "processed")
    customer_writes("hello")

    assert states(follower.steps()) == []
    run_worker()
    assert ("onMessageAdded", "processed") in states(follower.steps())


def test_one_conversation_can_be_followed_with_its_receipts(customer_writes, run_worker, emulator, listen_json):
    message = customer_writes("hello")
    customer_writes("hello", sender="+15550100002")
    run_worker()
    emulator.settle()

    documents = listen_json("--last", "50", "--conversation", message["conversation_sid"])
    assert {document["conversation_sid"] for document in documents} == {message["conversation_sid"]}
    assert {"onMessageAdded", "onDeliveryUpdated"} <= {document["event_type"] for document in documents}


def test_more_events_than_are_asked_for_at_once_all_appear_once_in_order(db):
    with db.write() as tx:
        add_all(db, tx, [event(number) for number in range(450)])

    seen = [one.row.id for one in Follower(db).steps()]
    assert len(seen) == 450
    assert seen == sorted(seen)


@pytest.mark.engines("postgresql")  # SQLite has one writer at a time
def test_an_event_that_becomes_visible_after_a_later_one_is_not_missed(db):
    follower = Follower(db)
    with db.write() as slow:
        add_all(db, slow, [event(1)])
        with db.write() as quick:
            add_all(db, quick, [event(2, "CH" + "2" * 32)])
        before = [one.row.event_key for one in follower.steps()]

    assert before == ["k2"]
    assert [one.row.event_key for one in follower.steps()] == ["k1"]


@pytest.mark.engines("sqlite")
def test_it_follows_until_it_is_interrupted(environ, customer_writes):
    command = [sys.executable, "-m", "flask", "listen", "--json", "--last", "1"]
    customer_writes("hello")
    with subprocess.Popen(command, cwd=PROJECT, env={**os.environ, **environ}, stdout=subprocess.PIPE, text=True) as it:
        assert it.stdout is not None
        lines: list[str] = [it.stdout.readline()]
        reader = threading.Thread(target=lambda: lines.extend(it.stdout or ()))
        reader.start()
        customer_writes("hello again")
        assert eventually(lambda: len(lines) == 2)
        it.send_signal(signal.SIGINT)
        assert it.wait(timeout=60) == 0
        reader.join()

    assert [json.loads(line)["event_type"] for line in lines] == ["onMessageAdded", "onMessageAdded"]


BAD_INPUT = {
    "misspelt type": (["--event-type", "onMessageAdd"], "did you mean onMessageAdded?"),
    "misspelt state": (["--state", "procesed"], "'procesed' is unknown; did you mean processed?"),
    "no conversation": (["--conversation", "CH1"], "'CH1' is not CH and 32 hexadecimal digits"),
    "no time": (["--since", "yesterday"], "'yesterday' is no time; write 10m"),
    "two beginnings": (["--since", "1h", "--last", "3"], "use one of them"),
    "last none": (["--last", "0"], "0 is not in the range"),
    "less than no time": (["--for", "-1"], "-1"),
}


@pytest.mark.parametrize(("arguments", "sentence"), BAD_INPUT.values(), ids=BAD_INPUT)
@pytest.mark.engines("sqlite")
def test_bad_input_is_named(arguments, sentence, app):
    result = app.test_cli_runner().invoke(args=["listen", *arguments])

    assert result.exit_code == 2
    assert sentence in result.stderr


def test_a_database_without_tables_says_what_to_do(tmp_path):
    environ = {"DATABASE_URL": f"sqlite:///{tmp_path}/parley.db"}
    (tmp_path / "parley.db").touch()
    result = subprocess.run(
        [sys.executable, "-m", "flask", "listen", "--for", "0"],
        cwd=PROJECT,
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert result.returncode == 1
    assert "flask db upgrade" in result.stderr
