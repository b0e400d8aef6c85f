"""The replies ledger: a message is answered in it once, with what each part carries; what counts for the budget."""

from datetime import UTC, datetime, timedelta

from app.store import replies
from app.store.messages import DecisionKey
from app.store.replies import Content

MESSAGE = "IM" + "4" * 32
INBOUND, CONVERSATION = "IM" + "1" * 32, "CH" + "3" * 32
NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def test_a_message_is_answered_in_the_ledger_once(db):
    with db.write() as tx:
        for text in ("first", "second"):
            replies.intend(tx, DecisionKey(INBOUND), CONVERSATION, "greeting", [Content(text)], NOON)
        assert [reply.body for reply in replies.replies_to(tx, INBOUND)] == ["first"]


def test_a_message_and_the_silence_after_it_are_answered_once_each(db):
    with db.write() as tx:
        replies.intend(tx, DecisionKey(INBOUND), CONVERSATION, "greeting", [Content("hello")], NOON)
        for text in ("sorry", "sorry again"):
            replies.intend(tx, DecisionKey(INBOUND, 300), CONVERSATION, "late", [Content(text)], NOON)
        (follow_up,) = replies.open_replies(tx, DecisionKey(INBOUND, 300))
        replies.record_sent(tx, follow_up, MESSAGE, NOON)
        assert [(reply.body, reply.state) for reply in replies.replies_to(tx, INBOUND)] == [
            ("hello", "intended"),
            ("sorry", "sent"),
        ]


def test_what_a_reply_carries_comes_back_as_it_was_written_down(db):
    template = Content(content_sid="HX" + "1" * 32, content_variables={"1": "Ada"})
    with db.write() as tx:
        contents = [Content("our menu", "menu.pdf"), template]
        replies.intend(tx, DecisionKey(INBOUND), CONVERSATION, "menu", contents, NOON)
        first, second = replies.open_replies(tx, DecisionKey(INBOUND))
    assert (first.body, first.media, first.content_sid) == ("our menu", "menu.pdf", "")
    assert (second.body, second.content_sid, second.content_variables) == ("", "HX" + "1" * 32, {"1": "Ada"})


def test_the_times_of_replies_are_those_of_the_newest_and_parts_count_once(db):
    with db.write() as tx:
        for n in range(5):
            sid, at = f"IM{n:032}", NOON + timedelta(minutes=n)
            replies.intend(tx, DecisionKey(sid), CONVERSATION, "long", [Content("a"), Content("b")], at)
        times = replies.reply_times(tx, CONVERSATION, NOON, most=3)
        enough = replies.has_replied(tx, CONVERSATION, [(count, NOON) for count in (1, 4, 5)])
    assert times == tuple(NOON + timedelta(minutes=n) for n in (4, 3, 2))
    assert enough == (True, True, False)  # the one at noon is not since noon


def test_suppressed_replies_do_not_count_for_the_budget(db):
    with db.write() as tx:
        replies.intend(tx, DecisionKey(INBOUND), CONVERSATION, "greeting", [Content("hello")], NOON)
        (reply,) = replies.open_replies(tx, DecisionKey(INBOUND))
        replies.suppress(tx, reply, "paused")
        assert replies.reply_times(tx, CONVERSATION, NOON - timedelta(hours=1), most=5) == ()
