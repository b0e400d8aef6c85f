"""One claimed event while it is worked on: what may leave the machine, and until when."""

import pytest

from app.inbox import queue
from app.inbox.job import Job
from app.inbox.leases import LEASE_SECONDS, LeaseLost
from tests.support.inbox_steps import add, new


@pytest.fixture
def work(db):
    add(db, new("k1"))
    work = Job(db, queue.claim(db))
    work.commit()
    yield work
    work.rollback()


def test_what_could_not_leave_in_time_does_not_leave(work, clock):
    with work.network_call(within=10.0) as ask:
        ask()
        clock.advance(10)
        with pytest.raises(LeaseLost, match="it took too long"):
            ask()


def test_nothing_leaves_once_the_lease_has_ended_and_whatever_the_clock_shows_until_then(work, clock):
    with work.network_call() as ask:
        clock.set_by(3600)
        ask()
        clock.advance(LEASE_SECONDS)
        with pytest.raises(LeaseLost, match="may have been taken over"):
            ask()
