"""`flask reconcile` and the worker's own: how far back, within a budget, one at a time, and gone on with."""

import json
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from app.db.maintenance_tables import chores as chores_table
from app.db.tables import gate, inbox
from app.inbox import periodic
from app.reconcile.paced_client import PacedClient
from app.reconcile.run import Reconciliation, Scope
from app.recordings import files
from app.runtime.from_settings import make_conversations
from app.store import conversations

pytestmark = pytest.mark.engines("sqlite")

HOUR = 3600


@pytest.fixture
def count(app):
    """How many rows a table has."""

    def rows(table) -> int:
        with app.extensions["parley"].db.read() as tx:
            return tx.scalar(select(func.count()).select_from(table)) or 0

    return rows


def test_a_dry_run_names_the_gap_and_stores_nothing(missed, reconcile, count):
    written = missed()

    report = reconcile("--dry-run")

    assert report["dry_run"]
    assert [(gap["conversation_sid"], gap["messages"]) for gap in report["gaps"]] == [(written["conversation_sid"], 1)]
    assert (count(inbox), count(chores_table)) == (0, 0)


def test_since_looks_no_further_back_and_leaves_the_older_gap_for_later(missed, reconcile):
    missed("yesterday", seconds_ago=20 * HOUR)
    missed("just now", sender="+15550100002")

    assert reconcile("--since", "2h")["messages"] == 1
    assert reconcile()["messages"] == 1


def test_a_run_whose_budget_is_spent_is_gone_on_with(missed, reconcile):
    for number in range(5):
        missed(sender=f"+1555010000{number}")

    reports = [reconcile("--requests", "4") for _ in range(3)]

    assert [one["messages"] for one in reports] == [2, 2, 1]
    assert [(one["left"], one["complete"]) for one in reports] == [(3, False), (1, False), (0, True)]


def test_every_service_is_looked_into_unless_one_is_named(missed, reconcile, app):
    twilio = make_conversations(app.extensions["parley"].settings, None)
    other = twilio.ask(lambda client: client.conversations.v1.services.create(friendly_name="other").sid)
    missed()
    missed(sender="+15550100002", service_sid=other)

    assert reconcile("--dry-run", "--service", other)["messages"] == 1
    assert {gap["service_sid"] == other for gap in reconcile()["gaps"]} == {True, False}


def test_what_is_missing_of_other_services_is_found_after_a_run_for_one(missed, reconcile, app):
    twilio = make_conversations(app.extensions["parley"].settings, None)
    other = twilio.ask(lambda client: client.conversations.v1.services.create(friendly_name="other").sid)
    missed(seconds_ago=600)
    missed(sender="+15550100002", service_sid=other, seconds_ago=600)

    assert reconcile("--service", other)["messages"] == 1
    assert reconcile()["messages"] == 1


def test_a_service_that_is_not_there_is_named(missed, app):
    nowhere = "IS" + "0" * 32

    result = app.test_cli_runner().invoke(args=["reconcile", "--service", nowhere])

    assert (result.exit_code, f"stopped: there is no service {nowhere} at Twilio" in result.output) == (1, True)


def test_a_service_that_was_deleted_meanwhile_is_left_out(missed, emulator, reconcile, app):
    twilio = make_conversations(app.extensions["parley"].settings, None)
    other = twilio.ask(lambda client: client.conversations.v1.services.create(friendly_name="other").sid)
    missed()
    emulator.faults(fail_next=[{"status": 404, "code": 20404, "path_contains": f"{other}/Conversations"}])

    report = reconcile()

    assert (report["messages"], report["complete"]) == (1, True)


def test_a_429_is_waited_for_and_closes_the_gate_for_everybody(missed, emulator, reconcile, count):
    missed()
    emulator.faults(fail_next=[{"status": 429, "retry_after": 1, "method": "GET", "path_contains": "/Messages"}])

    report = reconcile()

    assert (report["messages"], report["complete"]) == (1, True)
    assert count(gate) == 1


def test_a_run_that_ends_because_twilio_wants_to_be_left_alone_does_not_look_like_a_success(missed, emulator, app):
    missed()
    emulator.faults(fail_next=[{"status": 429, "retry_after": 300, "method": "GET", "path_contains": "/Messages"}])

    result = app.test_cli_runner().invoke(args=["reconcile"])

    assert (result.exit_code, "0 of 1 conversations looked at" in result.output) == (1, True)
    assert "stopped: Twilio asked us to wait for 300 s" in result.output


def test_a_conversation_that_cannot_be_read_is_named_and_looked_at_again(missed, emulator, app, reconcile):
    written = missed()
    missed(sender="+15550100002")
    where = f"{written['conversation_sid']}/Messages"
    emulator.faults(fail_next=[{"status": 400, "path_contains": where}])

    result = app.test_cli_runner().invoke(args=["reconcile", "--json", "--per-second", "100"])

    report = json.loads(result.stdout)
    assert (result.exit_code, report["messages"], list(report["failed"])) == (1, 1, [written["conversation_sid"]])
    assert reconcile()["messages"] == 1


