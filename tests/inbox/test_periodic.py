"""When a chore is done: so often, twice after a start, by one process at a time."""

from datetime import timedelta

import pytest

from app.inbox import periodic
from app.reconcile.starting import TASK, Start

EVERY = timedelta(minutes=5)


@pytest.fixture
def in_use(db, clock):
    """A database of which all was looked through an hour ago."""
    turn = periodic.take(db, TASK)
    periodic.finish(db, turn, reached_at=turn.begun_at)
    clock.advance(3600)


@pytest.fixture
def due(db, clock):
    """Take and finish the chore after some seconds: whether it was due."""

    def after(seconds: float) -> bool:
        clock.advance(seconds)
        turn = periodic.take(db, TASK, every=EVERY)
        if turn:
            periodic.finish(db, turn)
        return turn is not None

    return after


def test_a_chore_is_done_every_so_often(due):
    assert [due(0), due(290), due(20)] == [True, False, True]


def test_after_a_start_it_is_done_at_once_and_a_minute_later_then_as_usual(db, due):
    assert due(0)
    due(200)
    Start(db).record()

    assert [due(0), due(60), due(10), due(30), due(200), due(70)] == [True, False, True, False, False, True]


def test_where_the_use_begins_nothing_is_to_be_done_before_a_minute_has_passed(db, due):
    Start(db).record()

    assert [due(0), due(60), due(10), due(60)] == [False, False, True, False]


def test_both_runs_after_a_start_know_it(in_use, db, clock):
    def take():
        turn = periodic.take(db, TASK, every=EVERY)
        periodic.finish(db, turn)
        return turn

    Start(db).record()
    at_once = take()
    clock.advance(70)
    again = take()
    clock.advance(300)

    assert (at_once.after_start, again.after_start, take().after_start) == (True, True, False)


def test_the_processes_of_one_installation_start_once(in_use, db, clock, due):
    for _ in range(3):
        Start(db).record()
        clock.advance(1)

    assert [due(0), due(5), due(60), due(5)] == [True, False, True, False]


def test_processes_that_start_again_and_again_make_a_run_every_half_minute_at_most(db, due, clock):
    runs = 0
    for _ in range(60):
        Start(db).record()
        runs += due(10)

    assert 15 <= runs <= 20


def test_nothing_is_done_while_another_process_does_it(db, clock):
    assert periodic.take(db, TASK, every=EVERY)
    Start(db).record()
    clock.advance(35)

    assert periodic.take(db, TASK, every=EVERY) is None


def test_what_needs_the_database_is_tried_until_it_can_be_reached(db):
    waits = []

    def step() -> None:
        if len(waits) < 2:
            raise periodic.DatabaseUnavailable("away")

    periodic.until_it_works(step, lambda seconds: bool(waits.append(seconds)))

    assert len(waits) == 2
