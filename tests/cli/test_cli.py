"""The commands operators type: what they print, what they leave out, and how they end."""

import json
import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from app.config import PROJECT


@pytest.fixture
def fail(app):
    """Run a `flask` command that must fail and return its exit code and what it said."""

    def run(*arguments):
        result = app.test_cli_runner().invoke(args=list(arguments))
        assert result.exit_code != 0, result.output
        return result.exit_code, result.output

    return run


@pytest.fixture
def dead_event(customer_writes, run_worker, emulator):
    """An event that ended dead because Twilio refused the reply."""
    emulator.faults(fail_next=[{"status": 400, "code": 50513, "method": "POST"}])
    message = customer_writes("hello")
    run_worker()
    return message


def test_an_empty_inbox_says_so(flask_command):
    assert flask_command("inbox", "list") == "No such event.\n"


def test_stats_count_every_event_in_one_state(customer_writes, flask_command, run_worker, emulator):
    customer_writes("hello")
    before = json.loads(flask_command("inbox", "stats", "--json"))
    run_worker()
    emulator.settle()  # its receipts have come
    run_worker()
    after = json.loads(flask_command("inbox", "stats", "--json"))

    nothing = {"pending": 0, "scheduled": 0, "processing": 0, "processed": 0, "ignored": 0, "dead": 0}
    assert before == nothing | {"pending": 3}
    assert after["processed"] >= 3
    assert after["pending"] == after["processing"] == after["dead"] == 0


def test_the_list_is_a_table_without_text_or_numbers(customer_writes, flask_command, run_worker):
    customer_writes("a secret")
    run_worker()

    listed = flask_command("inbox", "list")
    assert re.search(r"^ID +RECEIVED AT +EVENT TYPE +STATE +ATTEMPTS +OUTCOME$", listed, re.MULTILINE)
    assert "a secret" not in listed
    assert "+1555" not in listed


def test_an_event_is_shown_without_text_and_numbers_unless_asked(customer_writes, flask_command):
    customer_writes("a secret")

    shown = flask_command("inbox", "show", "3")
    assert "onMessageAdded" in shown
    assert "a secret" not in shown
    assert "+1555" not in shown
    assert "a secret" in flask_command("inbox", "show", "3", "--raw")


def test_an_event_that_is_not_there_is_named(fail):
    code, said = fail("inbox", "show", "42")

    assert (code, said) == (1, "Error: there is no event 42; `flask inbox list` shows what there is\n")


def test_a_dead_event_says_why_and_can_be_retried(dead_event, flask_command, run_worker, emulator, clock):
    (event,) = json.loads(flask_command("inbox", "list", "--state", "dead", "--json"))
    assert event["outcome"].startswith("in a group MMS the author must be a participant")
    flask_command("inbox", "retry", str(event["id"]))
    clock.advance(3)  # what was tried just now is looked for at Twilio a little later
    run_worker()

    assert emulator.replies() == ["Thanks, we will be right back."]
    assert json.loads(flask_command("inbox", "stats", "--json"))["dead"] == 0


def test_what_is_not_dead_is_not_retried(customer_writes, fail):
    customer_writes("hello")

    code, said = fail("inbox", "retry", "3")
    assert code == 1
    assert "not dead, or unknown, so left alone: 3" in said


def test_retry_wants_to_know_what(fail):
    assert fail("inbox", "retry")[0] == 2


def test_purging_deletes_what_is_finished_and_old_and_keeps_what_is_dead(dead_event, flask_command, clock):
    clock.advance(timedelta(days=31).total_seconds())

    assert json.loads(flask_command("inbox", "purge", "--dry-run", "--json"))["older"] == 2
    flask_command("inbox", "purge", "--yes")
    left = json.loads(flask_command("inbox", "list", "--json"))
    assert [event["state"] for event in left] == ["dead"]


def test_purging_asks_first(customer_writes, run_worker, clock, fail):
    customer_writes("hello")
    run_worker()
    clock.advance(timedelta(days=31).total_seconds())

    assert re.search(r"Delete \d events finished more than 30 days ago\?", fail("inbox", "purge")[1])


