"""Deliveries: the newest state in any order of arrival, error codes that stay, history, links to our replies."""

from datetime import UTC, datetime, timedelta
from itertools import accumulate, permutations

import pytest

from app.store import deliveries, replies
from app.store.deliveries import LATTICE, Receipt, merge_status
from app.store.messages import DecisionKey
from app.store.replies import Content

MESSAGE, RECEIPT = "IM" + "4" * 32, "DY" + "8" * 32
INBOUND, CONVERSATION = "IM" + "1" * 32, "CH" + "3" * 32
NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def receipt(status, error_code=0, seconds=0, receipt_sid=RECEIPT, participant_sid="MB" + "6" * 32):
    dated = NOON + timedelta(seconds=seconds)
    return Receipt(receipt_sid, MESSAGE, "CH" + "3" * 32, participant_sid, "SM" + "7" * 32, status, error_code, dated)


@pytest.fixture
def record(db):
    """Record receipts in this order, each as an inbox event of its own."""

    def recorded(*receipts):
        for n, one in enumerate(receipts, start=1):
            with db.write() as tx:
                deliveries.record_receipt(tx, one, inbox_id=n, received_at=NOON)
        with db.read() as tx:
            return deliveries.history(tx, MESSAGE)

    return recorded


@pytest.mark.parametrize("order", list(permutations(["sent", "delivered", "read"])), ids=" ".join)
def test_the_furthest_state_wins_in_any_order(record, order):
    (delivery,) = record(*(receipt(status) for status in order))

    assert delivery["status"] == "read"
    assert [event["status"] for event in delivery["history"]] == list(order)


@pytest.mark.parametrize(
    ("known", "new", "merged"),
    [
        ("delivered", "sent", "delivered"),
        ("failed", "undelivered", "failed"),
        ("undelivered", "delivered", "delivered"),
        ("sent", "queued_by_a_future_twilio", "sent"),
        ("queued_by_a_future_twilio", "sent", "sent"),
    ],
)
def test_states_merge(known, new, merged):
    assert merge_status(known, new) == merged


@pytest.mark.parametrize("order", list(permutations(LATTICE)), ids=" ".join)
def test_after_each_receipt_the_state_is_the_highest_that_came(order):
    came = list(accumulate(order, merge_status))

    assert came == [max(order[: n + 1], key=LATTICE.index) for n in range(len(order))]


@pytest.mark.parametrize("order", list(permutations(["sent", "undelivered", "delivered"])), ids=" ".join)
def test_what_arrives_after_all_has_no_error_any_more_and_the_history_keeps_it(record, order):
    (delivery,) = record(*(receipt(status, 30003 if status == "undelivered" else 0) for status in order))

    assert (delivery["status"], delivery["error_code"], delivery["detail"]) == ("delivered", 0, "")
    assert [event["error_code"] for event in delivery["history"] if event["error_code"]] == [30003]


@pytest.mark.parametrize("order", list(permutations(["sent", "undelivered", "failed"])), ids=" ".join)
def test_an_error_code_once_known_stays_while_nothing_arrives(record, order):
    (delivery,) = record(*(receipt(status, 30003 if status == "undelivered" else 0) for status in order))

    assert (delivery["status"], delivery["error_code"]) == ("failed", 30003)


def test_each_recipient_has_a_row(record):
    found = record(receipt("sent"), receipt("delivered", receipt_sid="DY" + "9" * 32, participant_sid="MB2"))

    assert sorted(delivery["status"] for delivery in found) == ["delivered", "sent"]


def test_the_same_event_twice_is_one_line_of_history(db):
    for _ in range(2):
        with db.write() as tx:
            deliveries.record_receipt(tx, receipt("sent"), inbox_id=1, received_at=NOON)
    with db.read() as tx:
        (delivery,) = deliveries.history(tx, MESSAGE)
    assert len(delivery["history"]) == 1


def test_a_receipt_that_was_faster_than_our_bookkeeping_is_linked_later(db):
    with db.write() as tx:
        deliveries.record_receipt(tx, receipt("sent"), inbox_id=1, received_at=NOON)
        replies.intend(tx, DecisionKey(INBOUND), CONVERSATION, "greeting", [Content("hello")], NOON)
        (reply,) = replies.open_replies(tx, DecisionKey(INBOUND))
        replies.record_sent(tx, reply, MESSAGE, NOON)
        (delivery,) = deliveries.list_deliveries(tx)
    assert delivery.rule == "greeting"
