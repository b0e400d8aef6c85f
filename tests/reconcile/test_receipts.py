"""Receipts that Twilio failed to deliver are fetched, and asked for less and less where there are none."""

import json

import pytest

from app.runtime.from_settings import make_conversations

pytestmark = pytest.mark.engines("sqlite")


def test_receipts_that_stopped_moving_are_fetched(
    customer_writes, emulator, run_worker, passes, reconcile, flask_command
):
    customer_writes("hello")
    emulator.faults(drop=1.0)
    run_worker()
    assert emulator.settle()
    emulator.faults()
    passes(900)

    report = reconcile()
    run_worker()

    assert report["receipts"] == 1
    (delivery,) = json.loads(flask_command("deliveries", "list", "--json"))
    assert (delivery["status"], delivery["rule"]) == ("delivered", "default")


def test_receipts_of_a_conversation_that_was_deleted_are_asked_for_once(
    customer_writes, emulator, run_worker, passes, reconcile, app
):
    written = customer_writes("hello")
    emulator.faults(drop=1.0)
    run_worker()
    assert emulator.settle()
    emulator.faults()
    twilio = make_conversations(app.extensions["parley"].settings, None)
    twilio.ask(lambda client: client.conversations.v1.conversations(written["conversation_sid"]).delete())
    passes(900)

    for _ in range(2):
        reconcile()

    assert len([one for one in emulator.requests() if one["path"].endswith("/Receipts")]) == 1


def test_receipts_that_never_move_are_asked_for_less_and_less(customer_writes, emulator, run_worker, passes, reconcile):
    emulator.carrier("+15550100001", status="sent")
    customer_writes("hello")
    run_worker()
    assert emulator.settle()
    run_worker()  # also what came while it ended

    asked = []
    for minutes in (15, 5, 5, 15, 5):
        passes(minutes * 60)
        before = len([one for one in emulator.requests() if "/Receipts" in one["path"]])
        reconcile()
        asked.append(len([one for one in emulator.requests() if "/Receipts" in one["path"]]) - before)

    assert asked == [1, 0, 0, 1, 0]


def test_where_no_receipt_came_at_all_it_is_asked_once_and_shown(
    customer_writes, emulator, run_worker, passes, reconcile, flask_command
):
    emulator.faults(drop=1.0, receipt_after_stop=False)
    emulator.inbound("STOP")  # of which Parley hears nothing: what it sends then, Twilio takes and tells no more of
    emulator.faults(receipt_after_stop=False)
    customer_writes("hello")
    run_worker()
    assert emulator.settle()
    asked = lambda: len([one for one in emulator.requests() if "/Receipts" in one["path"]])  # noqa: E731
    passes(500)
    reconcile()
    assert (asked(), listed(flask_command)) == (0, [])
    for minutes in (10, 20, 60, 600):
        passes(minutes * 60)
        reconcile()

    assert (asked(), listed(flask_command)) == (1, ["sent, no receipt"])
    assert listed(flask_command, "--status", "sent, no receipt") == ["sent, no receipt"]
    assert listed(flask_command, "--status", "sent") == []


def listed(flask_command, *options):
    return [one["status"] for one in json.loads(flask_command("deliveries", "list", "--json", *options))]
