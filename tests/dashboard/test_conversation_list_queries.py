"""The list of conversations, on both engines: its order, its filters, its search."""

from datetime import UTC, datetime, timedelta

import pytest

from app.dashboard import conversation_list
from app.store import conversations, deliveries, messages, replies
from app.store.deliveries import Receipt
from app.store.messages import DecisionKey
from app.store.replies import Content

pytestmark = pytest.mark.engines("sqlite", "postgresql")  # the SQL itself is the subject

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
ADA, BO, CY = "CH" + "a" * 32, "CH" + "b" * 32, "CH" + "c" * 32


def minutes(n):
    return NOON + timedelta(minutes=n)


@pytest.fixture
def db(db):
    """Three conversations: Ada was answered, Bo waits, Cy's is paused."""
    with db.write() as tx:
        _writes(tx, ADA, "+15550100001", "Where is my parcel? It is 100% lost", minutes(0))
        _writes(tx, BO, "whatsapp:+15550100002", "Viele GRÜSSE aus Köln", minutes(1))
        _writes(tx, CY, "+15550100003", "hello", minutes(2))
        replies.intend(tx, DecisionKey(f"IM{ADA[2:]}"), ADA, "default", [Content("We look for it.")], minutes(3))
        reply = replies.open_replies(tx, DecisionKey(f"IM{ADA[2:]}"))[0]
        replies.record_sent(tx, reply, "IM" + "f" * 32, minutes(3))
        conversations.record_waiting(tx, BO, minutes(1), anew_before=NOON)
        conversations.pause(tx, CY, minutes(60), "lunch", by="operator")
    return db


def _writes(tx, sid, address, text, at):
    facts = {"conversation_sid": sid, "author": address, "body": text, "message_index": 0}
    messages.record_message(tx, f"IM{sid[2:]}", facts, dated=None, now=at)
    conversations.record_participant(tx, f"MB{sid[2:]}", {"conversation_sid": sid, "address": address})


def shown(db, **asked):
    with db.read() as tx:
        return conversation_list.arrange(conversation_list.read(tx, minutes(10), **asked))


def sids(db, **asked):
    return [one.conversation_sid for one in shown(db, **asked)]


def test_the_newest_is_first_also_by_what_the_bot_has_sent(db):
    assert sids(db) == [ADA, CY, BO]
    assert sids(db, limit=2) == [ADA, CY]


def test_each_is_shown_with_its_customer_channel_and_last_words(db):
    assert [(one.title, one.channels, one.text, one.by_bot) for one in shown(db)] == [
        ("+15550100001", ("sms",), "We look for it.", True),
        ("+15550100003", ("sms",), "hello", False),
        ("+15550100002", ("whatsapp",), "Viele GRÜSSE aus Köln", False),
    ]


@pytest.mark.parametrize(("only", "found"), [("waiting", [BO]), ("paused", [CY]), ("failed", [])])
def test_a_filter_shows_only_some(db, only, found):
    assert sids(db, only=only) == found


@pytest.mark.parametrize("status", ["failed", "undelivered"])
def test_a_failed_delivery_is_found_for_a_week(db, status):
    receipt = Receipt("DY" + "1" * 32, "IM" + "f" * 32, ADA, "MB" + "a" * 32, "", status, 30003, minutes(4))
    with db.write() as tx:
        deliveries.record_receipt(tx, receipt, inbox_id=1, received_at=minutes(4))
    with db.read() as tx:
        later = conversation_list.read(tx, minutes(5) + timedelta(days=7), only="failed")

    assert sids(db, only="failed") == [ADA]
    assert [one.failed for one in shown(db)] == [True, False, False]
    assert later.conversations == []


def test_a_reply_that_could_not_be_sent_is_found(db):
    with db.write() as tx:
        replies.intend(tx, DecisionKey(f"IM{CY[2:]}"), CY, "default", [Content("Hi")], minutes(3))
        replies.record_failed(tx, replies.open_replies(tx, DecisionKey(f"IM{CY[2:]}"))[0], "Twilio said no")

    assert sids(db, only="failed") == [CY]


def test_the_filters_are_counted(db):
    with db.read() as tx:
        counts = conversation_list.read(tx, minutes(10)).counts

    assert counts == {"waiting": 1, "failed": 0, "paused": 1, "undecided": 0}


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("parcel", [ADA]),
        ("PARCEL? it", [ADA]),
        ("look for IT", [ADA]),
        ("100%", [ADA]),
        ("0% l", [ADA]),
        ("%", [ADA]),
        ("_", []),
        ("/", []),
        ("grüsse AUS", [BO]),
        ("555 010-0003", [CY]),
        ("+15550100003", [CY]),
        (BO, [BO]),
        ("whatsapp:", [BO]),
        ("nobody said this", []),
    ],
)
def test_a_search_finds_what_was_said_and_who_said_it(db, search, found):
    assert sids(db, search=search) == found


def test_a_search_within_a_filter_finds_less(db):
    assert sids(db, search="+1555", only="paused") == [CY]


def test_the_end_of_a_pause_changes_what_is_told(db):
    with db.read() as tx:
        during, after = (conversation_list.read(tx, minutes(n)).fingerprint for n in (59, 61))

    assert during != after
