"""The database: migrations make the tables the code was written for; transactions end as they should."""

import contextlib
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect, select, text

from app.db import maintenance_tables, page_tables  # noqa: F401 - more tables of the same metadata
from app.db.database import Database, DatabaseUnavailable, upsert
from app.db.schema import is_migrated, migrate
from app.db.tables import gate, metadata
from tests.support.eventually import eventually

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def test_the_migrations_make_the_tables_of_the_code(db):
    with db.read() as tx:
        differences = compare_metadata(MigrationContext.configure(tx), metadata)

    assert differences == []


def test_the_migrations_make_the_partial_indexes_of_the_code(db):
    declared = {one.name: one.info.get("where") for table in metadata.tables.values() for one in table.indexes}
    with db.read() as tx:
        look = inspect(tx)
        found = {one["name"]: _condition(one) for table in metadata.tables for one in look.get_indexes(table)}

    assert {name for name in declared if declared[name]} == {name for name in found if found[name]}
    if db.is_sqlite:  # PostgreSQL says it in words of its own
        assert {name: found[name] for name in declared} == declared


def _condition(index):
    return next((str(told) for name, told in index["dialect_options"].items() if name.endswith("_where")), None)


def test_migrating_again_changes_nothing(db):
    migrate(db)

    with db.read() as tx:
        assert is_migrated(tx)


def migrate_at_last(database):
    """Migrate as processes that are started again do: also after another took too long."""

    def is_done():
        with contextlib.suppress(DatabaseUnavailable):
            migrate(database)
            return True

    return eventually(is_done, seconds=60)


def test_two_processes_may_migrate_an_empty_sqlite_database_at_once(tmp_path):
    databases = [Database(f"sqlite:///{tmp_path}/new/parley.db") for _ in range(2)]
    with ThreadPoolExecutor(2) as threads:
        assert list(threads.map(migrate_at_last, databases)) == [True, True]

    with databases[0].read() as tx:
        assert is_migrated(tx)


def test_times_come_back_as_they_went_in(db):
    with db.write() as tx:
        upsert(tx, gate, {"scope": "account", "not_before": NOON})
    with db.read() as tx:
        assert tx.scalar(select(gate.c.not_before)) == NOON


def test_what_raises_is_undone(db):
    with pytest.raises(ZeroDivisionError), db.write() as tx:
        upsert(tx, gate, {"scope": "account", "not_before": NOON})
        raise ZeroDivisionError
    with db.read() as tx:
        assert tx.scalar(select(gate.c.scope)) is None


def test_after_a_failure_the_next_one_may_write(db):
    with pytest.raises(DatabaseUnavailable), db.write() as tx:
        tx.execute(text("SELECT * FROM no_such_table"))
    with db.write() as tx:
        upsert(tx, gate, {"scope": "account", "not_before": NOON})
    with db.read() as tx:
        assert tx.scalar(select(gate.c.scope)) == "account"


def test_a_commit_in_between_is_on_disk_whatever_follows(db):
    transaction = db.transaction()
    upsert(transaction.tx, gate, {"scope": "first", "not_before": NOON})
    transaction.commit()
    upsert(transaction.tx, gate, {"scope": "second", "not_before": NOON})
    transaction.rollback()

    with db.read() as tx:
        assert list(tx.scalars(select(gate.c.scope))) == ["first"]


def test_a_sqlite_commit_is_fsynced_and_written_ahead(sqlite_url):
    database = Database(sqlite_url)
    with database.read() as tx:
        assert tx.scalar(text("PRAGMA journal_mode")) == "wal"
        assert tx.scalar(text("PRAGMA synchronous")) == 2  # FULL
    database.close()


def test_a_writer_that_holds_on_for_too_long_is_not_waited_for(db):
    other = Database(db.url.render_as_string(hide_password=False))
    holder = db.transaction()
    upsert(holder.tx, gate, {"scope": "held", "not_before": NOON})
    with pytest.raises(DatabaseUnavailable), other.write() as tx:
        upsert(tx, gate, {"scope": "held", "not_before": NOON})
    holder.rollback()
    other.close()


def test_a_database_file_that_was_moved_away_takes_no_more_events(sqlite_url, tmp_path):
    database = Database(sqlite_url)
    with database.write() as tx:
        upsert(tx, gate, {"scope": "account", "not_before": NOON})
    (tmp_path / "parley.db").rename(tmp_path / "elsewhere.db")

    with pytest.raises(DatabaseUnavailable), database.write() as tx:
        upsert(tx, gate, {"scope": "lost", "not_before": NOON})
    database.close()


@pytest.mark.engines("postgresql")  # SQLite is one machine: one clock
def test_leases_are_measured_by_the_databases_clock(database_url):
    database = Database(database_url.replace("postgresql://", "postgresql+psycopg://"))
    with database.read() as tx:
        before = tx.scalar(text("SELECT clock_timestamp()"))
        now = database.now(tx)
        after = tx.scalar(text("SELECT clock_timestamp()"))
    database.close()

    assert before <= now <= after
