"""Lanes that another transaction holds: what comes for them is stored beside, and worked on when they are free."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from threading import Event

import psycopg
import pytest
from sqlalchemy import Connection

from app.db.database import Database, RowsLocked
from app.inbox import locked_lanes, queue
from app.inbox.probe import try_to_store
from app.inbox.queue import NewEvent
from app.receiver.group_commit import GroupCommit
from tests.support.eventually import eventually
from tests.support.inbox_steps import add, claim, new, postpone, stats, work_off

pytestmark = pytest.mark.engines("postgresql")


@contextmanager
def held(db: Database, statement: str) -> Iterator[None]:
    """Let another program hold what a statement touches."""
    address = db.url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(address) as other:
        other.execute(statement)
        yield
        other.rollback()


LANE_A = "UPDATE lanes SET lease_token = 'held' WHERE lane = 'lane a'"


def add_beside_locks(db: Database, *events: NewEvent) -> list[bool]:
    with db.write(priority=True) as tx:
        return locked_lanes.add_beside_locks(db, tx, events)


def test_an_event_of_a_lane_that_is_held_is_stored_and_others_are_worked_on_at_once(db):
    add(db, new("a1"))
    assert work_off(db) == ["a1"]
    with held(db, LANE_A):
        assert add_beside_locks(db, new("a2"), new("b1", "lane b"), new("a2")) == [True, True, False]
        assert work_off(db) == ["b1"]

    assert stats(db)["pending"] == 1


def test_a_lane_that_was_held_is_woken_when_it_is_free_and_not_before(db):
    add(db, new("a1"))
    assert work_off(db) == ["a1"]
    with held(db, LANE_A):
        add_beside_locks(db, new("a2"), new("a3"))
        assert locked_lanes.wake_forgotten(db) == 0
    assert work_off(db) == []  # nobody has looked since

    assert locked_lanes.wake_forgotten(db) == 1
    assert work_off(db) == ["a2", "a3"]
    assert locked_lanes.wake_forgotten(db) == 0


def test_a_lane_that_waits_for_a_retry_or_is_worked_on_is_not_forgotten(db):
    add(db, new("a1"), new("b1", "lane b"))
    postpone(db, claim(db), 60)
    claim(db)

    assert locked_lanes.wake_forgotten(db) == 0


def test_an_event_that_somebody_else_is_storing_just_now_is_refused_alone(db):
    groups: list[list[str]] = []
    go_on = Event()

    def write(tx: Connection, events: Sequence[NewEvent]) -> list[bool]:
        groups.append([event.event_key for event in events])
        go_on.wait(10)
        return queue.add_all(db, tx, events)

    beside = partial(locked_lanes.add_beside_locks, db)
    arrivals = GroupCommit(db, write, write_beside_locks=beside, probe=partial(try_to_store, db))
    with being_stored(db, new("taken")), ThreadPoolExecutor(4) as threads:
        first = threads.submit(arrivals.add, new("first"))
        assert eventually(lambda: groups == [["first"]])
        others = [threads.submit(arrivals.add, new(key, f"lane of {key}")) for key in ("good", "taken", "fine")]
        assert eventually(lambda: len(arrivals._waiting) == 3)
        go_on.set()

    assert (first.result(), others[0].result(), others[2].result()) == (True, True, True)
    assert isinstance(others[1].exception(), RowsLocked)
    assert arrivals.known_problem() == ""


@contextmanager
def being_stored(db: Database, event: NewEvent) -> Iterator[None]:
    """Let another process be about to commit an event, for as long as the block lasts."""
    another = Database(db.url.render_as_string(hide_password=False))
    try:
        with suppress(_Undone), another.write() as tx:
            queue.insert_unknown(tx, [event], another.now(tx))
            yield
            raise _Undone
    finally:
        another.close()


class _Undone(Exception):
    pass


@pytest.mark.parametrize("table", ["inbox", "lanes"])
def test_a_table_that_is_locked_as_a_whole_takes_nothing_and_that_is_said(db, table):
    words = "another transaction holds a lock on what must be written"
    with held(db, f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE"), pytest.raises(RowsLocked, match=words):
        add_beside_locks(db, new("a1"))

    assert add_beside_locks(db, new("a1")) == [True]


def test_what_came_while_a_lane_was_held_is_answered_by_the_next_worker(app, customer_writes, emulator, run_worker):
    written = customer_writes("first")
    run_worker()
    db = app.extensions["parley"].db
    with held(db, f"UPDATE lanes SET lease_token = 'held' WHERE lane = '{written['conversation_sid']}'"):
        customer_writes("second")
    run_worker()

    assert emulator.replies() == ["Thanks, we will be right back."] * 2
