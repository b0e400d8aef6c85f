"""SQLite's write-ahead log stays bounded, though somebody always reads."""

import threading
from pathlib import Path

import pytest
from sqlalchemy import text

from app.db import sqlite
from tests.support.eventually import eventually

pytestmark = pytest.mark.engines("sqlite")

BYTES = 200_000
ENOUGH = sqlite.LONGEST_LOG // BYTES + 20  # writes


@pytest.fixture
def log_bytes(db):
    """How long the log is."""
    path = Path(f"{db.url.database}-wal")
    return lambda: path.stat().st_size if path.exists() else 0


@pytest.fixture
def written_much(db, log_bytes):
    """A database of which the log has grown because somebody was reading all the time."""
    with db.write() as tx:
        tx.execute(text("CREATE TABLE much (content BLOB)"))
    with db.read() as reader:
        reader.execute(text("SELECT count(*) FROM much")).one()
        for _ in range(ENOUGH):
            with db.write() as tx:
                tx.execute(text("INSERT INTO much VALUES (zeroblob(:bytes))"), {"bytes": BYTES})
    assert log_bytes() > sqlite.LONGEST_LOG


def test_a_long_log_is_emptied_and_loses_nothing(written_much, db, log_bytes):
    assert db.bound_log()

    assert log_bytes() == 0
    with db.read() as tx:
        assert tx.scalar(text("SELECT count(*) FROM much")) == ENOUGH


def test_a_log_that_somebody_reads_from_is_emptied_when_that_has_ended(written_much, db, log_bytes):
    with db.read() as reader:
        reader.execute(text("SELECT count(*) FROM much")).one()
        assert not db.bound_log()

    assert db.bound_log()
    assert log_bytes() == 0


def test_a_short_log_is_left_alone(db, log_bytes):
    with db.write() as tx:
        tx.execute(text("CREATE TABLE little (content BLOB)"))
    before = log_bytes()

    assert db.bound_log()
    assert log_bytes() == before > 0


def test_a_worker_empties_the_log_while_others_read_one_after_the_other(written_much, app, log_bytes):
    parley, stopping = app.extensions["parley"], threading.Event()

    def read() -> None:
        while not stopping.is_set():
            with parley.db.read() as tx:
                tx.execute(text("SELECT count(*) FROM much")).one()

    readers = [threading.Thread(target=read) for _ in range(4)]
    for reader in readers:
        reader.start()
    worker = parley.start_worker()
    try:
        assert eventually(lambda: log_bytes() < sqlite.LONGEST_LOG, seconds=60)
    finally:
        worker.stop()
        stopping.set()
        for reader in readers:
            reader.join()
