"""What rules do beside replying: attributes, participants, closing; each is done once, or skipped with a reason."""

import json

import pytest
from sqlalchemy import select

from app.db.tables import rule_actions
from app.twilio_api.client import Conversations

pytestmark = pytest.mark.engines("sqlite")


@pytest.fixture
def db(app):
    return app.extensions["parley"].db


@pytest.fixture
def ada(bot):
    return bot.customer()


@pytest.fixture
def conversation(emulator, environ):
    """Return the conversation as Twilio has it."""

    def fetch():
        twilio = Conversations(
            account_sid=environ["TWILIO_ACCOUNT_SID"], auth_token=environ["TWILIO_AUTH_TOKEN"], base_url=emulator.url
        )
        sid = emulator.messages()[0]["conversation_sid"]
        return twilio.conversation(sid, "")

    return fetch


@pytest.fixture
def attributes(conversation):
    return lambda: json.loads(conversation().fetch().attributes)


@pytest.fixture
def done(db):
    """Return what rules did: kind, state and reason of each action."""

    def read():
        with db.read() as tx:
            rows = tx.execute(select(rule_actions.c.kind, rule_actions.c.state, rule_actions.c.reason))
            return [tuple(row) for row in rows]

    return read


def rule(lines, name="test"):
    return f'[[rule]]\nname = "{name}"\n{lines}\n'


def test_attributes_are_merged_into_those_of_the_conversation(bot, ada, conversation, attributes, done):
    bot.rules(
        rule('when = { keywords = ["topic"] }\nset_attributes = { topic = "{{ text }}", tags = ["a", 1] }')
        + rule('reply = "Thanks."', "default")
    )
    ada.says("hello")
    conversation().update(attributes='{"tier": "gold", "topic": "old"}')
    ada.says("topic: invoice")

    assert attributes() == {"tier": "gold", "topic": "topic: invoice", "tags": ["a", 1]}
    assert done() == [("set_attributes", "done", "")]
    assert bot.replies() == ["Thanks."]


def test_attributes_with_half_an_emoji_are_merged_into_as_well(bot, ada, conversation, attributes, done):
    wanted = rule('when = { keywords = ["topic"] }\nset_attributes = { topic = "new" }')
    bot.rules(wanted + rule('reply = "Hi."', "default"))
    ada.says("hello")
    conversation().update(attributes='{"name": "Ann \\ud83d"}')
    ada.says("topic")

    assert attributes() == {"name": "Ann \ud83d", "topic": "new"}
    assert done() == [("set_attributes", "done", "")]


def test_attributes_that_a_rule_set_are_known_to_the_next_decision(bot, ada):
    bot.rules(
        rule('when = { attributes = { status = "waiting" } }\nreply = "You are in the queue."', "second")
        + rule('set_attributes = { status = "waiting" }\nreply = "Welcome."')
    )
    ada.says("hello")
    ada.says("hello?")

    assert bot.replies() == ["Welcome.", "You are in the queue."]


def test_attributes_that_grow_too_large_stay_as_they_are_and_the_rest_is_done(bot, ada, conversation, attributes, done):
    bot.rules(rule('reply = "hi"'))
    ada.says("hello")
    conversation().update(attributes=json.dumps({"old": "x" * 16_300}))
    bot.rules(rule('set_attributes = { text = "{{ text }}" }\nhand_over = true\nreply = "Thanks."'))
    ada.says("a text that is longer than the room that is left, and by a fair bit at that: " + "y" * 50)

    assert list(attributes()) == ["old"]
    assert [(kind, state) for kind, state, _ in done()] == [("set_attributes", "failed"), ("hand_over", "done")]
    assert "16384 are the most" in done()[0][2]


def test_a_participant_is_added_once(bot, ada, conversation, done):
    bot.rules(rule('add_participant = { identity = "colleague" }\nreply = "A colleague joins."'))
    ada.says("hello")
    ada.says("hello?")

    assert [one.identity for one in conversation().participants.list() if one.identity] == ["colleague"]
    assert done() == [("add_participant", "done", "")] * 2


def test_a_phone_is_added_with_the_number_that_talks_to_it(bot, ada, conversation, done):
    who = '{ address = "+15550100077", proxy_address = "+15550100099" }'
    bot.rules(rule(f'add_participant = {who}\nreply = "We call in a specialist."'))
    ada.says("hello")
    ada.says("hello?")

    addresses = [one.messaging_binding["address"] for one in conversation().participants.list()]
    assert addresses == ["+15550100001", "+15550100077"]
    assert [state for _, state, _ in done()] == ["done", "done"]


def test_who_takes_part_elsewhere_with_the_same_numbers_cannot_be_added(bot, ada, done):
    bot.rules(rule('reply = "hi"'))
    bot.customer("+15550100077").says("hello")
    who = '{ address = "+15550100077", proxy_address = "+15550100099" }'
    bot.rules(rule(f'add_participant = {who}\nreply = "We call in a specialist."'))
    ada.says("hello")

    assert done() == [("add_participant", "failed", "this address and our number meet in another conversation (50416)")]


def test_a_conversation_is_closed_after_the_reply(bot, ada, conversation, done):
    bot.rules(rule('reply = "Good bye."\nclose = true'))
    ada.says("bye")

    assert bot.replies() == ["Good bye."]
    assert conversation().fetch().state == "closed"
    assert done() == [("close", "done", "")]


def test_a_conversation_that_is_closed_already_is_closed(bot, ada, conversation, done):
    bot.rules(rule('when = { unanswered_for = "5m" }\nclose = true', "close") + rule('reply = "Thanks."', "default"))
    ada.says("hello")
    conversation().update(state="closed")  # our own change: no webhook tells of it
    bot.advance(minutes=5)

    assert done() == [("close", "done", "")]


def test_actions_without_words_are_a_decision_too(bot, ada, attributes):
    bot.rules(rule("set_attributes = { seen = true }"))
    message = ada.says("hello")

    assert attributes() == {"seen": True}
    assert bot.replies() == []
    assert 'rule "test"' in bot.reason(message)


def test_when_an_agent_writes_before_the_reply_neither_reply_nor_actions_happen(
    bot, emulator, customer_writes, run_worker, db, attributes, done
):
    bot.rules(rule('set_attributes = { seen = true }\nreply = "Thanks."'))
    message = customer_writes("hello")
    emulator.chat(message["conversation_sid"], "support-agent", "I am on it")
    assert emulator.settle()
    run_worker()

    assert emulator.replies() == []
    assert attributes() == {}
    assert done() == [("set_attributes", "skipped", "a human wrote in the meantime")]


def test_when_an_agent_writes_before_wordless_actions_they_do_not_happen(
    bot, emulator, customer_writes, run_worker, attributes, done
):
    bot.rules(rule("set_attributes = { seen = true }"))
    message = customer_writes("hello")
    emulator.chat(message["conversation_sid"], "support-agent", "I am on it")
    assert emulator.settle()
    run_worker()

    assert attributes() == {}
    assert done() == [("set_attributes", "skipped", "a human wrote in the meantime")]


def test_actions_that_twilio_cannot_take_now_are_done_later(bot, ada, emulator, attributes, done):
    bot.rules(rule('set_attributes = { seen = true }\nreply = "Thanks."'))
    emulator.faults(fail_next=[{"status": 503, "method": "GET"}])
    ada.says("hello")
    assert (attributes(), done()) == ({}, [("set_attributes", "intended", "")])
    bot.advance(minutes=5)

    assert (attributes(), done()) == ({"seen": True}, [("set_attributes", "done", "")])
    assert bot.replies() == ["Thanks."]
