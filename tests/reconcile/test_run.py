"""What Twilio failed to deliver is fetched: which messages, what is answered of them, and what is not."""

import json
from datetime import UTC, datetime

import pytest
from sqlalchemy import func, select

from app.db.tables import inbox, messages, metadata, participants
from app.runtime.from_settings import make_conversations
from app.store import messages as stored_messages
from app.twilio_api.form import read_form

pytestmark = pytest.mark.engines("sqlite")

HOUR = 3600
OLD = "the message is older than 1 h"


@pytest.fixture
def reason(app):
    """Why a message was or was not answered."""

    def look(written) -> str:
        with app.extensions["parley"].db.read() as tx:
            return stored_messages.decision(tx, stored_messages.DecisionKey(written["message_sid"])).reason

    return look


@pytest.fixture
def count(app):
    """How many rows a table has."""

    def rows(table, *where) -> int:
        with app.extensions["parley"].db.read() as tx:
            return tx.scalar(select(func.count()).select_from(table).where(*where)) or 0

    return rows


def write_for_a_day(emulator, passes) -> list[dict]:
    """Let twelve customers write, three times each, over a whole day; the last of all a quarter of an hour ago."""
    written = []
    for hour in range(36):
        written.append(emulator.inbound(f"message {hour}", sender=f"+155501000{hour % 12:02}"))
        passes(24 * HOUR / 36 if hour < 35 else 900)
    assert emulator.settle()
    return written


def test_a_day_of_missed_webhooks_is_recovered_by_one_reconcile(
    webhooks_arrive, emulator, passes, reconcile, run_worker, count, reason
):
    emulator.faults(drop=1.0)
    written = write_for_a_day(emulator, passes)
    emulator.faults()
    assert count(inbox) == 0

    report = reconcile()
    run_worker()

    assert (report["messages"], report["complete"], len(report["gaps"])) == (36, True, 12)
    assert count(messages, messages.c.message_sid.in_([one["message_sid"] for one in written])) == 36
    assert count(participants, participants.c.address != "") == 12
    assert [reason(one) for one in written[:34]] == [OLD] * 34
    assert len(emulator.replies()) == 2  # of the two that came within the last hour
    assert reconcile()["messages"] == 0


def test_what_was_found_looks_like_its_webhook_and_says_that_it_was_found(missed, emulator, reconcile, app):
    written = missed("Grüße & 100%", media=[{"content_type": "image/jpeg", "filename": "p.jpg"}])

    reconcile()

    with app.extensions["parley"].db.read() as tx:
        row = tx.execute(select(inbox).where(inbox.c.event_key == f"onMessageAdded:{written['message_sid']}")).one()
    form = dict(read_form(row.method, row.target, row.body))
    assert (row.method, row.source, row.lane) == ("RECONCILE", "SMS", written["conversation_sid"])
    assert row.target.endswith(f"/Conversations/{written['conversation_sid']}/Messages/{written['message_sid']}")
    assert (form["Body"], form["Author"], form["Index"]) == ("Grüße & 100%", "+15550100001", "0")
    assert json.loads(form["Media"])[0]["ContentType"] == "image/jpeg"
    assert "ParleyFoundAt" in form


def test_a_message_found_in_time_is_answered_once(missed, emulator, reconcile, run_worker):
    missed("order 66")

    reconcile()
    run_worker()
    reconcile("--since", "1d")
    run_worker()

    assert emulator.replies() == ["Please send your order number."]


def test_the_webhook_that_comes_later_is_known(missed, emulator, reconcile, run_worker, post_webhook, count):
    written = missed()
    reconcile()
    run_worker()

    sids = {"ConversationSid": written["conversation_sid"], "MessageSid": written["message_sid"]}
    answer = post_webhook("onMessageAdded__sms_text", sids)
    run_worker()

    assert answer.status_code == 204
    assert count(inbox, inbox.c.event_key == f"onMessageAdded:{written['message_sid']}") == 1
    assert len(emulator.replies()) == 1


def test_an_older_message_is_not_answered_after_a_newer_one_was(
    missed, customer_writes, emulator, reconcile, run_worker, reason
):
    older = missed("first")
    customer_writes("second")
    run_worker()

    reconcile()
    run_worker()

    assert len(emulator.replies()) == 1
    assert reason(older) == "found by reconcile, and something newer was answered"


def test_a_message_is_not_answered_when_an_agent_has_written_since(
    missed, emulator, webhooks_arrive, reconcile, run_worker, reason
):
    missed_one = missed("hello?")
    emulator.chat(missed_one["conversation_sid"], "support-agent", "I am here.")
    assert emulator.settle()
    run_worker()

    reconcile()
    run_worker()

    assert emulator.replies() == []
    assert reason(missed_one) == "found by reconcile, and something newer was answered"


