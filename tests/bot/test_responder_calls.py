"""Exactly one reply though the responder is asked: ends of processes at any step, two workers, both databases."""

import json
from contextlib import suppress
from datetime import timedelta

import pytest
from sqlalchemy import select

from app.db.tables import lanes, responder_calls
from app.inbox import queue
from app.inbox.leases import LEASE_SECONDS
from app.runtime.worker import make_worker
from app.store.replies import LATE_STORE
from tests.support.eventually import eventually
from tests.support.power_cuts import PowerCut, cut_at
from tests.support.responders import FALLBACK, NAME, RULES, responds, slow

__all__ = ["responds", "slow"]


@pytest.fixture
def rules_file(tmp_path):
    path = tmp_path / "rules.toml"
    path.write_text(RULES.replace("8s", "60s"))  # longer than any of these tests takes
    return path


@pytest.fixture
def environ(environ, responds):
    return environ | {"BOT_RESPONDER": NAME}


@pytest.fixture
def db(app):
    return app.extensions["parley"].db


@pytest.fixture
def new_worker(app, slow):
    parley = app.extensions["parley"]
    return lambda: make_worker(parley.settings, parley.db)


@pytest.fixture
def worker(new_worker):
    return new_worker()


@pytest.fixture
def work_until(db, worker):
    """Work on one event until the step, where the process ends; return the steps that were begun."""

    def work(step):
        with cut_at(db.engine, step) as steps, suppress(PowerCut):
            worker.work_once()
        return steps

    return work


@pytest.fixture
def calls(db):
    def read():
        with db.read() as tx:
            return tx.execute(select(responder_calls)).all()

    return read


@pytest.fixture
def is_answered(calls):
    return lambda: all(call.answered_at for call in calls())


@pytest.fixture
def answered(emulator):
    """The messages that Twilio has an answer of ours to."""

    def read():
        ours = [one for one in emulator.messages() if one["author"] == "support-bot"]
        return [json.loads(one["attributes"])["parley"]["reply_to"] for one in ours]

    return read


@pytest.fixture
def stats(flask_command):
    return lambda: json.loads(flask_command("inbox", "stats", "--json"))


@pytest.fixture
def message(arrives, slow):
    return arrives("hello")


def number(n):
    return f"+1555010{1000 + n}"


def test_while_it_is_asked_the_event_is_scheduled_and_afterwards_no_call_is_kept(
    message, new_worker, slow, stats, run_worker, calls, emulator, is_answered
):
    new_worker().work_once()
    assert (stats()["scheduled"], len(calls())) == (1, 1)
    slow.may_answer.set()
    assert eventually(is_answered)
    run_worker()

    assert (emulator.replies(), calls()) == (["You wrote: hello"], [])


def test_an_answer_is_sent_by_whichever_worker_comes_first(message, new_worker, slow, emulator, is_answered):
    asking, other = new_worker(), new_worker()
    asking.work_once()
    slow.may_answer.set()
    assert eventually(is_answered)
    assert [other.work_once(), asking.work_once(), other.work_once()] == [True, False, False]

    assert (emulator.replies(), slow.asked) == (["You wrote: hello"], ["hello"])


def test_when_the_process_that_asked_ends_the_fallback_is_sent_once(
    message, new_worker, slow, emulator, clock, run_worker
):
    new_worker().work_once()
    assert eventually(lambda: slow.asked)
    run_worker()
    assert emulator.replies() == []
    clock.advance(61)
    run_worker()
    slow.may_answer.set()
    run_worker()

    assert (emulator.replies(), slow.asked) == ([FALLBACK], ["hello"])


def test_a_process_that_ends_at_any_step_of_asking_leaves_one_reply_to_each_message(
    arrives, work_until, slow, clock, run_worker, is_answered, answered, stats
):
    arrives()
    steps = work_until(0)
    assert steps.count("INSERT") == 3  # whom the message is of, asked for at Twilio; and the call
    for n in range(1, len(steps) + 1):
        arrives(sender=number(n))
        work_until(n)
    slow.may_answer.set()
    assert eventually(is_answered)
    clock.advance(LEASE_SECONDS + 1)
    run_worker()

    count = len(steps) + 1
    assert len(answered()) == len(set(answered())) == len(slow.asked) == count
    assert stats()["processed"] == count


def test_a_process_that_ends_at_any_step_of_sending_the_answer_leaves_one_reply_to_each_message(
    arrives, worker, work_until, slow, clock, run_worker, is_answered, answered, stats
):
    slow.may_answer.set()
    arrives()
    worker.work_once()
    assert eventually(is_answered)
    steps = work_until(0)
    assert (steps.count("DELETE"), steps.count("POST")) == (1, 1)
    slow.may_answer.clear()  # what is answered would be sent before the next is asked
    for n in range(1, len(steps) + 1):
        arrives(sender=number(n))
        worker.work_once()
    slow.may_answer.set()
    assert eventually(is_answered)
    for n in range(1, len(steps) + 1):
        work_until(n)
    clock.advance(LEASE_SECONDS + 1)
    run_worker()
    clock.advance(LATE_STORE.total_seconds())
    run_worker()

    count = len(steps) + 1
    assert len(answered()) == len(set(answered())) == len(slow.asked) == count
    assert stats()["processed"] == count


@pytest.fixture
def lane_of(db):
    """Give a lane a time and a lease, pull it forward and return when it is ready."""

    def pulled(ready_in, leased_for):
        with db.write() as tx:
            instant = db.instant(tx)
            now = instant.at
            moments = {"ready_at": ready_in and now + ready_in, "lease_until": leased_for and now + leased_for}
            tx.execute(lanes.insert().values(lane="CH1", **moments))
            queue.pull_forward(tx, "CH1", instant)
            ready_at = tx.scalar(select(lanes.c.ready_at))
            return ready_at and ready_at - now

    return pulled


MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("ready_in", "leased_for", "pulled_to"),
    [
        pytest.param(MINUTE, None, timedelta(0), id="a lane that waits is ready now"),
        pytest.param(MINUTE, -MINUTE, timedelta(0), id="also where a lease has ended"),
        pytest.param(MINUTE, MINUTE, MINUTE, id="one that is worked on stays as it is"),
        pytest.param(-MINUTE, None, -MINUTE, id="one that is ready keeps its place"),
        pytest.param(None, None, None, id="one with nothing to do stays idle"),
    ],
)
def test_only_a_lane_that_waits_is_pulled_forward(lane_of, ready_in, leased_for, pulled_to):
    assert lane_of(ready_in, leased_for) == pulled_to
