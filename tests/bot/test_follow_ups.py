"""Follow-ups on silence: they come once, when no human has answered for a time, whatever happens to the process."""

import json

import pytest

from app.config import FOREVER
from app.inbox import queue
from app.runtime.worker import make_worker
from app.store import conversations, messages

pytestmark = pytest.mark.engines("sqlite")

RULES = """
[[rule]]
name = "person"
when = { keywords = ["human"] }
reply = "A colleague will be with you."
hand_over = true

[[rule]]
name = "nobody came"
when = { unanswered_for = "5m" }
reply = "Sorry, we are busy. You wrote: {{ text }}"

[[rule]]
name = "still nobody"
when = { unanswered_for = "1h", first_contact = true }
reply = "We have not forgotten you."

[[rule]]
name = "thanks"
reply = "Thank you."
"""
THANKS, SORRY, NOT_FORGOTTEN = "Thank you.", "Sorry, we are busy. You wrote: hello", "We have not forgotten you."


@pytest.fixture
def bot(bot):
    bot.rules(RULES)
    return bot


@pytest.fixture
def ada(bot):
    return bot.customer()


@pytest.fixture
def stats(flask_command):
    return lambda: json.loads(flask_command("inbox", "stats", "--json"))


@pytest.fixture
def follow_up_reason(app):
    """Return why a follow-up was or was not sent; None when there was nothing to decide."""

    def read(message_sid, seconds=300):
        with app.extensions["parley"].db.read() as tx:
            decision = messages.decision(tx, messages.DecisionKey(message_sid, seconds))
        return decision and decision.reason

    return read


def test_a_customer_whom_no_human_answers_hears_of_it_after_the_time(bot, ada, follow_up_reason):
    message = ada.says("hello")
    bot.advance(minutes=4)
    assert bot.replies() == [THANKS]
    bot.advance(minutes=1)

    assert bot.replies() == [THANKS, SORRY]
    assert follow_up_reason(message) == 'rule "nobody came" matched'
    assert bot.reason(message) == 'rule "thanks" matched'


def test_each_time_of_silence_has_its_own_rules(bot, ada):
    ada.says("hello")
    bot.advance(hours=1)
    bot.advance(hours=2)

    assert bot.replies() == [THANKS, SORRY, NOT_FORGOTTEN]


def test_an_agent_who_answers_in_time_ends_the_wait(bot, ada, follow_up_reason):
    message = ada.says("hello")
    bot.agent().says("I am on it")
    bot.advance(hours=2)

    assert bot.replies() == [THANKS]
    assert follow_up_reason(message) is None


def test_who_writes_after_the_agent_waits_anew(bot, ada):
    ada.says("hello")
    bot.agent().says("I am on it")
    bot.advance(minutes=31)
    ada.says("hello")
    bot.advance(minutes=5)

    assert bot.replies() == [THANKS, THANKS, SORRY]


def test_within_an_agents_pause_nobody_is_followed_up(bot, ada, follow_up_reason):
    ada.says("hello")
    bot.agent().says("I am on it")
    message = ada.says("are you there?")
    bot.advance(minutes=5)

    assert bot.replies() == [THANKS]
    assert follow_up_reason(message).startswith("paused until")


def test_further_messages_do_not_begin_the_wait_again(bot, ada):
    ada.says("hello")
    bot.advance(minutes=3)
    ada.says("are you there?")
    bot.advance(minutes=2)

    assert bot.replies() == [THANKS, THANKS, SORRY]
    bot.advance(minutes=10)
    assert bot.replies() == [THANKS, THANKS, SORRY]


def test_who_comes_back_after_the_longest_time_waits_anew_even_if_no_human_ever_wrote(bot, ada):
    ada.says("hello")
    bot.advance(minutes=5)
    bot.advance(hours=1)
    ada.says("hello")
    bot.advance(minutes=5)
    bot.advance(hours=1)

    assert bot.replies() == [THANKS, SORRY, NOT_FORGOTTEN, THANKS, SORRY]  # the second time is no first contact


def test_a_follow_up_that_comes_much_too_late_is_not_sent(bot, ada, follow_up_reason):
    message = ada.says("hello")
    bot.advance(hours=3)

    assert bot.replies() == [THANKS]
    assert follow_up_reason(message) == "the follow-up is late by more than 1 h"


