"""A worker on SQLite hears of what others have stored without asking the database ten times a second."""

from app.db.database import Database
from app.db.wakeups import CommitWatch
from app.inbox import queue
from app.inbox.worker import Worker
from tests.support.eventually import eventually
from tests.support.inbox_steps import add, new, stats


def test_a_write_to_the_file_is_seen_once_whoever_made_it(sqlite_url):
    db, other = Database(sqlite_url), Database(sqlite_url)
    watch = CommitWatch(db)
    assert watch.has_changed()  # nobody has looked before
    assert not watch.has_changed()

    for lane, writer in (("of another", other), ("of ours", db)):
        with writer.write() as tx:
            queue.wake(tx, {lane}, writer.now(tx), writer.now(tx))
        assert [watch.has_changed(), watch.has_changed()] == [True, False]
    watch.close()
    assert watch.has_changed()
    watch.close()
    db.close()
    other.close()


def test_where_the_file_cannot_be_read_somebody_looks_and_says_why(tmp_path):
    db = Database(f"sqlite:///{tmp_path / 'no folder' / 'parley.db'}")
    watch = CommitWatch(db)

    assert [watch.has_changed(), watch.has_changed()] == [True, True]
    watch.close()
    db.close()


def test_a_worker_finds_what_another_process_has_stored_long_before_it_looks_by_itself(sqlite_url):
    db, other = Database(sqlite_url), Database(sqlite_url)
    worker = Worker(db, {}, lambda work: None, threads=2, poll_seconds=3600)
    worker.start()
    try:
        add(other, new("k1"))
        assert eventually(lambda: stats(other)["ignored"] == 1, seconds=30)
    finally:
        assert worker.stop()
        db.close()
        other.close()