def test_a_conversation_that_can_never_be_read_does_not_keep_us_from_the_others(missed, emulator, app, reconcile):
    unreadable = f"{missed()['conversation_sid']}/Messages"
    missed(sender="+15550100002")
    emulator.faults(fail_next=[{"status": 400, "path_contains": unreadable}])
    app.test_cli_runner().invoke(args=["reconcile", "--per-second", "100"])
    missed("later", sender="+15550100002")
    emulator.faults(fail_next=[{"status": 400, "path_contains": unreadable}])

    result = app.test_cli_runner().invoke(args=["reconcile", "--json", "--per-second", "100"])

    report = json.loads(result.stdout)
    assert (result.exit_code, report["messages"], len(report["failed"])) == (1, 1, 1)
    assert (reconcile()["complete"], reconcile()["messages"]) == (True, 0)


def test_since_looks_at_every_conversation_also_after_a_run_that_had_to_stop(missed, reconcile):
    missed(sender="+15550100001")
    missed(sender="+15550100002")
    reconcile("--requests", "2")
    missed("again", sender="+15550100001")
    missed("again", sender="+15550100002")

    assert reconcile("--since", "2h")["messages"] == 3


def test_a_run_with_since_whose_budget_is_spent_is_gone_on_with(missed, reconcile):
    for number in range(3):
        missed(sender=f"+1555010000{number}")

    reports = [reconcile("--since", "2h", "--requests", "2") for _ in range(3)]

    assert [(one["messages"], one["left"]) for one in reports] == [(1, 2), (1, 1), (1, 0)]


def test_only_one_process_reconciles_at_a_time(missed, app, clock):
    missed()
    db = app.extensions["parley"].db
    turn = periodic.take(db, "reconcile")

    refused = app.test_cli_runner().invoke(args=["reconcile"])
    clock.advance(periodic.LEASE.total_seconds() + 1)
    taken_over = app.test_cli_runner().invoke(args=["reconcile", "--per-second", "100"])

    assert (refused.exit_code, taken_over.exit_code) == (1, 0)
    assert "another process reconciles" in refused.output
    with pytest.raises(periodic.TaskLeaseLost):
        periodic.renew(db, turn)


def test_a_closed_conversation_is_known_as_closed_afterwards(missed, customer_writes, run_worker, app, reconcile):
    written = customer_writes("hello")
    run_worker()
    twilio = make_conversations(app.extensions["parley"].settings, None)
    sid = written["conversation_sid"]
    twilio.ask(lambda client: client.conversations.v1.conversations(sid).update(state="closed"))

    reconcile()
    run_worker()

    with app.extensions["parley"].db.read() as tx:
        assert conversations.conversation(tx, sid).state == "closed"


@pytest.mark.parametrize(
    ("since", "says"),
    [("yesterday", "'yesterday' is no time"), ("2999-01-01", "is in the future")],
    ids=["no time", "future"],
)
def test_a_since_that_makes_no_sense_is_refused(since, says, app):
    result = app.test_cli_runner().invoke(args=["reconcile", "--since", since])

    assert (result.exit_code, says in result.output) == (2, True)


def test_people_see_what_was_missing_and_what_to_do(missed, flask_command):
    written = missed()

    said = flask_command("reconcile", "--per-second", "100")

    assert written["conversation_sid"] in said
    assert "1 messages and 0 receipts were missing in 1 conversations" in said
    assert "`flask doctor` says why" in said


def test_what_was_found_can_be_recorded_and_replayed(missed, reconcile, run_worker, flask_command, tmp_path):
    missed("order 66")
    reconcile()
    run_worker()

    flask_command("record", "--out", str(tmp_path / "recordings"))

    (path,) = (tmp_path / "recordings").glob("*onMessageAdded.http")
    recorded = files.read(path)
    assert (recorded.method, recorded.target) == ("POST", "/conversations/webhook")
    assert b"ParleyFoundAt" in recorded.body


def test_a_run_that_is_asked_to_stop_is_gone_on_with(missed, app, reconcile):
    missed()
    missed(sender="+15550100002")
    parley = app.extensions["parley"]
    waits = iter([False] * 4 + [True] * 100)
    calls = PacedClient(
        make_conversations(parley.settings, None), parley.db, per_second=100, wait=lambda _: next(waits)
    )
    scope = Scope("", "support-bot", timedelta(days=30))

    stopped = Reconciliation(parley.db, calls, scope, periodic.take(parley.db, "reconcile")).run()
    rest = reconcile()

    assert (stopped.stopped, stopped.is_complete, rest["complete"]) == ("asked to stop", False, True)
    assert stopped.messages + rest["messages"] == 2


@pytest.mark.parametrize("pace", ["nan", "inf", "0", "fast"])
def test_a_pace_that_is_none_is_refused(app, pace):
    result = app.test_cli_runner().invoke(args=["reconcile", "--per-second", pace])

    assert result.exit_code == 2
    assert "--per-second" in result.output
