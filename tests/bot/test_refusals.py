"""What becomes of a reply when Twilio refuses it, limits us or gives no answer: one reply in the end, or a reason."""

import dataclasses
import json
import socket
from itertools import pairwise

import pytest

from app.runtime.worker import make_worker

pytestmark = [
    pytest.mark.engines("sqlite"),  # told apart is what Twilio says, not where it is kept
    pytest.mark.usefixtures("time_stands"),  # a wait of seconds ends when the test says so
]

THANKS = "Thanks, we will be right back."
DAY = 86_400


@pytest.fixture
def events(flask_command):
    """All events as `flask inbox list` shows them, oldest first."""
    return lambda: json.loads(flask_command("inbox", "list", "--json", "--limit", "100"))[::-1]


@pytest.fixture
def sends(emulator):
    """The answers to our POSTs so far: HTTP statuses, 0 for a connection that was cut."""
    return lambda: [request["status"] for request in emulator.requests() if request["method"] == "POST"]


def refuse(emulator, status, code=0, *, count=1, retry_after=None, conversation_sid="/Messages"):
    told = {"status": status, "code": code, "retry_after": retry_after, "method": "POST", "count": count}
    emulator.faults(fail_next=[told | {"path_contains": conversation_sid}])


def test_a_reply_that_twilio_stored_before_the_connection_broke_is_found_and_linked(
    arrives, emulator, run_worker, attempts_go_by, sends, flask_command, webhooks_arrive
):
    emulator.faults(cut_next=1)
    arrives()
    run_worker()
    assert emulator.settle()
    attempts_go_by(2, 10)

    assert emulator.replies() == [THANKS]
    assert sends() == [0]
    (delivery,) = json.loads(flask_command("deliveries", "list", "--json"))
    assert (delivery["status"], delivery["rule"]) == ("delivered", "default")


def test_after_a_request_without_an_answer_nothing_is_asked_for_two_seconds(
    arrives, emulator, run_worker, attempts_go_by
):
    senders = [f"+1555010{1000 + number}" for number in range(4)]
    for sender in senders:
        arrives(sender=sender)
    run_worker()
    emulator.faults(cut_next=4)
    for sender in senders:
        arrives(sender=sender)
    run_worker()
    seen = len(emulator.requests())
    attempts_go_by(2, 0.5)
    assert len(emulator.requests()) == seen
    attempts_go_by(1, 10)

    assert [request["method"] for request in emulator.requests()[seen:]] == ["GET"] * 4


@pytest.mark.parametrize(
    ("status", "code"),
    [
        pytest.param(500, 20500, id="fault at Twilio"),
        pytest.param(503, 20503, id="unavailable"),
        pytest.param(429, 20429, id="too many requests"),
        pytest.param(401, 20003, id="credentials refused"),
        pytest.param(403, 20003, id="key without permission"),
    ],
)
def test_a_refusal_that_may_pass_is_tried_again_after_a_look_at_the_conversation(
    arrives, emulator, run_worker, attempts_go_by, events, clock, status, code
):
    refuse(emulator, status, code)
    arrives()
    with clock.standing_still():  # the first wait is anything up to eight seconds
        run_worker()
        assert [(event["state"], event["outcome"] != "") for event in events()] == [("scheduled", True)]
    attempts_go_by(2, 10)

    assert emulator.replies() == [THANKS]
    made = [(one["method"], one["status"]) for one in emulator.requests() if "/Messages" in one["path"]]
    assert made == [("POST", status), ("GET", 200), ("POST", 201)]
    assert [event["state"] for event in events()] == ["processed"]


@pytest.mark.parametrize("status", [502, 504, 408])
def test_while_twilio_may_still_be_storing_a_reply_it_is_looked_for_and_not_sent(
    arrives, emulator, run_worker, attempts_go_by, sends, status
):
    refuse(emulator, status)
    arrives()
    run_worker()
    attempts_go_by(7, 4)
    assert sends() == [status]
    attempts_go_by(4, 10)

    assert sends() == [status, 201]
    assert emulator.replies() == [THANKS]


@pytest.mark.parametrize("seconds", [9, 25])
def test_a_reply_that_twilio_stores_long_after_it_should_have_answered_is_one_reply(
    arrives, emulator, passes, run_worker, sends, events, seconds
):
    emulator.faults(late_next={"seconds": seconds})
    arrives()
    run_worker()
    for _ in range(80):
        passes(1)
        run_worker()

    assert emulator.replies() == [THANKS]
    assert sends() == [0]
    assert [(event["state"], event["attempts"]) for event in events()] == [("processed", 2)]


def test_the_wait_before_a_reply_is_sent_again_grows(arrives, emulator, run_worker, clock, sends):
    emulator.faults(fail="502:1")
    arrives()
    waits, began = [], clock()
    for _ in range(300):
        run_worker()
        waits += [(clock() - began).total_seconds()] * (len(sends()) - len(waits))
        clock.advance(2)

    gaps = [later - earlier for earlier, later in pairwise(waits)]
    assert len(gaps) >= 3
    assert all(gap >= least for gap, least in zip(gaps, (30, 60, 120), strict=False))