def test_a_message_that_we_answered_before_our_database_was_set_back_is_not_answered_again(
    customer_writes, emulator, app, passes, reconcile, run_worker, reason
):
    answered = customer_writes("order 66")
    run_worker()
    with app.extensions["parley"].db.write() as tx:
        for table in reversed(metadata.sorted_tables):
            tx.execute(table.delete())
    passes(120)

    reconcile()
    run_worker()

    assert emulator.replies() == ["Please send your order number."]
    assert reason(answered) == "found by reconcile, and an answer of ours follows it at Twilio"


def test_a_message_missed_before_the_answer_to_an_earlier_one_was_there_is_answered(
    missed, customer_writes, emulator, reconcile, run_worker, reason, passes
):
    customer_writes("order 1")
    missed_one = missed("order 2")  # its webhook is lost, and the answer to the first stands behind it
    run_worker()
    passes(120)

    reconcile()
    run_worker()

    assert reason(missed_one) == 'rule "order" matched'
    assert len(emulator.replies()) == 2


def test_a_message_of_a_chat_user_is_recorded_and_not_answered(
    webhooks_arrive, emulator, passes, reconcile, run_worker, reason, customer_writes
):
    where = customer_writes("hello")["conversation_sid"]
    run_worker()
    emulator.faults(drop=1.0)
    visitor = emulator.chat(where, "visitor", "me too")
    emulator.faults()
    passes(120)

    reconcile()
    run_worker()

    assert len(emulator.replies()) == 1
    assert reason(visitor) == "a human agent wrote"  # a chat user beside a phone is one of ours


def test_a_message_of_a_visitor_without_a_phone_is_recorded_with_its_reason(
    webhooks_arrive, emulator, passes, reconcile, run_worker, reason, app
):
    twilio = make_conversations(app.extensions["parley"].settings, None)
    where = twilio.ask(lambda client: client.conversations.v1.conversations.create(friendly_name="web").sid)
    emulator.faults(drop=1.0)
    visitor = emulator.chat(where, "visitor", "hello")
    emulator.faults()
    passes(120)

    reconcile()
    run_worker()

    assert emulator.replies() == []
    assert reason(visitor) == "found by reconcile, and its author cannot be reached by phone number or address"


@pytest.mark.parametrize("channel", ["sms", "whatsapp"])
def test_a_message_of_somebody_who_has_left_is_not_taken_for_a_programs(
    channel, missed, reconcile, run_worker, reason, app, emulator
):
    written = missed("hello", channel=channel)
    twilio = make_conversations(app.extensions["parley"].settings, None)
    here = twilio.ask(lambda client: client.conversations.v1.conversations(written["conversation_sid"]).participants)
    (customer,) = twilio.ask(lambda _client: here.list())
    twilio.ask(lambda _client: here(customer.sid).delete())

    reconcile()
    run_worker()

    assert emulator.replies() == []
    assert reason(written) == "found by reconcile, and its author cannot be reached by phone number or address"


def test_our_own_messages_are_not_missing(customer_writes, run_worker, passes, reconcile):
    customer_writes("hello")
    run_worker()
    passes(HOUR)

    assert reconcile("--since", "2h")["messages"] == 0


def test_a_message_between_two_that_arrived_is_found(missed, customer_writes, passes, reconcile, run_worker):
    customer_writes("first")
    missed("second")
    customer_writes("third")
    run_worker()
    passes(120)

    assert reconcile()["messages"] == 1


def test_a_message_before_one_that_was_dated_back_is_found(missed, passes, reconcile, app):
    sid = missed("hello")["conversation_sid"]
    twilio = make_conversations(app.extensions["parley"].settings, None)
    long_ago = datetime(2020, 1, 1, tzinfo=UTC)
    twilio.ask(
        lambda client: client.conversations.v1.conversations(sid).messages.create(body="x", date_created=long_ago)
    )
    passes(120)

    assert reconcile()["messages"] == 1


def test_a_message_that_may_still_come_is_left_to_its_webhook(missed, passes, reconcile):
    missed("hello", seconds_ago=5)

    first = reconcile()
    passes(120)
    second = reconcile()

    assert (first["messages"], first["too_recent"], second["messages"]) == (0, 1, 1)


def test_a_message_that_has_come_is_not_waited_for(customer_writes, run_worker, reconcile):
    customer_writes("hello")
    run_worker()

    assert reconcile()["too_recent"] == 0
