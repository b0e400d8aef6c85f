"""Twilio is out of order for hours, or asks for years of silence: all wait, and each is answered once."""

import json

import pytest

from tests.support.arrivals import arrive

THANKS = "Thanks, we will be right back."
HOUR = 3600


@pytest.fixture
def arrives(emulator, post_webhook):
    return lambda number: arrive(emulator, post_webhook, sender=f"+1555010{1000 + number}")


@pytest.fixture
def events(flask_command):
    """All events as `flask inbox list` shows them, oldest first."""
    return lambda: json.loads(flask_command("inbox", "list", "--json", "--limit", "100"))[::-1]


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param({"fail": "503:1", "reads": True}, id="refuses everything"),
        pytest.param({"fail": "502:1"}, id="refuses to send"),
    ],
)
def test_an_outage_of_three_hours_kills_no_event_and_answers_everybody_once(
    arrives, emulator, attempts_go_by, events, fault
):
    emulator.faults(**fault)
    for number in range(12):
        arrives(number)
    attempts_go_by(36, 3 * HOUR / 36)
    assert {event["state"] for event in events()} <= {"pending", "scheduled"}
    assert max(event["attempts"] for event in events()) <= 3
    assert {"again and again" in event["outcome"] or "on its way" in event["outcome"] for event in events()} == {True}
    emulator.faults()
    attempts_go_by(40, 61)

    assert emulator.replies() == [THANKS] * 12
    assert {event["state"] for event in events()} == {"processed"}


def test_a_single_reply_that_waits_survives_an_outage_of_three_hours_too(arrives, emulator, attempts_go_by, events):
    emulator.faults(fail="503:1", reads=True)
    arrives(0)
    attempts_go_by(180, 60)
    [waiting] = events()
    emulator.faults()
    attempts_go_by(10, 61)

    assert waiting["state"] in ("pending", "scheduled")
    assert emulator.replies() == [THANKS]


def test_while_twilio_is_out_of_order_one_request_at_a_time_tries(arrives, emulator, attempts_go_by):
    emulator.faults(fail="503:1", reads=True)
    for number in range(12):
        arrives(number)
    attempts_go_by(4, 10)
    seen = len(emulator.requests())
    attempts_go_by(10, 61)

    assert len(emulator.requests()) - seen == 10


def test_a_wait_until_the_year_9999_is_one_of_fifteen_minutes_and_costs_no_attempt(
    arrives, emulator, attempts_go_by, events
):
    never = {"status": 503, "retry_after": 8000 * 365 * 86_400, "method": "POST", "path_contains": "/Messages"}
    emulator.faults(fail_next=[never])
    arrives(0)
    attempts_go_by(1, 0)
    arrives(1)
    attempts_go_by(2, 7 * 60)
    assert emulator.replies() == []
    assert [event["attempts"] for event in events()] == [0, 0]
    attempts_go_by(3, 61)

    assert emulator.replies() == [THANKS] * 2
