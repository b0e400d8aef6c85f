"""Several messages within seconds: one decision that has seen them all, and none is lost."""

import json

import pytest
from sqlalchemy import select

from app.db.tables import decisions, messages
from app.store import messages as stored_messages

pytestmark = pytest.mark.engines("sqlite")

COALESCE = """
[bot]
coalesce = "20s"
coalesce_most = "100s"

[[rule]]
name = "echo"
reply = "You said: {{ text }}"
"""
HOLD_ON = "more messages may belong to it"


@pytest.fixture
def bot(bot):
    bot.rules(COALESCE)
    return bot


@pytest.fixture
def db(app):
    return app.extensions["parley"].db


@pytest.fixture
def decided(db):
    """Return the code of each decision and the message that it belongs to, by message."""

    def read():
        with db.read() as tx:
            rows = tx.execute(select(decisions.c.message_sid, decisions.c.code, decisions.c.burst_of)).all()
        return {row.message_sid: (row.code, row.burst_of) for row in rows}

    return read


@pytest.fixture
def stats(flask_command):
    return lambda: json.loads(flask_command("inbox", "stats", "--json"))


def test_five_messages_in_twenty_seconds_get_one_reply_that_has_seen_all_five(bot, decided):
    ada = bot.customer()
    first, *others = [ada.says(text) for text in ("hello", "my order", "is late", "number 17", "where is it?")]
    assert bot.replies() == []
    bot.advance(seconds=20)

    assert bot.replies() == ["You said: hello\nmy order\nis late\nnumber 17\nwhere is it?"]
    assert decided() == {first: ("replied", "")} | dict.fromkeys(others, ("part of burst", first))


def test_every_message_of_a_burst_is_stored(bot, db):
    ada = bot.customer()
    sids = [ada.says(text) for text in ("one", "two", "three")]
    bot.advance(seconds=20)

    with db.read() as tx:
        stored = dict(tx.execute(select(messages.c.message_sid, messages.c.body)).all())
    assert stored == dict(zip(sids, ("one", "two", "three"), strict=True))


def test_a_burst_waits_as_scheduled_work_and_ends_as_processed(bot, stats):
    ada = bot.customer()
    ada.says("one")
    ada.says("two")
    assert (stats()["scheduled"], stats()["pending"]) == (2, 0)
    bot.advance(seconds=20)

    assert {state for state, number in stats().items() if number} == {"processed"}


def test_each_new_message_starts_the_wait_again(bot):
    ada = bot.customer()
    ada.says("one")
    bot.advance(seconds=15)
    ada.says("two")
    bot.advance(seconds=15)
    assert bot.replies() == []
    bot.advance(seconds=6)

    assert bot.replies() == ["You said: one\ntwo"]


def test_nobody_waits_longer_than_coalesce_most(bot):
    ada = bot.customer()
    for n in range(9):
        ada.says(f"message {n}")
        bot.advance(seconds=15)

    assert bot.replies()[0].startswith("You said: message 0\nmessage 1")
    bot.advance(seconds=30)
    heard = "\n".join(reply.removeprefix("You said: ") for reply in bot.replies())
    assert heard == "\n".join(f"message {n}" for n in range(9))
    assert len(bot.replies()) == 2


def test_what_comes_after_the_answer_gets_an_answer_of_its_own(bot):
    ada = bot.customer()
    ada.says("one")
    bot.advance(seconds=20)
    ada.says("two")
    bot.advance(seconds=20)

    assert bot.replies() == ["You said: one", "You said: two"]


def test_two_customers_do_not_make_one_burst(bot):
    bot.customer("+15550100001").says("I am Ada")
    bot.customer("+15550100002").says("I am Bob")
    bot.advance(seconds=20)

    assert sorted(bot.replies()) == ["You said: I am Ada", "You said: I am Bob"]


def test_a_worker_that_comes_late_does_not_make_one_burst_of_a_whole_hour(
    bot, customer_writes, clock, emulator, run_worker
):
    customer_writes("in the morning")
    clock.advance(1800)
    emulator.advance(1800)
    customer_writes("half an hour later")
    clock.advance(20)
    run_worker()

    assert emulator.replies() == ["You said: in the morning", "You said: half an hour later"]


def test_an_agent_who_answers_within_the_burst_silences_the_bot(bot):
    ada = bot.customer()
    first = ada.says("hello")
    bot.agent().says("I am on it")
    second = ada.says("thank you")
    bot.advance(seconds=100)

    assert bot.replies() == []
    assert bot.reason(first) == 'rule "echo" matched'
    assert bot.reason(second).startswith("paused until")


def test_stop_within_a_burst_is_heard(bot):
    ada = bot.customer()
    ada.says("what is this?")
    ada.says("STOP")
    bot.advance(seconds=20)
    ada.says("hello")
    bot.advance(seconds=20)

    assert bot.replies() == []
    assert bot.reason() == "the recipient has opted out"


def test_a_text_that_is_repeated_within_a_burst_counts_as_often_as_it_came(bot):
    ada = bot.customer()
    first = ada.says("I am out of office")
    for _ in range(2):
        ada.says("I am out of office")
    bot.advance(seconds=20)

    assert bot.replies() == []
    assert "the same text came 3 times" in bot.reason(first)


def test_texts_are_put_in_the_order_in_which_they_were_sent(bot, app, emulator, post_webhook, clock, run_worker):
    told = [emulator.inbound("first"), emulator.inbound("second")]
    for message, text in reversed(list(zip(told, ("first", "second"), strict=True))):
        webhook = {
            "ConversationSid": message["conversation_sid"],
            "MessageSid": message["message_sid"],
            "ParticipantSid": message["participant_sid"],
            "Index": str(message["index"]),
            "Body": text,
            "Author": "+15550100001",
            "ChatServiceSid": None,
        }
        post_webhook("onMessageAdded__sms_text", webhook)
    clock.advance(20)
    run_worker()

    assert emulator.replies() == ["You said: first\nsecond"]


def test_messages_are_answered_at_once_where_the_rules_do_not_ask_to_wait(bot):
    bot.rules('[[rule]]\nname = "echo"\nreply = "You said: {{ text }}"')
    ada = bot.customer()
    ada.says("one")
    ada.says("two")

    assert bot.replies() == ["You said: one", "You said: two"]


def test_why_a_message_got_no_reply_of_its_own_is_told(bot, db):
    ada = bot.customer()
    first = ada.says("one")
    second = ada.says("two")
    bot.advance(seconds=20)

    with db.read() as tx:
        assert (
            stored_messages.decision(tx, stored_messages.DecisionKey(second)).reason == f"decided together with {first}"
        )