def test_a_rule_that_handed_over_does_not_silence_the_follow_up(bot, ada):
    ada.says("a human, please")
    ada.says("hello?")
    bot.advance(minutes=5)

    assert bot.replies() == ["A colleague will be with you.", "Sorry, we are busy. You wrote: a human, please"]


def test_an_operators_pause_silences_the_follow_up(bot, ada, app, follow_up_reason, emulator):
    message = ada.says("hello")
    conversation = emulator.messages()[0]["conversation_sid"]
    with app.extensions["parley"].db.write() as tx:
        conversations.pause(tx, conversation, FOREVER, "paused by an operator", by="operator")
    bot.advance(minutes=5)

    assert bot.replies() == [THANKS]
    assert follow_up_reason(message) == "paused until resumed because paused by an operator"


def test_who_opted_out_is_not_followed_up(bot, ada, follow_up_reason):
    message = ada.says("hello")
    ada.says("STOP")
    bot.advance(minutes=5)

    assert bot.replies() == [THANKS]
    assert follow_up_reason(message) == "the recipient has opted out"


def test_timers_are_scheduled_work_that_a_drain_leaves_for_later(bot, ada, stats, flask_command):
    ada.says("hello")
    flask_command("worker", "--drain")

    assert (stats()["scheduled"], stats()["pending"]) == (1, 0)
    (listed,) = json.loads(flask_command("inbox", "list", "--state", "scheduled", "--json"))
    assert listed["event_type"] == "parley.timer"


def test_a_timer_can_be_looked_at(bot, ada, flask_command):
    message = ada.says("hello")
    (event,) = json.loads(flask_command("inbox", "list", "--state", "scheduled", "--json"))
    shown = json.loads(flask_command("inbox", "show", str(event["id"]), "--json"))

    assert (shown["parameters"]["MessageSid"], shown["parameters"]["Seconds"]) == (message, "300")


def test_a_longer_silence_is_not_looked_at_before_the_shorter_one(bot, ada, clock, app):
    ada.says("hello")
    clock.advance(3600)
    parley = app.extensions["parley"]
    queue.claim(parley.db)  # a worker that was away takes the first timer, and is slow

    assert queue.claim(parley.db) is None  # another one finds nothing that could overtake it


def test_an_agents_message_that_came_before_the_follow_up_was_sent_stops_it(
    bot, ada, app, emulator, clock, follow_up_reason
):
    message = ada.says("hello")
    clock.advance(300)
    parley = app.extensions["parley"]
    worker = make_worker(parley.settings, parley.db)
    assert worker.work_once()  # the timer: the follow-up is in line now
    emulator.chat(emulator.messages()[0]["conversation_sid"], "support-agent", "I am on it")
    bot.works()

    assert bot.replies() == [THANKS]
    assert follow_up_reason(message) == 'rule "nobody came" matched'  # decided, but not sent


@pytest.mark.parametrize("event_type", ["parley.timer", "parley.follow_up"])
def test_a_webhook_that_names_an_event_of_ours_is_an_unknown_one(
    bot, ada, post_webhook, run_worker, clock, flask_command, event_type
):
    message = ada.says("hello")
    clock.advance(300)
    told = {"EventType": event_type, "MessageSid": message, "Seconds": "300", "DateWaitingSince": "2026-11-23T00:00Z"}
    assert post_webhook("onMessageAdded__sms_text", told).status_code == 204
    run_worker()

    events = json.loads(flask_command("inbox", "list", "--event-type", event_type, "--json"))
    assert "ignored" in [event["state"] for event in events]
    assert bot.replies() == [THANKS, SORRY]


def test_a_follow_up_answers_the_first_message_of_a_burst(bot, ada):
    bot.rules('[bot]\ncoalesce = "30s"\ncoalesce_most = "1m"\n' + RULES)
    ada.says("hello")
    ada.says("are you there?")
    bot.advance(seconds=30)
    bot.advance(minutes=5)

    assert bot.replies() == [THANKS, SORRY]


def test_rules_without_follow_ups_set_no_timers(bot, ada, stats):
    bot.rules('[[rule]]\nname = "thanks"\nreply = "Thank you."')
    ada.says("hello")

    assert stats()["scheduled"] == 0
