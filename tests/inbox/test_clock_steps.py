"""A clock that is set while the service runs: no lane is taken too early, and nobody waits for what seems far off."""

import json
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from app.db.tables import inbox as inbox_table
from app.db.tables import lanes
from app.inbox import clock_steps, leases, queue
from app.inbox.queue import NewEvent
from app.store import rate_limits
from app.store.clock_steps import last
from tests.support.arrivals import arrive
from tests.support.inbox_steps import add, claim, finish, new, postpone, stats

LEASE = leases.LEASE_SECONDS
HOUR = 3600
THANKS = "Thanks, we will be right back."
on_sqlite = pytest.mark.engines("sqlite")


def reasons(db):
    with db.read() as tx:
        return list(tx.scalars(select(inbox_table.c.outcome).order_by(inbox_table.c.id)))


@on_sqlite
@pytest.mark.parametrize("seconds", [60, HOUR, -HOUR])
def test_a_clock_that_is_set_ends_no_lease(db, clock, seconds):
    add(db, new("k1"))
    claimed = claim(db)
    clock.set_by(seconds)
    clock_steps.mend(db)

    assert queue.claim(db) is None
    assert finish(db, claimed) == "k1"


@on_sqlite
def test_the_lane_of_a_worker_that_was_killed_is_free_in_time_though_the_clock_was_set_back(db, clock):
    add(db, new("k1"))
    claim(db)
    clock.set_by(-HOUR)
    clock_steps.mend(db)
    clock.advance(LEASE + 1)

    assert queue.claim(db) is not None


@on_sqlite
def test_a_lease_of_another_start_of_the_machine_has_ended(db):
    add(db, new("k1"))
    claim(db)
    assert queue.claim(db) is None
    with db.write() as tx:
        tx.execute(update(lanes).values(lease_boot_id="another"))

    assert queue.claim(db) is not None


@on_sqlite
def test_a_lease_that_a_process_of_the_last_version_holds_is_kept_by_its_clock(db, clock):
    add(db, new("k1"))
    claim(db)
    with db.write() as tx:  # as that version takes it, in a lane that ours had before
        until = db.now(tx) + timedelta(seconds=LEASE)
        tx.execute(update(lanes).values(lease_token="abc", lease_until=until, lease_boot_until=0.0))
    assert queue.claim(db) is None
    clock.advance(LEASE + 1)

    assert queue.claim(db) is not None


def test_a_lease_that_ends_too_late_ends_after_a_whole_one_and_not_at_once(db, clock):
    add(db, new("k1"))
    claim(db)
    with db.write() as tx:
        late = db.now(tx) + timedelta(hours=1)
        late_by_boot = db.boot_seconds() + HOUR if db.is_sqlite else None
        tx.execute(update(lanes).values(lease_until=late, lease_boot_until=late_by_boot))
    assert clock_steps.mend(db) == 1
    clock.advance(LEASE - 2)
    assert queue.claim(db) is None
    clock.advance(3)

    assert queue.claim(db) is not None


def test_what_came_before_the_clock_was_set_back_is_due_at_once_and_says_why(db, clock):
    add(db, new("k1"))
    clock.set_by(-HOUR)
    assert stats(db)["scheduled"] == 1
    assert clock_steps.mend(db) == 1

    assert stats(db)["pending"] == 1
    assert reasons(db) == [clock_steps.DUE_NOW]
    assert queue.claim(db) is not None
    with db.read() as tx:
        found = last(tx)
    assert found is not None
    assert found[1].waits == 1
    assert abs(found[1].seconds - HOUR) <= 2


def test_a_back_off_from_before_is_due_at_once(db, clock):
    add(db, new("k1"))
    postpone(db, claim(db), 60)
    clock.set_by(-HOUR)
    clock_steps.mend(db)

    assert queue.claim(db) is not None


def test_a_back_off_whose_clock_is_right_stays_as_it_is(db, clock):
    add(db, new("k1"))
    postpone(db, claim(db), 8000)
    clock.advance(10)

    assert clock_steps.mend(db) == 0
    assert reasons(db) == ["later"]


def test_a_timer_runs_for_as_long_as_it_should_have(db, clock):
    with db.write() as tx:
        now = db.now(tx)
        event = NewEvent("timer", "timerEnded", "timer:IM1:600", "", "PARLEY", "", b"")
        queue.schedule(tx, event, now + timedelta(seconds=600), now)
    clock.set_by(-HOUR)
    clock_steps.mend(db)
    assert reasons(db) == [clock_steps.DUE_LATER]
    clock.advance(590)
    assert queue.claim(db) is None
    clock.advance(11)

    assert queue.claim(db) is not None


def test_a_wait_that_nothing_of_its_kind_lasts_for_is_over_also_where_nobody_wrote_when_it_began(db):
    add(db, new("k1"))
    with db.write() as tx:
        tx.execute(update(lanes).values(ready_at=db.now(tx) + timedelta(days=400), ready_set_at=None))
    clock_steps.mend(db)

    assert queue.claim(db) is not None


def test_a_gate_that_a_clock_ahead_has_closed_is_opened_and_one_that_is_right_stays(db, clock):
    with db.write() as tx:
        rate_limits.close(tx, "CH1", timedelta(seconds=60), db.now(tx))
        rate_limits.close(tx, rate_limits.ACCOUNT, timedelta(seconds=60), db.now(tx) + timedelta(days=1))

    assert clock_steps.mend(db) == 1
    with db.read() as tx:
        now = db.now(tx)
        assert rate_limits.opens_at(tx, "CH2", now) is None
        assert now < rate_limits.opens_at(tx, "CH1", now) <= now + timedelta(seconds=60)


@on_sqlite
def test_a_message_is_answered_once_and_soon_whichever_way_the_clock_is_set(
    emulator, post_webhook, clock, run_worker, flask_command
):
    for n, seconds in enumerate((60, -HOUR, HOUR / 2)):
        arrive(emulator, post_webhook, sender=f"+1555010000{n}")
        clock.set_by(seconds)
        run_worker()

    assert emulator.replies() == [THANKS] * 3
    assert json.loads(flask_command("inbox", "stats", "--json"))["processed"] == 3
