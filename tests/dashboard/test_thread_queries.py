"""The lines of one conversation, on both engines: which are read, in what order, and what stands beside them."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from app.dashboard import thread_queries, threads
from app.db.tables import messages
from app.store import actions, deliveries, replies
from app.store import conversations as memory
from app.store.deliveries import Receipt
from app.store.messages import DecisionKey, NewDecision, record_decision, record_message
from app.store.replies import Content

pytestmark = pytest.mark.engines("sqlite", "postgresql")  # the SQL itself is the subject

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
SID = "CH" + "1" * 32
ADA = "MB" + "1" * 32


def seconds(n):
    return NOON + timedelta(seconds=n)


def im(n):
    return f"IM{n:032x}"


@pytest.fixture
def says(db):
    """Let a customer say something; return its MessageSid."""

    def say(index, *, at=None, order=None, code="replied", **facts):
        at = seconds(index if at is None else at)
        facts = {
            "conversation_sid": SID,
            "author": "+15550100001",
            "body": f"message {index}",
            "message_index": index if order is None else order,
        } | facts
        with db.write() as tx:
            record_message(tx, im(index), facts, dated=None, now=at)
            decision = NewDecision(DecisionKey(im(index)), SID, code=code, rule="r", reason=code, tried=[["r", ""]])
            record_decision(tx, decision, at)
        return im(index)

    return say


@pytest.fixture
def answers(db):
    """Intend, and unless told otherwise send, an answer of the bot."""

    def answer(reply_to, *texts, at, timer_seconds=0, sent_as=0):
        with db.write() as tx:
            contents = [Content(text) for text in texts]
            replies.intend(tx, DecisionKey(reply_to, timer_seconds), SID, "r", contents, seconds(at))
            if sent_as:
                first = replies.open_replies(tx, DecisionKey(reply_to, timer_seconds))[0]
                replies.record_sent(tx, first, im(sent_as), seconds(at))

    return answer


@pytest.fixture
def thread(db):
    """Read the thread as people see it."""

    def read(*, before=None, limit=50):
        with db.read() as tx:
            return threads.arrange(thread_queries.read(tx, SID, before=before, limit=limit))

    return read


def texts(found):
    return [line.text for line in found.lines]


def test_the_bots_answer_comes_after_what_it_answers(says, answers, thread):
    answers(says(0), "first", "second", at=0)
    answers(says(1), "third", at=1)

    assert texts(thread()) == ["message 0", "first", "second", "message 1", "third"]


def test_a_message_that_came_late_stands_where_it_was_said(says, answers, thread):
    answers(says(2), "to the last", at=2)
    says(1, at=3)

    assert texts(thread()) == ["message 1", "message 2", "to the last"]


def test_messages_without_an_index_stand_where_they_arrived(says, thread, db):
    says(0)
    says(1)
    says(2)
    with db.write() as tx:
        tx.execute(update(messages).values(message_index=None))

    assert texts(thread()) == ["message 0", "message 1", "message 2"]


@pytest.mark.parametrize(
    ("code", "side"),
    [("replied", "customer"), ("paused", "customer"), ("agent", "agent"), ("own author", "bot"), ("api", "system")],
)
def test_the_decision_tells_whose_line_it_is(says, thread, code, side):
    says(0, code=code)

    assert [line.side for line in thread().lines] == [side]


def test_a_reply_that_also_came_as_a_webhook_is_one_line(says, answers, thread):
    answers(says(0), "as it was", at=0, sent_as=9)
    says(9, at=1, order=1, code="own author", body="as it was edited")

    assert texts(thread()) == ["message 0", "as it was edited"]
    assert thread().lines[1].rule == "r"


def test_ticks_name_the_recipient_and_reasons_what_else_was_done(says, answers, thread, db):
    answers(says(0), "hi", at=0, sent_as=9)
    with db.write() as tx:
        memory.record_participant(tx, ADA, {"conversation_sid": SID, "address": "whatsapp:+15550100001"})
        receipt = Receipt("DY" + "1" * 32, im(9), SID, ADA, "", "delivered", 0, seconds(5))
        deliveries.record_receipt(tx, receipt, inbox_id=1, received_at=seconds(5))
        actions.intend(tx, DecisionKey(im(0)), SID, "r", [("close", {})], seconds(0))
    customer, bot = thread().lines

    assert [(tick.name, tick.status) for tick in bot.ticks] == [("+15550100001", "delivered")]
    assert [(action.kind, action.state) for action in customer.whys[0].actions] == [("close", "intended")]


def test_a_follow_up_stands_where_it_was_sent_and_beside_its_message(says, answers, thread, db):
    answers(says(0), "at once", at=0)
    says(1)
    answers(im(0), "nobody came", at=600, timer_seconds=600)
    with db.write() as tx:
        decision = NewDecision(DecisionKey(im(0), 600), SID, code="replied", rule="r", reason="nobody")
        record_decision(tx, decision, seconds(600))
    found = thread()

    assert texts(found) == ["message 0", "at once", "message 1", "nobody came"]
    assert [why.timer_seconds for why in found.lines[0].whys] == [0, 600]


def test_pages_of_a_long_thread_have_every_line_once(says, answers, thread):
    for n in range(10):
        answers(says(n), f"answer {n}", at=n)
    newest = thread(limit=8)
    older = thread(limit=8, before=newest.older_than)
    oldest = thread(limit=8, before=older.older_than)

    assert texts(newest)[0] == "message 6"
    assert texts(newest)[-1] == "answer 9"
    assert texts(older) + texts(newest) == [f"{who} {n}" for n in range(2, 10) for who in ("message", "answer")]
    assert (len(oldest.lines), oldest.older_than) == (4, None)


def test_where_a_message_is_can_be_asked_also_for_the_bots(says, answers, db):
    answers(says(0), "hi", at=3, sent_as=9)
    with db.read() as tx:
        places = [thread_queries.place_of(tx, sid) for sid in (im(0), im(9), im(404))]

    assert places == [(SID, seconds(0)), (SID, seconds(3)), None]


def test_a_conversation_nobody_has_told_of_is_none(db):
    with db.read() as tx:
        assert thread_queries.read(tx, "CH404", before=None, limit=50) is None
