"""Follow-ups that fall due while we are closed, or in quiet hours: they come at the next opening, once and in order."""

import json
from datetime import timedelta

import pytest

from app.store import messages

pytestmark = pytest.mark.engines("sqlite")

RULES = """
[bot]
{when}
repeated_text = 0

[[rule]]
name = "sorry"
when = {{ unanswered_for = "5m", hours = "open" }}
reply = "Sorry that you wait."

[[rule]]
name = "still sorry"
when = {{ unanswered_for = "1h", any = [{{ hours = "open" }}, {{ role = "vip" }}] }}
reply = "Sorry that you still wait."

[[rule]]
name = "at any time"
when = {{ unanswered_for = "2h" }}
reply = "It has been two hours."
cooldown = "1d"

[[rule]]
name = "thanks"
reply = "Thanks."
"""
THANKS, TWO_HOURS = "Thanks.", "It has been two hours."
SORRY, STILL_SORRY = "Sorry that you wait.", "Sorry that you still wait."
SEVEN_HOURS = 7 * 60


@pytest.fixture
def closed(bot, clock):
    """Let us open in so many minutes, for an hour; return the bot."""

    def until(minutes, rules=RULES):
        opens, closes = (clock() + timedelta(minutes=minutes + more) for more in (0, 60))
        days = "{ mon-sun = " + f'"{opens:%H:%M}-{closes:%H:%M}"' + " }"
        bot.rules(rules.format(when=f"hours = {days}"))
        return bot

    return until


@pytest.fixture
def listed(flask_command):
    """Return what became of the events of a type, oldest first."""

    def read(event_type):
        events = json.loads(flask_command("inbox", "list", "--event-type", event_type, "--json"))
        return [event["outcome"] for event in sorted(events, key=lambda event: event["id"])]

    return read


def test_what_falls_due_while_we_are_closed_comes_when_we_open_once_and_in_order(closed, listed):
    bot = closed(SEVEN_HOURS)
    bot.customer().says("hello")
    for minutes in (5, 55, 60):
        bot.advance(minutes=minutes)
    assert bot.replies() == [THANKS, TWO_HOURS]
    bot.advance(minutes=SEVEN_HOURS - 120)
    assert bot.replies() == [THANKS, TWO_HOURS, SORRY, STILL_SORRY]
    for hours in (1, 16, 7):
        bot.advance(hours=hours)

    assert bot.replies() == [THANKS, TWO_HOURS, SORRY, STILL_SORRY]
    assert [line.startswith("no reply yet: we are closed; tried again on ") for line in listed("parley.follow_up")] == [
        True,
        True,
        False,
        False,
        False,
    ]


def test_nothing_is_decided_until_then(closed, app):
    bot = closed(SEVEN_HOURS)
    message = bot.customer().says("hello")
    bot.advance(minutes=5)
    assert decision(app, message) is None
    bot.advance(minutes=SEVEN_HOURS - 5)

    assert decision(app, message).reason == 'rule "sorry" matched'


def test_a_human_who_answers_meanwhile_ends_the_wait(closed, listed):
    bot = closed(SEVEN_HOURS)
    bot.customer().says("hello")
    bot.advance(minutes=5)
    bot.agent().says("I am here early")
    bot.advance(minutes=SEVEN_HOURS - 5)

    assert bot.replies() == [THANKS]
    assert listed("parley.timer")[-1] == "a human has answered"


def test_who_writes_again_much_later_is_told_so_once_when_we_open(closed, listed):
    bot = closed(SEVEN_HOURS)
    ada = bot.customer()
    ada.says("hello")
    for minutes in (5, 55, 60, 60):
        bot.advance(minutes=minutes)
    ada.says("hello?")
    for minutes in (5, 55, SEVEN_HOURS - 240):
        bot.advance(minutes=minutes)

    assert bot.replies().count(SORRY) == bot.replies().count(STILL_SORRY) == 1
    assert "the customer has begun to wait anew" in listed("parley.timer")


def test_a_worker_that_was_away_while_it_fell_due_puts_it_off_all_the_same(closed):
    bot = closed(SEVEN_HOURS)
    bot.customer().says("hello")
    bot.advance(minutes=180)  # late by more than an hour, but not by the hours that count
    bot.advance(minutes=SEVEN_HOURS - 180)

    assert bot.replies()[1:] == [SORRY, STILL_SORRY]


def test_a_worker_that_was_away_at_the_opening_too_comes_in_time_or_not_at_all(closed, app):
    bot = closed(30)
    message = bot.customer().says("hello")
    bot.advance(minutes=75)
    assert bot.replies() == [THANKS, SORRY, STILL_SORRY]
    bot = closed(30)
    message = bot.customer("+15550100002").says("hello")
    bot.advance(hours=8)

    assert bot.replies() == [THANKS, SORRY, STILL_SORRY, THANKS]
    assert decision(app, message).reason == "the follow-up is late by more than 1 h"


def test_what_falls_due_in_quiet_hours_comes_when_they_end(bot, clock):
    begins, ends = (clock() + timedelta(minutes=minutes) for minutes in (2, 182))
    bot.rules(RULES.format(when=f'quiet_hours = {{ between = "{begins:%H:%M}-{ends:%H:%M}" }}'))
    bot.customer().says("hello")
    for minutes in (5, 55, 60):
        bot.advance(minutes=minutes)
    assert bot.replies() == [THANKS]
    bot.advance(minutes=62)

    assert bot.replies() == [THANKS, SORRY, STILL_SORRY, TWO_HOURS]


def test_what_a_cool_down_stops_while_we_are_closed_is_not_put_off(closed, app):
    bot = closed(SEVEN_HOURS, RULES.replace('cooldown = "1d"', 'cooldown = "4h"'))
    ada = bot.customer()
    ada.says("hello")
    bot.advance(minutes=120)
    message = ada.says("hello again")
    bot.advance(minutes=120)  # closed, and half of the cool-down is left; it will be over when we open

    assert decision(app, message, 7200).reason == "no rule matched"
    assert bot.replies().count(TWO_HOURS) == 1


def decision(app, message_sid, seconds=300):
    with app.extensions["parley"].db.read() as tx:
        return messages.decision(tx, messages.DecisionKey(message_sid, seconds))
