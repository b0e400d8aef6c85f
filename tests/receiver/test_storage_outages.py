"""The door while storage is away or slow: 503 in time, and well again by itself; and many posts at once."""

import json
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from functools import partial
from threading import Barrier, Event

import psycopg
import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import IntegrityError

from app.db.tables import inbox
from app.inbox.probe import try_to_store
from app.inbox.queue import NewEvent, add_all
from app.receiver.group_commit import GroupCommit
from tests.conftest import ORIGIN, TOKEN
from tests.support import webhook_fixtures
from tests.support.hostile_requests import deliver

SMS = "onMessageAdded__sms_text"
only_sqlite = pytest.mark.engines("sqlite")
only_postgresql = pytest.mark.engines("postgresql")


@pytest.fixture
def count_stored(app) -> Callable[[], int]:
    """How many webhooks are on disk."""

    def count() -> int:
        with app.extensions["parley"].db.read() as tx:
            return tx.scalar(select(func.count()).select_from(inbox)) or 0

    return count


def message(number: int = 0):
    request = webhook_fixtures.with_fields(webhook_fixtures.load(SMS), MessageSid=f"IM{number:032}")
    return replace(request, headers=webhook_fixtures.sign(request, ORIGIN, TOKEN))


def assert_not_stored(answer) -> None:
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "5"
    assert answer.text == "Storage is unavailable; nothing was stored.\n"


@only_sqlite
def test_a_directory_in_the_place_of_the_database_is_503_until_the_file_is_back(app, count_stored, tmp_path):
    file, aside = tmp_path / "parley.db", tmp_path / "aside.db"
    file.rename(aside)
    file.mkdir()

    assert_not_stored(deliver(app, message()))
    file.rmdir()
    aside.rename(file)

    assert deliver(app, message()).status_code == 204
    assert count_stored() == 1


@only_postgresql
def test_a_database_that_takes_no_connections_is_503_until_it_does(app, count_stored, postgresql_server):
    assert deliver(app, message(1)).status_code == 204
    name = app.extensions["parley"].db.url.database

    with psycopg.connect(postgresql_server, autocommit=True) as admin:
        admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
        assert_not_stored(deliver(app, message(2)))
        admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")

    assert deliver(app, message(2)).status_code == 204
    assert count_stored() == 2


@only_postgresql
def test_connections_that_were_cut_cost_no_webhook(app, count_stored, postgresql_server):
    deliver(app, message(1))
    name = app.extensions["parley"].db.url.database

    with psycopg.connect(postgresql_server, autocommit=True) as admin:
        admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])

    assert deliver(app, message(2)).status_code == 204
    assert count_stored() == 2


@pytest.mark.parametrize("table", ["inbox", "lanes"])
def test_a_missing_table_is_503_until_it_is_back(table, app, count_stored):
    database = app.extensions["parley"].db
    with database.write() as tx:
        tx.execute(text(f"ALTER TABLE {table} RENAME TO away"))

    assert_not_stored(deliver(app, message()))
    with database.write() as tx:
        tx.execute(text(f"ALTER TABLE away RENAME TO {table}"))

    assert deliver(app, message()).status_code == 204
    assert count_stored() == 1


@only_sqlite
def test_everyone_who_meets_a_locked_database_has_an_answer_while_it_is_locked(app, count_stored, tmp_path):
    with closing(sqlite3.connect(tmp_path / "parley.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        statuses = deliver_staggered(app)
        other.execute("ROLLBACK")

    assert statuses == [503] * 4
    assert deliver(app, message()).status_code == 204
    assert count_stored() == 1


@only_postgresql
def test_everyone_who_meets_a_locked_table_has_an_answer_while_it_is_locked(app, count_stored):
    address = app.extensions["parley"].db.url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(address) as other:
        other.execute("LOCK TABLE inbox IN ACCESS EXCLUSIVE MODE")
        statuses = deliver_staggered(app)
        other.rollback()

    assert statuses == [503] * 4
    assert deliver(app, message()).status_code == 204
    assert count_stored() == 1


def deliver_staggered(app) -> list[int]:
    """Deliver four messages that begin 0.3 s after one another; return each status."""

    def deliver_one(number: int) -> int:
        time.sleep(0.3 * number)  # at once they would be one group, and wait only once
        return deliver(app, message(number)).status_code

    with ThreadPoolExecutor(4) as threads:
        return list(threads.map(deliver_one, range(4)))


def test_a_hundred_equal_posts_at_once_are_one_event(app, count_stored):
    together = Barrier(20)

    def deliver_when_all_are_ready(_number: int) -> int:
        together.wait(10)
        return deliver(app, message()).status_code

    with ThreadPoolExecutor(20) as threads:
        statuses = list(threads.map(deliver_when_all_are_ready, range(100)))

    assert statuses == [204] * 100
    assert count_stored() == 1


def new_event(name: str, body: bytes | None) -> NewEvent:
    return NewEvent(
        event_key=name, event_type="onPollAnswered", lane="unknown", source="", method="POST", target="/", body=body
    )


def test_one_bad_row_in_a_group_harms_nobody(db):
    groups, go_on = [], Event()

    def write(tx, events):
        groups.append([event.event_key for event in events])
        go_on.wait(2)
        return add_all(db, tx, events)

    arrivals = GroupCommit(db, write, write_beside_locks=write, probe=partial(try_to_store, db))
    events = [new_event("first", b""), new_event("good", b""), new_event("bad", None), new_event("fine", b"")]
    with ThreadPoolExecutor(4) as threads:
        first = threads.submit(arrivals.add, events[0])
        wait_until(lambda: groups == [["first"]])
        others = [threads.submit(arrivals.add, event) for event in events[1:]]
        wait_until(lambda: len(arrivals._waiting) == 3)
        go_on.set()

    assert (first.result(), others[0].result(), others[2].result()) == (True, True, True)
    assert isinstance(others[1].exception(), IntegrityError)
    assert sorted(groups[1]) == ["bad", "fine", "good"]
    with db.read() as tx:
        assert set(tx.scalars(select(inbox.c.event_key))) == {"first", "good", "fine"}


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 2
    while not true() and time.monotonic() < deadline:
        time.sleep(0.001)
    assert true()


def test_what_was_refused_meanwhile_is_fetched_by_one_reconcile(
    app, count_stored, webhooks_arrive, emulator, clock, flask_command, run_worker
):
    database = app.extensions["parley"].db
    with database.write() as tx:
        tx.execute(text("ALTER TABLE inbox RENAME TO away"))
    written = [emulator.inbound(f"message {number}", sender=f"+1555010000{number}") for number in range(3)]
    assert emulator.settle()
    assert {post["status"] for post in emulator.webhooks()} == {503}
    with database.write() as tx:
        tx.execute(text("ALTER TABLE away RENAME TO inbox"))
    assert count_stored() == 0
    clock.advance(120)
    emulator.advance(120)

    said = json.loads(flask_command("reconcile", "--json", "--per-second", "100"))
    run_worker()

    assert {gap["conversation_sid"] for gap in said["gaps"]} == {one["conversation_sid"] for one in written}
    assert emulator.replies() == ["Thanks, we will be right back."] * 3
