"""What is edited or removed while the bot waits for more messages: answered as it reads now, or not at all."""

from urllib.parse import urlencode

import pytest

from app.recordings.files import RecordedRequest
from tests.bot.test_bursts import COALESCE

pytestmark = pytest.mark.engines("sqlite")

REMOVED = "the message was removed before it was answered"


@pytest.fixture
def bot(bot):
    bot.rules(COALESCE)
    return bot


@pytest.fixture
def edits(emulator, bot):
    def edit(message_sid, body):
        emulator.edit(message_sid, body)
        bot.works()

    return edit


@pytest.fixture
def removes(emulator, bot):
    def remove(message_sid):
        emulator.remove(message_sid)
        bot.works()

    return remove


def test_an_edited_message_is_answered_by_its_new_text(bot, edits):
    question = bot.customer().says("How much is a blue bike?")
    edits(question, "How much is a red bike?")
    bot.advance(seconds=20)

    assert bot.replies() == ["You said: How much is a red bike?"]


def test_of_two_edits_the_last_one_counts(bot, edits):
    question = bot.customer().says("one")
    edits(question, "two")
    edits(question, "three")
    bot.advance(seconds=20)

    assert bot.replies() == ["You said: three"]


def test_a_later_message_of_a_burst_is_read_as_it_was_edited(bot, edits):
    ada = bot.customer()
    ada.says("I want a bike")
    edits(ada.says("a blue one"), "a red one")
    bot.advance(seconds=20)

    assert bot.replies() == ["You said: I want a bike\na red one"]


def test_who_edits_a_message_into_stop_is_opted_out(bot, edits):
    edits(bot.customer().says("hello"), "STOP")
    bot.advance(seconds=20)

    assert bot.replies() == []
    assert bot.reason() == "the message is an opt-out word"


def test_a_removed_message_is_not_answered_and_the_reason_says_so(bot, removes):
    question = bot.customer().says("How much is a bike?")
    removes(question)
    bot.advance(seconds=20)

    assert bot.replies() == []
    assert bot.reason(question) == REMOVED


@pytest.fixture
def removal_overtakes(bot, emulator, deliver):
    """Let a message be written and removed, and the webhook of its removal arrive and be worked on first."""

    def write(body):
        emulator.faults(drop=1.0)
        sid = emulator.inbound(body)["message_sid"]
        assert emulator.settle()
        emulator.faults()
        emulator.remove(sid)
        bot.works()
        (dropped,) = [one["form"] for one in emulator.webhooks() if one["message_sid"] == sid and one["status"] == 0]
        content_type = {"Content-Type": "application/x-www-form-urlencoded"}
        webhook = RecordedRequest("POST", "/conversations/webhook", content_type, urlencode(dropped).encode())
        assert deliver(webhook).status_code == 204
        bot.works()
        return sid

    return write


@pytest.mark.parametrize("coalesce", [True, False])
@pytest.mark.parametrize("is_first", [True, False])
def test_a_message_that_comes_after_its_removal_is_not_answered(bot, removal_overtakes, coalesce, is_first):
    bot.rules(COALESCE if coalesce else COALESCE.partition("\n\n")[2])
    if not is_first:
        bot.customer().says("hello")
        bot.advance(seconds=20)
    late = removal_overtakes("How much is a bike?")
    bot.advance(seconds=20)

    assert bot.replies() == ([] if is_first else ["You said: hello"])
    assert bot.reason(late) == REMOVED


def test_a_stop_that_comes_after_its_removal_counts(bot, removal_overtakes):
    removal_overtakes("STOP")
    bot.advance(seconds=20)
    bot.customer().says("hello")
    bot.advance(seconds=20)

    assert bot.replies() == []
    assert bot.reason() == "the recipient has opted out"


def test_a_stop_counts_though_it_was_removed(bot, removes):
    ada = bot.customer()
    stop = ada.says("STOP")
    removes(stop)
    bot.advance(seconds=20)
    ada.says("hello")
    bot.advance(seconds=20)

    assert bot.replies() == []
    assert bot.reason() == "the recipient has opted out"


def test_what_is_left_of_a_burst_whose_first_message_was_removed_is_answered(bot, removes):
    ada = bot.customer()
    first = ada.says("nonsense")
    second = ada.says("How much is a bike?")
    removes(first)
    bot.advance(seconds=20)
    bot.advance(seconds=20)

    assert bot.replies() == ["You said: How much is a bike?"]
    assert (bot.reason(first), bot.reason(second)) == (REMOVED, 'rule "echo" matched')


def test_what_was_removed_is_no_part_of_a_burst(bot, removes):
    ada = bot.customer()
    ada.says("How much is a bike?")
    second = ada.says("nonsense")
    removes(second)
    bot.advance(seconds=20)
    bot.advance(seconds=20)

    assert bot.replies() == ["You said: How much is a bike?"]
    assert bot.reason(second) == REMOVED


def test_an_edit_after_the_answer_is_answered_by_nobody(bot, edits):
    question = bot.customer().says("one")
    bot.advance(seconds=20)
    edits(question, "two")
    bot.advance(seconds=60)

    assert bot.replies() == ["You said: one"]
