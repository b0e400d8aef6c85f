"""`flask deliveries`: who of us sent a message, and what became of it, with day and zone."""

import json
import re

import pytest

from tests.support.webhook_receiver import sdk_client

pytestmark = pytest.mark.engines("sqlite")
NUMBER, PHONE = "+15550100099", "+15550100007"


@pytest.fixture
def rows(flask_command, settle, emulator, webhooks_arrive):
    """The deliveries, the oldest first, once all has arrived."""

    def listed():
        emulator.settle()
        settle()
        return json.loads(flask_command("deliveries", "list", "--json"))[::-1]

    return listed


def test_what_our_commands_sent_is_ours(flask_command, rows):
    made = json.loads(
        flask_command("conversations", "create", "--sms", PHONE, "--proxy-address", NUMBER, "--body", "Hello", "--json")
    )
    flask_command("messages", "send", made["sid"], "--body", "Your table is ready.")

    assert [row["sent_by"] for row in rows()] == ["a command", "a command"]


def test_what_another_program_sent_is_not(customer_writes, rows, emulator):
    written = customer_writes("My order?", sender=PHONE)
    v1 = sdk_client(emulator.url).conversations.v1
    rows()  # the bot has answered
    v1.conversations(written["conversation_sid"]).messages.create(body="From elsewhere", author="elsewhere")

    assert [row["sent_by"] for row in rows()] == ["rule order", "not us"]


def test_times_have_day_and_zone(customer_writes, flask_command, rows):
    customer_writes("My order?", sender=PHONE)
    (row,) = rows()

    assert re.search(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC  IM", flask_command("deliveries", "list"), re.MULTILINE)
    shown = flask_command("deliveries", "show", row["message_sid"])
    assert re.search(r"^  \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC  delivered", shown, re.MULTILINE)


def test_a_later_success_takes_the_advice_on_a_failure_away(customer_writes, emulator, flask_command, rows):
    emulator.carrier(PHONE, status="undelivered", error_code=30003)
    customer_writes("My order?", sender=PHONE)
    (failed,) = rows()
    emulator.post(
        emulator.webhooks()[-1]["form"] | {"Status": "delivered", "ErrorCode": "0"},
        url=emulator.webhooks()[-1]["url"],
    )
    (arrived,) = rows()

    assert "the handset cannot be reached" in failed["meaning"]
    assert (arrived["status"], arrived["meaning"], arrived["detail"]) == ("delivered", "", "")
    assert "30003" in flask_command("deliveries", "show", arrived["message_sid"])  # among what came


@pytest.mark.parametrize(
    "arguments",
    [("deliveries", "show", "IM12"), ("deliveries", "list", "--message", "SM" + "0" * 32), ("rules", "explain", "7")],
    ids=" ".join,
)
def test_what_is_no_sid_is_refused_before_anything_is_looked_for(app, arguments):
    result = app.test_cli_runner().invoke(args=list(arguments))

    assert (result.exit_code, f"'{arguments[-1]}' is not a SID that begins with IM" in result.output) == (2, True)
