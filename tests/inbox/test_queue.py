"""The durable inbox on both databases: who gets which event, when, and in which state it ends."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial

import pytest
from sqlalchemy import func, select

from app.db.database import DatabaseUnavailable
from app.db.tables import inbox as inbox_table
from app.inbox import leases, queue, waiting
from app.inbox.leases import LeaseLost
from app.inbox.probe import try_to_store
from app.inbox.queue import NewEvent
from app.receiver.group_commit import GroupCommit
from tests.support.inbox_steps import add, claim, commit, finish, key_of, new, postpone, stats, work_off

LEASE = leases.LEASE_SECONDS


def test_an_event_is_new_once_also_inside_one_group(db):
    assert add(db, new("k1"), new("k1"), new("k2")) == [True, False, True]
    assert add(db, new("k2"), new("k3")) == [False, True]
    assert work_off(db) == ["k1", "k2", "k3"]


def test_a_lane_is_worked_in_the_order_of_arrival(db):
    add(db, new("z"), new("b"))
    add(db, new("a"), new("c"))

    assert work_off(db) == ["z", "b", "a", "c"]


def test_the_lane_that_has_waited_longest_comes_first(db, clock):
    add(db, new("late lane", "lane z"))
    clock.advance(1)
    add(db, new("later lane", "lane a"))
    clock.advance(1)
    add(db, new("latest", "lane z"))

    assert work_off(db) == ["late lane", "later lane", "latest"]


def test_two_lanes_are_worked_at_the_same_time_and_one_lane_is_not(db):
    add(db, new("a1", "lane a"), new("a2", "lane a"), new("b1", "lane b"))
    taken = {key_of(db, claim(db)), key_of(db, claim(db))}

    assert taken == {"a1", "b1"}
    assert queue.claim(db) is None


def test_a_lane_whose_worker_died_is_taken_over_when_its_lease_ends_and_not_before(db, clock):
    add(db, new("k1"))
    first = claim(db)
    clock.advance(LEASE - 1)
    assert queue.claim(db) is None
    clock.advance(2)
    second = claim(db)

    assert (second.id, first.attempts, second.attempts) == (first.id, 1, 2)


def test_a_renewed_lease_is_not_taken_over(db, clock):
    add(db, new("k1"))
    claimed = claim(db)
    clock.advance(LEASE - 1)
    leases.renew(db, [claimed.lease])
    clock.advance(LEASE - 1)

    assert queue.claim(db) is None
    assert finish(db, claimed) == "k1"


def test_renewing_a_lost_lease_leaves_its_new_owner_alone(db, clock):
    add(db, new("k1"))
    lost = claim(db)
    clock.advance(LEASE + 1)
    owner = claim(db)
    clock.advance(LEASE - 1)
    leases.renew(db, [lost.lease])
    clock.advance(2)

    assert claim(db).id == owner.id


@pytest.mark.parametrize(
    "end",
    [
        pytest.param(finish, id="finish"),
        pytest.param(lambda db, lost: postpone(db, lost, 1), id="postpone"),
        pytest.param(commit, id="commit"),
    ],
)
def test_a_worker_that_lost_its_lease_can_end_nothing(db, clock, end):
    add(db, new("k1"))
    lost = claim(db)
    clock.advance(LEASE + 1)
    owner = claim(db)
    with pytest.raises(LeaseLost):
        end(db, lost)

    assert stats(db)["processing"] == 1
    assert finish(db, owner) == "k1"


def test_a_postponed_event_waits_and_holds_back_its_lane_only(db, clock):
    add(db, new("a1", "lane a"), new("a2", "lane a"), new("b1", "lane b"))
    postpone(db, claim(db), 60)
    assert work_off(db) == ["b1"]
    assert (stats(db)["scheduled"], stats(db)["pending"]) == (2, 0)
    clock.advance(61)

    assert work_off(db) == ["a1", "a2"]


def test_a_new_event_never_pulls_a_back_off_forward(db, clock):
    add(db, new("k1"))
    postpone(db, claim(db), 60)
    add(db, new("k2"))
    clock.advance(59)
    assert queue.claim(db) is None
    clock.advance(2)

    assert work_off(db) == ["k1", "k2"]


@pytest.mark.parametrize(
    ("counts_as_attempt", "attempts"), [pytest.param(True, 2, id="spent"), pytest.param(False, 1, id="not")]
)
def test_an_attempt_counts_only_when_it_is_spent(db, counts_as_attempt, attempts):
    add(db, new("k1"))
    postpone(db, claim(db), 0, counts_as_attempt=counts_as_attempt)

    assert claim(db).attempts == attempts


@pytest.mark.parametrize(("attempt", "longest"), [(1, 8), (2, 16), (5, 128), (11, 8192)])
def test_the_back_off_is_random_up_to_a_limit_that_doubles(attempt, longest):
    waits = [queue.back_off(attempt).total_seconds() for _ in range(300)]

    assert max(waits) <= longest
    assert min(waits) < longest / 4 < longest * 3 / 4 < max(waits)
    assert queue.back_off(attempt, least_seconds=9000).total_seconds() == 9000


def test_only_newer_unfinished_events_of_clients_are_seen_behind_an_event(db):
    add(db, new("earlier", source="SDK"), new("head"), new("sms"))
    finish(db, claim(db))
    add(db, new("one", source="SDK"), new("two", source="API"), new("elsewhere", "lane b", source="SDK"))
    add(db, new("another type", source="SDK", event_type="onMessageUpdated"))
    head = claim(db)
    with db.read() as tx:
        seen = waiting.from_clients(tx, head, "onMessageAdded")

    assert [key_of(db, one) for one in seen] == ["two", "one"]


@pytest.mark.engines("sqlite")
def test_a_look_for_clients_reads_no_more_of_a_long_lane_than_they_wrote(db):
    add(db, new("head"), *(new(f"sms {number}") for number in range(2_000)), new("agent", source="SDK"))
    head, steps = claim(db), []
    with db.read() as tx:
        tx.connection.driver_connection.set_progress_handler(lambda: steps.append(1), 100)
        (seen,) = waiting.from_clients(tx, head, "onMessageAdded")
        tx.connection.driver_connection.set_progress_handler(None, 0)

    assert key_of(db, seen) == "agent"
    assert len(steps) < 10


def test_what_a_commit_claims_beside_the_end_of_an_event_is_ours_alone(db):
    add(db, new("one", "lane a"), new("two", "lane b"), new("three", "lane c"))
    with db.write() as tx:
        queue.finish(tx, queue.claim_next(tx, db.instant(tx)), "processed", "done", db.instant(tx))
        next_claim = queue.claim_next(tx, db.instant(tx))

    assert key_of(db, next_claim) == "two"
    assert key_of(db, claim(db)) == "three"
    assert queue.claim(db) is None


def test_a_commit_that_fails_claims_nothing(db):
    add(db, new("one", "lane a"), new("two", "lane b"))
    with pytest.raises(ZeroDivisionError), db.write() as tx:
        queue.claim_next(tx, db.instant(tx))
        raise ZeroDivisionError

    assert work_off(db) == ["one", "two"]


def test_eight_threads_claim_two_hundred_lanes_and_none_twice(db):
    add(db, *(new(f"k{number}", f"lane {number}") for number in range(200)))
    taken: Counter[int] = Counter()

    def claim() -> queue.Claimed | None:
        while True:
            with suppress(DatabaseUnavailable):  # four connections for eight threads: on a busy machine they run out
                return queue.claim(db)

    def take() -> list[int]:
        return [claimed.id for claimed in iter(claim, None)]

    with ThreadPoolExecutor(8) as threads:
        for ids in threads.map(lambda _: take(), range(8)):
            taken.update(ids)

    assert len(taken) == 200
    assert set(taken.values()) == {1}


def test_two_processes_that_store_the_same_events_in_opposite_order_store_each_once(db):
    store = partial(queue.add_all, db)
    doors = [GroupCommit(db, store, write_beside_locks=store, probe=partial(try_to_store, db)) for _ in range(2)]
    events = [new(f"event {n}", f"lane {n % 7}") for n in range(300)]

    def store(door: GroupCommit[NewEvent, bool], posts: list[NewEvent]) -> int:
        with ThreadPoolExecutor(24) as threads:
            return sum(threads.map(door.add, posts))

    with ThreadPoolExecutor(2) as processes:
        stored = list(processes.map(store, doors, [events, events[::-1]]))
    with db.read() as tx:
        rows = tx.scalar(select(func.count()).select_from(inbox_table))

    assert sum(stored) == rows == 300


def test_a_stored_request_is_looked_up_each_time_and_not_remembered(db):
    with db.write() as tx:
        before = queue.stored_request(tx, "k1")
        queue.add_all(db, tx, [new("k1")])
        after = queue.stored_request(tx, "k1")

    assert before is None
    assert after is not None and after.target == "/conversations/webhook"
