"""An SQLite file that is replaced while it is used is noticed, and what is right is never taken for it."""

import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace

import pytest
from sqlalchemy import func, select

from app.db.database import Database, DatabaseUnavailable
from app.db.replaced_file import FileWatch
from app.db.tables import gate
from tests.support.eventually import eventually
from tests.support.inbox_steps import add, new

pytestmark = pytest.mark.engines("sqlite")
REPLACED = "the database file was replaced while Parley runs"


@pytest.fixture
def file(tmp_path):
    return tmp_path / "parley.db"


@pytest.fixture
def db(sqlite_url):
    database = Database(sqlite_url)
    yield database
    database.close()


@pytest.fixture
def backup(db, file, tmp_path):
    """A backup of before the last events, as `sqlite3 parley.db ".backup backup.db"` makes it."""
    add(db, new("k1"))
    path = tmp_path / "backup.db"
    with closing(sqlite3.connect(path)) as copy, db.engine.connect() as source:
        source.connection.driver_connection.backup(copy)
    add(db, new("k2"))
    return path


def refuses(db):
    with pytest.raises(DatabaseUnavailable, match=REPLACED):
        add(db, new("k3"))
    return True


def outside(program, *arguments):
    """Run a program of its own: closing a file here would end SQLite's locks on it."""
    subprocess.run([sys.executable, "-c", program, *map(str, arguments)], check=True)


def test_a_backup_that_is_copied_over_the_file_is_noticed_at_the_next_write(db, file, backup):
    outside("import shutil, sys; shutil.copyfile(*sys.argv[1:])", backup, file)

    assert refuses(db)
    assert refuses(db)


def test_a_backup_that_takes_the_files_name_is_noticed_and_putting_it_back_ends_that(db, file, backup):
    aside = file.with_name("aside.db")
    file.rename(aside)
    backup.rename(file)
    assert refuses(db)
    aside.replace(file)

    add(db, new("k3"))


def test_another_process_notices_it_too_and_so_does_one_that_starts_now(db, sqlite_url, file, backup):
    other = Database(sqlite_url)
    add(other, new("k4"))
    outside("import shutil, sys; shutil.copyfile(*sys.argv[1:])", backup, file)
    assert refuses(other)
    late = Database(sqlite_url)

    assert refuses(late)
    assert refuses(db)
    other.close()
    late.close()


def test_a_log_that_is_deleted_is_noticed_and_a_clean_stop_saves_what_only_it_had(db, sqlite_url, file):
    add(db, new("k1"))
    file.with_name("parley.db-wal").unlink()
    for _ in range(2):
        with pytest.raises(DatabaseUnavailable, match="the -wal beside the database file was deleted"):
            add(db, new("k2"))
    db.close()
    again = Database(sqlite_url)

    assert keys(again) == 1
    again.close()


def test_after_all_have_stopped_a_file_may_be_put_in_place(db, sqlite_url, file, backup):
    db.close()
    shutil.copyfile(backup, file)
    again = Database(sqlite_url)
    add(again, new("k3"))

    assert keys(again) == 2
    again.close()


def test_checkpoints_of_ours_and_of_others_are_no_replacement(db, file):
    for number in range(300):
        add(db, replace(new(f"big{number}"), body=os.urandom(20_000)))
    outside("import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute('PRAGMA wal_checkpoint')", file)
    add(db, new("k1"))
    outside("import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute('VACUUM')", file)
    add(db, new("k2"))
    assert db.scrub()
    add(db, new("k3"))

    assert keys(db) == 303


def test_a_file_whose_time_alone_has_changed_is_the_same(db, file):
    add(db, new("k1"))
    os.utime(file)

    add(db, new("k2"))


def test_who_dies_in_a_checkpoint_leaves_a_file_that_is_ours(db, file):
    add(db, new("k1"))
    dying = FileWatch(file)
    dying.begin_write()  # and never ends it
    with file.open("ab") as half:
        half.write(b"part of a page")

    add(db, new("k2"))
    add(db, new("k3"))
    dying.close()


def test_a_second_connection_leaves_the_first_one_its_locks(db, file):
    with db.read() as first:
        first.exec_driver_sql("SELECT 1 FROM inbox").all()
        with db.read() as second:  # made now
            second.exec_driver_sql("SELECT 1 FROM inbox").all()
            add(db, new("k1"))
            outside("import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute('SELECT 1 FROM inbox').fetchall()", file)

            # Had the other program been the only one to hold it, it would have taken the log away as it ended.
            assert file.with_name("parley.db-wal").exists()


def test_readyz_says_so_without_any_webhook(app, file, backup):
    client = app.test_client()
    assert eventually(lambda: client.get("/readyz").status_code == 200)
    app_file = app.extensions["parley"].db.url.database
    outside("import shutil, sys; shutil.copyfile(*sys.argv[1:])", backup, app_file)

    assert eventually(lambda: REPLACED in client.get("/readyz").json["database"])


def keys(db):
    with db.read() as tx:
        return tx.scalar(select(func.count()).select_from(gate.metadata.tables["inbox"]))
