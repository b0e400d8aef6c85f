"""`flask inbox gates` and `flask inbox retry` by reason and time: what waits for Twilio, and what died of it."""

import json

import pytest

from app.store.rate_limits import FAILURES
from tests.support.arrivals import arrive

SEND = {"method": "POST", "path_contains": "/Messages"}
THANKS = "Thanks, we will be right back."


@pytest.fixture
def arrives(emulator, post_webhook):
    return lambda number: arrive(emulator, post_webhook, sender=f"+1555010{1000 + number}")


@pytest.fixture
def run(app):
    """Run a command and return its exit code and what it said."""

    def run(*arguments):
        result = app.test_cli_runner().invoke(args=["inbox", *arguments])
        return result.exit_code, result.output

    return run


@pytest.fixture
def out_of_order(arrives, emulator, run_worker, time_stands):
    """Twilio refuses everything, and has done so often enough; seven customers wait."""
    emulator.faults(fail="500:1", reads=True)
    for number in range(FAILURES + 2):
        arrives(number)
    run_worker()


def gates(run):
    return json.loads(run("gates", "--json")[1])


def test_where_nothing_is_closed_it_says_so(run):
    assert run("gates") == (0, "No gate is closed.\n")


def test_an_outage_is_shown_with_its_reason_and_since_when(out_of_order, run):
    (gate,) = gates(run)

    assert gate["scope"] == "account"
    assert gate["failing_since"] < gate["opens_at"]
    assert gate["reason"].startswith("Twilio has a fault (20500), again and again: all wait, and one request")


def test_lifting_the_gate_lets_all_who_wait_be_answered_now(out_of_order, run, emulator, run_worker, clock):
    emulator.faults()
    code, said = run("gates", "--lift", "account")
    assert (code, said) == (0, "account may send again; 3 conversations that waited for it are due now.\n")
    assert gates(run) == []
    clock.advance(3)  # what was tried just now is looked for at Twilio a little later
    run_worker()

    assert len(emulator.replies()) >= 3


def test_a_conversation_that_twilio_wants_to_rest_is_named_and_can_be_lifted(arrives, run, emulator, run_worker, clock):
    emulator.faults(fail_next=[SEND | {"status": 429, "code": 50063, "retry_after": 600}])
    sid = arrives(0)["conversation_sid"]
    run_worker()
    (gate,) = gates(run)
    assert (gate["scope"], gate["failing_since"]) == (sid, None)
    assert gate["reason"] == "Twilio asked us to wait: too many writes to the conversation (50063)"
    run("gates", "--lift", sid)
    clock.advance(3)  # after every try the conversation is looked at a little later
    run_worker()

    assert emulator.replies() == [THANKS]


def test_a_gate_that_is_not_closed_is_named(run):
    code, said = run("gates", "--lift", "CH1")

    assert code == 1
    assert said == "Error: no gate 'CH1' is closed; `flask inbox gates` lists those that are\n"


@pytest.fixture
def dead(arrives, emulator, run_worker, clock):
    """Three dead events: of two reasons, the last two of them a day later."""
    for number, (code, hours) in enumerate([(50513, 24), (50504, 1), (50513, 0)]):
        emulator.faults(fail_next=[SEND | {"status": 400, "code": code}])
        arrives(number)
        run_worker()
        clock.advance(hours * 3600)


@pytest.mark.parametrize(
    ("options", "ids"),
    [
        (["--reason", "GROUP mms"], [1, 3]),
        (["--reason", "too long"], [2]),
        (["--reason", "100%_"], []),
        (["--since", "2h"], [2, 3]),
        (["--reason", "group", "--since", "2h"], [3]),
        (["--all-dead", "--since", "30m"], [3]),
        (["--all-dead"], [1, 2, 3]),
        (["1", "2"], [1, 2]),
    ],
)
def test_the_dead_are_chosen_by_reason_and_by_when_they_died(dead, run, options, ids):
    code, said = run("retry", *options, "--dry-run", "--json")
    assert code == 0
    assert [row["id"] for row in json.loads(said)["would_retry"]] == ids
    assert [row["id"] for row in json.loads(run("list", "--state", "dead", "--json")[1])] == [3, 2, 1]

    assert json.loads(run("retry", *options, "--json")[1])["retried"] == ids


def test_a_dry_run_shows_why_they_died(dead, run):
    said = run("retry", "--reason", "too long", "--dry-run")[1]

    assert "onMessageAdded" in said
    assert "the reply is too long for this channel" in said


@pytest.mark.parametrize("arguments", [["--dry-run"], ["1", "--all-dead"], ["1", "--reason", "x"], ["--since", "soon"]])
def test_what_is_not_clear_is_refused(run, arguments):
    assert run("retry", *arguments)[0] == 2
