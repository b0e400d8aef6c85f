"""`flask doctor` about work that waits: gates in front of Twilio, and clocks that were set back."""

import json
import re
from datetime import timedelta

import pytest

from app.store import clock_steps, rate_limits
from app.store.clock_steps import Mended

OPENS = "it opens by itself; `flask inbox gates --lift account` opens it now"


@pytest.fixture
def doctor(app, emulator):
    """Run the command and return what it finds of one kind."""

    def doctor(kind):
        output = app.test_cli_runner().invoke(args=["doctor", "--json"]).stdout
        return [found for found in json.loads(output)["findings"] if found["check"] == kind]

    return doctor


def test_where_no_gate_is_closed_and_no_clock_was_set_back_all_is_well(doctor):
    assert [found["state"] for found in doctor("gates")] == ["ok"]
    assert doctor("clock steps") == []


def test_a_gate_that_is_closed_in_front_of_twilio_is_a_warning_with_the_command_that_opens_it(doctor, db):
    with db.write() as tx:
        rate_limits.close(tx, rate_limits.ACCOUNT, timedelta(minutes=5), db.now(tx), "too many requests (20429)")
    (gate,) = doctor("gates")

    assert gate["state"] == "warning"
    assert re.fullmatch(
        r"account until \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC: Twilio asked us to wait: too many requests \(20429\)",
        gate["found"],
    )
    assert gate["next_step"] == OPENS


def test_an_outage_is_a_warning_that_says_since_when_and_where_to_look(doctor, db):
    with db.write() as tx:
        for _ in range(rate_limits.FAILURES):
            passage = rate_limits.enter(tx, "CH1", db.now(tx))
            rate_limits.record_failure(tx, passage, "Twilio has a fault (500)", db.now(tx))
    (gate,) = doctor("gates")

    assert re.search(r"failing since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC: ", gate["found"])
    assert "Twilio has a fault (500), again and again" in gate["found"]
    assert gate["next_step"] == f"see status.twilio.com; {OPENS}"


def test_of_many_closed_gates_five_are_named_and_the_others_counted(doctor, db):
    with db.write() as tx:
        for number in range(7):
            rate_limits.close(tx, f"CH{number}", timedelta(minutes=5), db.now(tx))
    found = doctor("gates")

    assert len(found) == 6
    assert (found[-1]["found"], found[-1]["next_step"]) == ("2 more", "`flask inbox gates` lists them")


def test_a_clock_that_was_set_back_is_a_warning_for_a_day(doctor, db, clock):
    with db.write() as tx:
        clock_steps.record(tx, Mended(leases=1, waits=2, gates=3, seconds=3600), db.now(tx))
    (step,) = doctor("clock steps")
    assert step["state"] == "warning"
    assert step["found"].startswith("set back by 1:00:00, seen at ")
    assert step["found"].endswith(" UTC; 1 leases, 2 waits and 3 gates were mended")
    clock.advance(25 * 3600)

    assert doctor("clock steps") == []
