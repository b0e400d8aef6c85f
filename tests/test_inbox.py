"""The durable inbox on both databases: who gets which event, when, and in which state it ends."""

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from functools import partial

import pytest
from sqlalchemy import func, select

from app import inbox, inbox_admin
from app.db import Database
from app.group_commit import GroupCommit
from app.inbox import Claimed, LeaseLost, NewEvent
from app.tables import inbox as inbox_table
from app.tables import lanes as lanes_table
from app.work import Work

LEASE = inbox.LEASE_SECONDS


def new(key: str, lane: str = "lane a", source: str = "SMS", event_type: str = "onMessageAdded") -> NewEvent:
    return NewEvent(key, event_type, lane, source, "POST", "/conversations/webhook", b"", {})


def add(db: Database, *events: NewEvent) -> list[bool]:
    with db.write() as tx:
        return inbox.add_all(db, tx, events)


def claim(db: Database) -> Claimed:
    claimed = inbox.claim(db)
    assert claimed is not None
    return claimed


def finish(db: Database, claimed: Claimed, state: str = "processed", outcome: str = "done") -> str:
    with db.write() as tx:
        inbox.finish(tx, claimed, state, outcome, db.now(tx))
    return key_of(db, claimed)


def postpone(db: Database, claimed: Claimed, seconds: float, *, spent: bool = True) -> None:
    with db.write() as tx:
        now = db.now(tx)
        inbox.postpone(tx, claimed, "later", now + timedelta(seconds=seconds), now, spent=spent)


def commit(db: Database, claimed: Claimed) -> None:
    work = Work(db, claimed)
    try:
        work.commit()
    finally:
        work.rollback()


def key_of(db: Database, claimed: Claimed) -> str:
    with db.read() as tx:
        return tx.scalar(select(inbox_table.c.event_key).where(inbox_table.c.id == claimed.id))


def work_off(db: Database) -> list[str]:
    """Finish whatever is due, one after the other; return the keys in the order worked."""
    worked = []
    while (claimed := inbox.claim(db)) is not None:
        worked.append(finish(db, claimed))
    return worked


def stats(db: Database) -> dict[str, int]:
    with db.read() as tx:
        return inbox_admin.stats(tx, db.now(tx))


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
    assert inbox.claim(db) is None


def test_a_lane_whose_worker_died_is_taken_over_when_its_lease_ends_and_not_before(db, clock):
    add(db, new("k1"))
    first = claim(db)
    clock.advance(LEASE - 1)
    assert inbox.claim(db) is None
    clock.advance(2)
    second = claim(db)

    assert (second.id, first.attempts, second.attempts) == (first.id, 1, 2)


def test_a_renewed_lease_is_not_taken_over(db, clock):
    add(db, new("k1"))
    claimed = claim(db)
    clock.advance(LEASE - 1)
    inbox.renew(db, [claimed])
    clock.advance(LEASE - 1)

    assert inbox.claim(db) is None
    assert finish(db, claimed) == "k1"


def test_renewing_a_lost_lease_leaves_its_new_owner_alone(db, clock):
    add(db, new("k1"))
    lost = claim(db)
    clock.advance(LEASE + 1)
    owner = claim(db)
    clock.advance(LEASE - 1)
    inbox.renew(db, [lost])
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
    assert inbox.claim(db) is None
    clock.advance(2)

    assert work_off(db) == ["k1", "k2"]


@pytest.mark.parametrize(("spent", "attempts"), [pytest.param(True, 2, id="spent"), pytest.param(False, 1, id="not")])
def test_an_attempt_counts_only_when_it_is_spent(db, spent, attempts):
    add(db, new("k1"))
    postpone(db, claim(db), 0, spent=spent)

    assert claim(db).attempts == attempts


@pytest.mark.parametrize(("attempt", "longest"), [(1, 8), (2, 16), (5, 128), (11, 8192)])
def test_the_back_off_is_random_up_to_a_limit_that_doubles(attempt, longest):
    waits = [inbox.back_off(attempt).total_seconds() for _ in range(300)]

    assert max(waits) <= longest
    assert min(waits) < longest / 4 < longest * 3 / 4 < max(waits)
    assert inbox.back_off(attempt, least_seconds=9000).total_seconds() == 9000


def test_a_gate_holds_for_its_conversation_or_for_all_and_never_opens_early(db):
    start = datetime.fromisoformat("2026-11-22T12:00:00+00:00")
    at = {seconds: start + timedelta(seconds=seconds) for seconds in (5, 6, 10, 30, 31)}
    with db.write() as tx:
        inbox.close_gate(tx, "CH1", at[10])
        inbox.close_gate(tx, "CH1", at[5])
        assert inbox.gate_opens_at(tx, "CH1", at[6]) == at[10]
        assert inbox.gate_opens_at(tx, "CH2", at[6]) is None
        inbox.close_gate(tx, inbox.ACCOUNT, at[30])
        assert inbox.gate_opens_at(tx, "CH1", at[6]) == inbox.gate_opens_at(tx, "CH2", at[6]) == at[30]
        assert inbox.gate_opens_at(tx, "CH1", at[31]) is None


