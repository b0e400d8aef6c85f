"""Lanes that somebody other than a worker has to itself: handed over by the worker, or had when it does not end."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from app.db.tables import lanes
from app.inbox import queue
from app.inbox.job import Job
from app.inbox.leases import LeaseLost
from app.inbox.reservations import reserved
from tests.support import inbox_steps as inbox
from tests.support.inbox_steps import new

A = "lane a"


def wait_for_nothing(_seconds: float) -> None:
    pytest.fail("there was nothing to wait for")


def ready_at(db):
    with db.read() as tx:
        return tx.scalar(select(lanes.c.ready_at).where(lanes.c.lane == A))


def test_nothing_is_claimed_in_a_reserved_lane_until_it_is_given_back(db):
    inbox.add(db, new("1"), new("2", lane="lane b"))

    with reserved(db, [A], wait_for_nothing) as reservation:
        assert inbox.work_off(db) == ["2"]
        inbox.add(db, new("3"))
        assert inbox.work_off(db) == []

    assert inbox.work_off(db) == ["1", "3"]
    assert reservation.unfinished == set()


def test_a_lane_that_is_not_known_yet_can_be_reserved(db):
    with reserved(db, [A], wait_for_nothing):
        inbox.add(db, new("1"))
        assert queue.claim(db) is None

    assert inbox.work_off(db) == ["1"]


def test_a_worker_with_more_to_do_there_hands_the_lane_over_at_the_end_of_its_event(db):
    inbox.add(db, new("1"), new("2"))
    work = Job(db, inbox.claim(db), may_claim_next=lambda: True)

    with reserved(db, [A], lambda _seconds: work.finish("processed", "done")) as reservation:
        assert work.next_claim is None
        assert queue.claim(db) is None

    assert inbox.work_off(db) == ["2"]
    assert reservation.unfinished == set()


def test_an_event_that_was_postponed_meanwhile_waits_as_long_as_it_was_told(db, clock):
    inbox.add(db, new("1"))
    claimed = inbox.claim(db)

    with reserved(db, [A], lambda _seconds: inbox.postpone(db, claimed, 60)):
        clock.advance(30)

    assert queue.claim(db) is None
    clock.advance(31)
    assert inbox.work_off(db) == ["1"]


def test_a_worker_that_was_killed_keeps_nobody_waiting_beyond_its_lease(db, clock):
    inbox.add(db, new("1"))
    inbox.claim(db)
    waited = []

    with reserved(db, [A], lambda _seconds: clock.advance(1), lambda _lanes, seconds: waited.append(seconds)) as found:
        assert found.unfinished == {A}

    assert 14 <= max(waited) < 17
    assert inbox.work_off(db) == ["1"]


def test_a_lane_that_is_renewed_and_renewed_is_taken_away_and_rests_until_its_worker_has_surely_ended(db, clock):
    inbox.add(db, new("1"))
    claimed = inbox.claim(db)

    def worked_on(_seconds: float) -> None:
        clock.advance(1)
        inbox.commit(db, claimed)

    with reserved(db, [A], worked_on) as reservation:
        assert reservation.unfinished == {A}
        with pytest.raises(LeaseLost):
            inbox.commit(db, claimed)
        taken_at = clock()

    assert abs(ready_at(db) - taken_at - timedelta(seconds=15)) < timedelta(seconds=2)
    clock.advance(16)
    assert inbox.work_off(db) == ["1"]


def test_a_reservation_lasts_for_as_long_as_it_is_renewed(db, clock):
    inbox.add(db, new("1"))

    with reserved(db, [A], wait_for_nothing) as reservation:
        for _ in range(10):
            clock.advance(5)
            reservation.renew(db)
            assert queue.claim(db) is None


def test_who_reserved_and_was_killed_holds_a_lane_for_no_longer_than_a_lease(db, clock):
    inbox.add(db, new("1"))
    killed = reserved(db, [A], wait_for_nothing)
    killed.__enter__()
    assert queue.claim(db) is None

    clock.advance(16)
    assert inbox.work_off(db) == ["1"]


def test_whatever_goes_wrong_meanwhile_the_lanes_are_given_back(db):
    inbox.add(db, new("1"))

    with pytest.raises(ZeroDivisionError), reserved(db, [A], wait_for_nothing):
        raise ZeroDivisionError

    assert inbox.work_off(db) == ["1"]