def test_a_purged_message_is_not_answered_again(
    customer_writes, run_worker, clock, flask_command, emulator, post_webhook
):
    message = customer_writes("hello")
    run_worker()
    clock.advance(timedelta(days=31).total_seconds())
    flask_command("inbox", "purge", "--yes")
    sids = {"MessageSid": message["message_sid"], "ConversationSid": message["conversation_sid"]}
    post_webhook("onMessageAdded__sms_text", sids)
    run_worker()

    assert emulator.replies() == ["Thanks, we will be right back."]


def test_a_delivery_that_is_not_known_is_named(fail):
    code, said = fail("deliveries", "show", "IM" + "0" * 32)

    assert code == 1
    assert "no delivery of IM0000" in said


def test_looking_into_a_database_that_is_not_there_says_what_to_do_and_makes_none(tmp_path):
    result = flask(tmp_path, "inbox", "list")

    assert result.returncode == 1
    assert "there is no database" in result.stderr
    assert "flask db upgrade" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_database_without_tables_says_what_to_do(tmp_path):
    (tmp_path / "parley.db").touch()
    result = flask(tmp_path, "inbox", "list")

    assert result.returncode == 1
    assert "flask db upgrade" in result.stderr


def test_the_schema_is_made_by_the_release_command(tmp_path):
    assert "is up to date" in flask(tmp_path, "db", "upgrade").stdout
    assert flask(tmp_path, "inbox", "list").stdout == "No such event.\n"


@pytest.mark.parametrize(
    ("words", "completed"),
    [
        pytest.param(["flask", "conversations", "p"], "plain,pause", id="a command"),
        pytest.param(["flask", "deliveries", "list", "--status", "u"], "plain,undelivered", id="a choice"),
    ],
)
def test_the_shell_can_complete(words, completed):
    asked = {"_FLASK_COMPLETE": "bash_complete", "COMP_WORDS": " ".join(words), "COMP_CWORD": str(len(words) - 1)}
    program = Path(sys.executable).with_name("flask")
    answer = subprocess.run([program], cwd=PROJECT, env=asked, capture_output=True, text=True, timeout=60, check=False)

    assert answer.stdout.split() == [completed]


def test_a_worker_names_everything_that_keeps_it_from_starting(tmp_path):
    result = flask(tmp_path, "worker", TWILIO_ACCOUNT_SID="AC1", BOT_WORKER_THREADS="many", BOT_RULES="/no/such/file")

    assert result.returncode == 1
    for setting in ("TWILIO_ACCOUNT_SID", "BOT_WORKER_THREADS", "TWILIO_AUTH_TOKEN", "BOT_RULES"):
        assert setting in result.stderr


def test_help_needs_no_settings(tmp_path):
    assert "inbox" in flask(tmp_path, "--help").stdout


@pytest.mark.slow
def test_the_story_of_the_demo_goes_as_it_should(free_port):
    result = flask(None, "dev", "--story", "--once", "--port", str(free_port()), "--emulator-port", str(free_port()))

    assert result.returncode == 0, result.stdout + result.stderr
    for call in ("Addresses  Type=sms", "Addresses  Type=whatsapp", "Webhooks  Method=POST Filters="):
        assert f"  POST /v1/Configuration/{call}" in result.stdout
    assert "`flask addresses create --address +15550100099 --enabled`, `flask webhooks point`" in result.stdout
    assert "rule order status" in result.stdout
    assert "(silent: the message is an opt-out word)" in result.stdout


def flask(folder, *arguments, **environ):
    """Run a `flask` command in a process of its own, with no settings but these."""
    database = {"DATABASE_URL": f"sqlite:///{folder}/parley.db"} if folder else {}
    return subprocess.run(
        [sys.executable, "-m", "flask", *arguments],
        cwd=PROJECT,
        env={**database, **environ},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_an_unknown_type_of_event_is_answered_with_those_that_we_know(app):
    run = app.test_cli_runner().invoke
    near, far = (run(args=["inbox", "list", "--event-type", name]) for name in ("onMesageAdded", "nonsense"))

    assert (near.exit_code, far.exit_code) == (2, 2)
    assert "'onMesageAdded' is unknown; did you mean onMessageAdded?" in near.output
    assert "'nonsense' is unknown; known are " in far.output and "onDeliveryUpdated" in far.output


def test_a_type_that_only_twilio_knows_is_listed_where_such_events_are(app, flask_command, post_webhook):
    post_webhook("onPollAnswered__unknown_type")

    assert "onPollAnswered" in flask_command("inbox", "list", "--event-type", "onPollAnswered")