def test_only_newer_unfinished_events_of_clients_are_seen_behind_an_event(db):
    add(db, new("earlier", source="SDK"), new("head"), new("sms"))
    finish(db, claim(db))
    add(db, new("one", source="SDK"), new("two", source="API"), new("elsewhere", "lane b", source="SDK"))
    add(db, new("another type", source="SDK", event_type="onMessageUpdated"))
    head = claim(db)
    with db.read() as tx:
        seen = inbox.waiting_from_clients(tx, head, "onMessageAdded")

    assert [key_of(db, one) for one in seen] == ["two", "one"]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_look_for_clients_reads_no_more_of_a_long_lane_than_they_wrote(db):
    add(db, new("head"), *(new(f"sms {number}") for number in range(2_000)), new("agent", source="SDK"))
    head, steps = claim(db), []
    with db.read() as tx:
        tx.connection.driver_connection.set_progress_handler(lambda: steps.append(1), 100)
        (seen,) = inbox.waiting_from_clients(tx, head, "onMessageAdded")
        tx.connection.driver_connection.set_progress_handler(None, 0)

    assert key_of(db, seen) == "agent"
    assert len(steps) < 10


def test_what_a_commit_claims_beside_the_end_of_an_event_is_ours_alone(db):
    add(db, new("one", "lane a"), new("two", "lane b"), new("three", "lane c"))
    with db.write() as tx:
        inbox.finish(tx, inbox.claim_next(tx, db.now(tx)), "processed", "done", db.now(tx))
        following = inbox.claim_next(tx, db.now(tx))

    assert key_of(db, following) == "two"
    assert key_of(db, claim(db)) == "three"
    assert inbox.claim(db) is None


def test_a_commit_that_fails_claims_nothing(db):
    add(db, new("one", "lane a"), new("two", "lane b"))
    with pytest.raises(ZeroDivisionError), db.write() as tx:
        inbox.claim_next(tx, db.now(tx))
        raise ZeroDivisionError

    assert work_off(db) == ["one", "two"]


def test_every_event_is_counted_in_exactly_one_state(db):
    add(db, *(new(f"k{number}", f"lane {number}") for number in range(6)), new("behind", "lane 3"))
    finish(db, claim(db), "processed")
    finish(db, claim(db), "ignored")
    finish(db, claim(db), "dead")
    postpone(db, claim(db), 60)
    claim(db)

    counts = {"pending": 1, "scheduled": 2, "processing": 1, "processed": 1, "ignored": 1, "dead": 1}
    assert stats(db) == counts


def test_a_dead_event_lets_the_next_go_on_and_comes_back_by_command_only(db, clock, app, flask_command):
    add(db, new("k1"), new("k2"))
    dead = claim(db)
    finish(db, dead, "dead", "the reason")
    assert work_off(db) == ["k2"]
    clock.advance(86_400)
    assert inbox.claim(db) is None
    assert json.loads(flask_command("inbox", "retry", str(dead.id), "--json"))["retried"] == [dead.id]

    revived = claim(db)
    assert (revived.id, revived.attempts) == (dead.id, 1)


def test_purging_deletes_old_finished_events_and_idle_lanes_but_nothing_dead_or_open(db, clock):
    add(db, *(new(f"k{number}", f"lane {number}") for number in range(4)))
    finish(db, claim(db), "processed")
    finish(db, claim(db), "dead")
    postpone(db, claim(db), 86_400 * 90)
    clock.advance(86_400)
    finish(db, claim(db), "processed")
    with db.write() as tx:
        counts = [inbox_admin.purge(tx, db.now(tx) - timedelta(hours=1)) for _ in range(2)]
    with db.read() as tx:
        lanes = list(tx.scalars(select(lanes_table.c.lane).order_by(lanes_table.c.lane)))

    assert counts == [1, 0]
    assert lanes == ["lane 1", "lane 2", "lane 3"]
    assert stats(db) | {"dead": 1, "scheduled": 1, "processed": 1} == stats(db)


def test_eight_threads_claim_two_hundred_lanes_and_none_twice(db):
    add(db, *(new(f"k{number}", f"lane {number}") for number in range(200)))
    taken: Counter[int] = Counter()

    def take() -> list[int]:
        return [claimed.id for claimed in iter(lambda: inbox.claim(db), None)]

    with ThreadPoolExecutor(8) as threads:
        for ids in threads.map(lambda _: take(), range(8)):
            taken.update(ids)

    assert len(taken) == 200
    assert set(taken.values()) == {1}


def test_two_processes_that_store_the_same_events_in_opposite_order_store_each_once(db):
    doors = [GroupCommit(db, partial(inbox.add_all, db)) for _ in range(2)]
    events = [new(f"event {n}", f"lane {n % 7}") for n in range(300)]

    def store(door: GroupCommit[NewEvent, bool], posts: list[NewEvent]) -> int:
        with ThreadPoolExecutor(24) as threads:
            return sum(threads.map(door.add, posts))

    with ThreadPoolExecutor(2) as processes:
        stored = list(processes.map(store, doors, [events, events[::-1]]))
    with db.read() as tx:
        rows = tx.scalar(select(func.count()).select_from(inbox_table))

    assert sum(stored) == rows == 300
