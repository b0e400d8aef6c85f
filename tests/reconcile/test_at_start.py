"""What was missed while nobody ran is fetched after a start; nothing from before the first one is answered."""

import pytest
from sqlalchemy import select

from app.db.tables import inbox
from app.inbox import periodic
from app.reconcile.starting import TASK, Start
from app.runtime.from_settings import make_conversations
from app.store import messages as stored_messages
from tests.support.eventually import eventually

pytestmark = pytest.mark.engines("sqlite")

BEFORE = "found by reconcile, and it was written before the first start with this database"
ORDER = "Please send your order number."


@pytest.fixture
def parley(app):
    return app.extensions["parley"]


@pytest.fixture
def started(parley):
    """Let workers run, as long as the test lasts."""
    workers = []

    def start():
        workers.append(parley.start_worker())

    yield start
    for worker in workers:
        worker.stop()


@pytest.fixture
def has_looked(parley):
    """Whether a run has ended that began after so many others."""

    def look() -> bool:
        with parley.db.read() as tx:
            row = periodic.state(tx, TASK)
        return row is not None and row.done_at is not None and row.lease_until is None

    return lambda: eventually(look, seconds=30)


def begins_at(parley):
    """Return since when the database is in use, once that is known."""
    with parley.db.read() as tx:
        row = periodic.state(tx, TASK)
    return row and row.begins_at


@pytest.fixture
def was_in_use(customer_writes, run_worker, passes):
    """A database to which somebody's webhook came an hour ago."""
    customer_writes("good morning", sender="+15550100077")
    run_worker()
    passes(3600)


def test_what_was_missed_while_nobody_ran_is_answered_after_the_start(was_in_use, missed, started, emulator):
    missed("order 66")

    started()

    assert eventually(lambda: ORDER in emulator.replies(), seconds=30)


def test_what_was_too_recent_at_the_start_is_answered_a_minute_later(
    was_in_use, missed, started, has_looked, emulator, passes
):
    missed("order 66", seconds_ago=5)
    started()
    assert has_looked()
    assert ORDER not in emulator.replies()

    passes(periodic.AGAIN_AFTER_START.total_seconds())

    assert eventually(lambda: ORDER in emulator.replies(), seconds=30)


def test_a_database_without_an_event_begins_at_its_first_start(
    missed, started, has_looked, emulator, parley, passes, reconcile
):
    missed("order 1", sender="+15550100001")
    started()
    assert eventually(lambda: begins_at(parley), seconds=30)
    passes(periodic.AGAIN_AFTER_START.total_seconds())
    assert has_looked()
    with parley.db.read() as tx:
        assert tx.scalars(select(inbox.c.event_key)).all() == []

    missed("order 2", sender="+15550100002", seconds_ago=400)

    assert eventually(lambda: emulator.replies() == [ORDER], seconds=30)


def test_what_is_older_than_the_first_start_is_fetched_for_whoever_asks_and_not_answered(
    missed, parley, reconcile, run_worker, emulator
):
    older = missed("order 1")
    Start(parley.db).record()

    by_default, asked_for = reconcile(), reconcile("--since", "1h")
    run_worker()

    assert (by_default["messages"], asked_for["messages"]) == (0, 1)
    assert emulator.replies() == []
    with parley.db.read() as tx:
        assert stored_messages.decision(tx, stored_messages.DecisionKey(older["message_sid"])).reason == BEFORE


def test_a_database_that_is_in_use_begins_nowhere(was_in_use, missed, parley, reconcile):
    missed("order 1")
    Start(parley.db).record()

    assert reconcile()["messages"] == 1


def test_a_conversation_of_a_service_whose_webhook_goes_elsewhere_is_left_alone(
    was_in_use, missed, started, emulator, parley, has_looked
):
    twilio = make_conversations(parley.settings, None)
    other = twilio.ask(lambda client: client.conversations.v1.services.create(friendly_name="other").sid)
    missed("order 1", service_sid=other)
    missed("order 2", sender="+15550100002")
    elsewhere = {"post_webhook_url": "https://other.example.com/conversations/webhook", "filters": ["onMessageAdded"]}
    twilio.ask(lambda client: client.conversations.v1.services(other).configuration.webhooks().update(**elsewhere))

    started()

    assert eventually(lambda: ORDER in emulator.replies(), seconds=30)
    assert has_looked()
    assert emulator.replies().count(ORDER) == 1


def test_what_an_agent_wrote_through_rest_silences_the_bot_and_is_not_missing(
    customer_writes, run_worker, passes, parley, reconcile, flask_command, emulator
):
    sid = customer_writes("order 1")["conversation_sid"]
    run_worker()
    twilio = make_conversations(parley.settings, None)
    where = twilio.ask(lambda client: client.conversations.v1.conversations(sid))
    twilio.ask(lambda _client: where.participants.create(identity="support-agent"))
    twilio.ask(lambda _client: where.messages.create(author="support-agent", body="I am looking into it."))
    passes(120)

    report = reconcile()
    run_worker()
    customer_writes("order 2")
    run_worker()

    assert (report["messages"], report["without_phone"]) == (0, 1)
    assert [gap["messages"] for gap in report["gaps"]] == [0]
    assert emulator.replies() == [ORDER]


def test_what_a_program_wrote_through_rest_raises_no_alarm(customer_writes, run_worker, passes, parley, flask_command):
    sid = customer_writes("order 1")["conversation_sid"]
    run_worker()
    twilio = make_conversations(parley.settings, None)
    twilio.ask(lambda client: client.conversations.v1.conversations(sid).messages.create(body="Your parcel is out."))
    passes(120)

    said = flask_command("reconcile", "--per-second", "100")

    assert "0 messages and 0 receipts were missing; 1 messages of programs or chat users were stored" in said
    assert "flask doctor" not in said
