"""The delivery log: the newest state in any order of arrival, error codes that stay, history, links to our replies."""

from datetime import UTC, datetime, timedelta
from itertools import accumulate, permutations

import pytest

from app.store import replies
from app.store.replies import LATTICE, Content, Receipt, merge_status

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
                replies.record_receipt(tx, one, inbox_id=n, received_at=NOON)
        with db.read() as tx:
            return replies.history(tx, MESSAGE)

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
def test_an_error_code_once_known_stays(record, order):
    (delivery,) = record(*(receipt(status, 30003 if status == "undelivered" else 0) for status in order))

    assert (delivery["status"], delivery["error_code"]) == ("delivered", 30003)


def test_each_recipient_has_a_row(record):
    deliveries = record(receipt("sent"), receipt("delivered", receipt_sid="DY" + "9" * 32, participant_sid="MB2"))

    assert sorted(delivery["status"] for delivery in deliveries) == ["delivered", "sent"]


def test_the_same_event_twice_is_one_line_of_history(db):
    for _ in range(2):
        with db.write() as tx:
            replies.record_receipt(tx, receipt("sent"), inbox_id=1, received_at=NOON)
    with db.read() as tx:
        (delivery,) = replies.history(tx, MESSAGE)
    assert len(delivery["history"]) == 1


def test_a_receipt_that_was_faster_than_our_bookkeeping_is_linked_later(db):
    with db.write() as tx:
        replies.record_receipt(tx, receipt("sent"), inbox_id=1, received_at=NOON)
        replies.intend(tx, INBOUND, CONVERSATION, "greeting", [Content("hello")], NOON)
        (reply,) = replies.open_replies(tx, INBOUND)
        replies.note_sent(tx, reply, MESSAGE, NOON)
        (delivery,) = replies.list_deliveries(tx)
    assert delivery.rule == "greeting"


def test_a_message_is_answered_in_the_ledger_once(db):
    with db.write() as tx:
        for text in ("first", "second"):
            replies.intend(tx, INBOUND, CONVERSATION, "greeting", [Content(text)], NOON)
        assert [reply.body for reply in replies.replies_to(tx, INBOUND)] == ["first"]


def test_a_message_and_the_silence_after_it_are_answered_once_each(db):
    with db.write() as tx:
        replies.intend(tx, INBOUND, CONVERSATION, "greeting", [Content("hello")], NOON)
        for text in ("sorry", "sorry again"):
            replies.intend(tx, INBOUND, CONVERSATION, "late", [Content(text)], NOON, timer_seconds=300)
        (follow_up,) = replies.open_replies(tx, INBOUND, timer_seconds=300)
        replies.note_sent(tx, follow_up, MESSAGE, NOON)
        assert [(reply.body, reply.state) for reply in replies.replies_to(tx, INBOUND)] == [
            ("hello", "intended"),
            ("sorry", "sent"),
        ]


def test_what_a_reply_carries_comes_back_as_it_was_written_down(db):
    template = Content(content_sid="HX" + "1" * 32, content_variables={"1": "Ada"})
    with db.write() as tx:
        contents = [Content("our menu", "menu.pdf"), template]
        replies.intend(tx, INBOUND, CONVERSATION, "menu", contents, NOON)
        first, second = replies.open_replies(tx, INBOUND)
    assert (first.body, first.media, first.content_sid) == ("our menu", "menu.pdf", "")
    assert (second.body, second.content_sid, second.content_variables) == ("", "HX" + "1" * 32, {"1": "Ada"})


def test_the_times_of_replies_are_those_of_the_newest_and_parts_count_once(db):
    with db.write() as tx:
        for n in range(5):
            sid, at = f"IM{n:032}", NOON + timedelta(minutes=n)
            replies.intend(tx, sid, CONVERSATION, "long", [Content("a"), Content("b")], at)
        times = replies.reply_times(tx, CONVERSATION, NOON, most=3)
        enough = [replies.has_replied(tx, CONVERSATION, count, since=NOON) for count in (1, 4, 5)]
    assert times == tuple(NOON + timedelta(minutes=n) for n in (4, 3, 2))
    assert enough == [True, True, False]  # the one at noon is not since noon


def test_suppressed_replies_do_not_count_for_the_budget(db):
    with db.write() as tx:
        replies.intend(tx, INBOUND, CONVERSATION, "greeting", [Content("hello")], NOON)
        (reply,) = replies.open_replies(tx, INBOUND)
        replies.suppress(tx, reply, "paused")
        assert replies.reply_times(tx, CONVERSATION, NOON - timedelta(hours=1), most=5) == ()
