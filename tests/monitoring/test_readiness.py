"""/readyz tells whether this process can store, by what it stored or by a try; however many ask, one tries."""

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager

import psycopg
import pytest
from flask import Flask
from sqlalchemy import event, func, select, text

from app.db.database import Database
from app.db.tables import inbox
from tests.support.eventually import eventually

SMS = "onMessageAdded__sms_text"
only_sqlite = pytest.mark.engines("sqlite")
only_postgresql = pytest.mark.engines("postgresql")


@pytest.fixture
def database(app: Flask) -> Database:
    return app.extensions["parley"].db


@pytest.fixture
def tries(database: Database) -> Iterator[list[str]]:
    """The statements that put something into the inbox."""
    said: list[str] = []

    def note(_tx, _cursor, statement, *_more) -> None:
        if statement.startswith("INSERT INTO inbox"):
            said.append(statement)

    for engine in {database.engines.shared, database.engines.priority}:
        event.listen(engine, "before_cursor_execute", note)
    return said


def ready(app: Flask) -> tuple[int, str]:
    answer = app.test_client().get("/readyz")
    return answer.status_code, answer.json["database"]


def test_of_many_who_ask_one_tries_and_nothing_stays_of_it(app, database, tries):
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: ready(app), range(24)))

    assert set(answers) == {(200, "ok")}
    assert len(tries) == 1
    with database.read() as tx:
        assert tx.scalar(select(func.count()).select_from(inbox)) == 0


def test_what_was_stored_just_now_needs_no_try(app, post_webhook, tries):
    assert post_webhook(SMS).status_code == 204
    del tries[:]

    assert ready(app) == (200, "ok")
    assert tries == []


@contextmanager
def statement_of_another(database: Database, statement: str) -> Iterator[None]:
    """Let another program run a statement in a transaction that stays open."""
    address = database.url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(address) as other:
        other.execute(statement)
        yield
        other.rollback()


@only_postgresql
@pytest.mark.parametrize("table", ["inbox", "lanes"])
def test_a_locked_table_is_named_and_it_is_ready_again_without_a_webhook(app, database, table):
    with statement_of_another(database, f"LOCK TABLE {table} IN EXCLUSIVE MODE"):
        assert ready(app) == (503, "another transaction holds a lock on what must be written")

    assert eventually(lambda: ready(app) == (200, "ok"))


@only_postgresql
def test_a_standby_is_named_and_it_is_ready_again_without_a_webhook(app, database, postgresql_server):
    assert ready(app)[0] == 200
    read_only = f"ALTER DATABASE {database.url.database} SET default_transaction_read_only = "
    with psycopg.connect(postgresql_server, autocommit=True) as admin:
        admin.execute(read_only + "on")
        admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [database.url.database]
        )
        status, _why = ready(app)
        admin.execute(read_only + "off")

    assert status == 503
    assert eventually(lambda: ready(app) == (200, "ok"))


@only_sqlite
def test_another_program_that_writes_to_the_file_is_named(app, database):
    with closing(sqlite3.connect(str(database.url.database), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert ready(app) == (503, "the database is locked by another program")
        other.execute("ROLLBACK")

    assert eventually(lambda: ready(app) == (200, "ok"))


def test_what_is_known_to_fail_is_said_without_trying_for_each_who_asks(app, database, post_webhook, tries):
    with database.write() as tx:
        tx.execute(text("ALTER TABLE inbox RENAME TO away"))
    assert post_webhook(SMS).status_code == 503
    del tries[:]
    answers = {ready(app) for _ in range(50)}
    with database.write() as tx:
        tx.execute(text("ALTER TABLE away RENAME TO inbox"))

    assert answers == {(503, "the database has no tables yet, or those of an older version; run `flask db upgrade`")}
    assert len(tries) < 25
    assert eventually(lambda: ready(app) == (200, "ok"))