def test_a_retry_that_is_due_in_a_millisecond_is_left_for_the_next_look(
    arrives, emulator, run_worker, events, monkeypatch
):
    monkeypatch.setattr("random.uniform", lambda least, most: 0.001)
    refuse(emulator, 401, 20003)
    arrives()
    run_worker()

    assert "earlier request" not in events()[0]["outcome"]


def test_a_limit_of_one_conversation_holds_that_conversation_only_and_for_the_time_asked(
    arrives, emulator, run_worker, attempts_go_by, sends, events
):
    held = arrives("order one")
    arrives("order two")
    refuse(emulator, 429, 50063, retry_after=30, conversation_sid=held["conversation_sid"])
    run_worker()
    arrives("hello", sender="+15550100002")
    attempts_go_by(3, 9)
    assert emulator.replies() == [THANKS]
    assert sends() == [429, 201]
    attempts_go_by(1, 5)

    assert sorted(emulator.replies()) == ["Please send your order number."] * 2 + [THANKS]
    assert [event["attempts"] for event in events()] == [1, 1, 1]


def test_a_limit_of_the_account_holds_every_conversation_for_the_time_asked(
    arrives, emulator, run_worker, attempts_go_by, sends, events
):
    refuse(emulator, 429, 20429, retry_after=30)
    arrives()
    run_worker()
    arrives("order", sender="+15550100002")
    attempts_go_by(3, 9)
    assert sends() == [429]
    attempts_go_by(1, 5)

    assert sorted(emulator.replies()) == ["Please send your order number.", THANKS]
    assert [(event["state"], event["attempts"]) for event in events()] == [("processed", 1)] * 2


def test_a_limit_that_lasts_for_many_tries_does_not_bury_the_message(arrives, emulator, run_worker, attempts_go_by):
    refuse(emulator, 429, 20429, retry_after=1, count=14)
    arrives()
    run_worker()
    attempts_go_by(15, 2)

    assert emulator.replies() == [THANKS]


def test_refused_credentials_end_in_a_dead_event_that_a_command_brings_back(
    arrives, emulator, run_worker, attempts_go_by, events, flask_command
):
    emulator.faults(fail="401:1", reads=True)
    arrives()
    run_worker()
    attempts_go_by(11, DAY)
    (dead,) = events()
    assert (dead["state"], dead["attempts"]) == ("dead", 12)
    assert "check TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN" in dead["outcome"]
    attempts_go_by(2, DAY)
    emulator.faults()
    assert emulator.replies() == []
    flask_command("inbox", "retry", str(dead["id"]))
    run_worker()

    assert emulator.replies() == [THANKS]
    assert [event["state"] for event in events()] == ["processed"]


@pytest.mark.parametrize(
    ("status", "code", "reason"),
    [
        pytest.param(400, 50377, "the conversation is closed (50377)", id="closed"),
        pytest.param(404, 20404, "the conversation no longer exists (20404)", id="gone"),
        pytest.param(404, 50350, "the conversation no longer exists (50350)", id="gone, by its own code"),
        pytest.param(400, 21610, "the recipient opted out (21610)", id="opted out"),
        pytest.param(400, 63016, "outside WhatsApp's 24 hour window (63016)", id="outside the window"),
    ],
)
def test_a_reply_that_would_be_pointless_is_dropped_with_the_reason_and_never_tried_again(
    arrives, emulator, run_worker, attempts_go_by, sends, events, status, code, reason
):
    refuse(emulator, status, code)
    arrives()
    run_worker()
    attempts_go_by(2, DAY)

    assert (emulator.replies(), sends()) == ([], [status])
    assert [(event["state"], event["outcome"]) for event in events()] == [
        ("processed", f"rule default not sent: {reason}")
    ]


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        pytest.param(50504, "the reply is too long", id="too long"),
        pytest.param(50373, "the conversation has no messaging service", id="no messaging service"),
        pytest.param(20001, "Twilio refused the request (20001)", id="any other"),
    ],
)
def test_a_refusal_that_only_a_person_can_mend_is_dead_at_once(
    arrives, emulator, run_worker, attempts_go_by, sends, events, code, reason
):
    refuse(emulator, 400, code)
    arrives()
    run_worker()
    attempts_go_by(2, DAY)

    (dead,) = events()
    assert (dead["state"], dead["attempts"], sends()) == ("dead", 1, [400])
    assert dead["outcome"].startswith(reason)


def test_a_twilio_that_cannot_be_reached_is_tried_again(arrives, app, clock, emulator, attempts_go_by, events):
    parley = app.extensions["parley"]
    with socket.socket() as nobody_listens:
        nobody_listens.bind(("127.0.0.1", 0))
        nowhere = f"http://127.0.0.1:{nobody_listens.getsockname()[1]}"
        arrives()
        with clock.standing_still():  # the first wait is anything up to eight seconds
            make_worker(dataclasses.replace(parley.settings, api_base_url=nowhere), parley.db).drain()
            told = [(event["state"], event["outcome"]) for event in events()]
    assert told == [("scheduled", "Twilio cannot be reached")]
    attempts_go_by(1, 10)

    assert emulator.replies() == [THANKS]
