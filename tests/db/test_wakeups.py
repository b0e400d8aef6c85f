"""LISTEN and NOTIFY: who makes a lane ready on PostgreSQL is heard by every worker at once; below is the poll."""

import logging
import queue
from collections.abc import Iterator
from datetime import timedelta
from logging.handlers import BufferingHandler
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest
from sqlalchemy import event, select, text

from app import config
from app.db.database import Database
from app.db.tables import inbox as inbox_table
from app.db.wakeups import Listener
from app.inbox import queue as inbox
from app.inbox.queue import NewEvent, add_all
from app.inbox.worker import Worker
from app.runtime.worker import make_worker
from tests.support.arrivals import arrive
from tests.support.deaf_pooler import deaf_pooler
from tests.support.eventually import eventually
from tests.support.running_service import Service

pytestmark = [pytest.mark.slow, pytest.mark.engines("postgresql")]
LISTENING = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'"


@pytest.fixture
def db(database_url: str) -> Iterator[Database]:
    """The database with its own clock."""
    database = Database(config.from_environment({"DATABASE_URL": database_url}).database_url)
    yield database
    database.close()


@pytest.fixture
def words(db: Database) -> Iterator["queue.Queue[bool]"]:
    """What a listener heard; it has connected."""
    heard: queue.Queue[bool] = queue.Queue()
    listener = Listener(db, lambda: heard.put(True))
    listener.start()
    heard.get(timeout=60)
    yield heard
    listener.stop()


def an_event(key: str, lane: str = "CH1") -> NewEvent:
    return NewEvent(key, "onPollAnswered", lane, "", "POST", "/", b"")


def store(db: Database, *events: NewEvent) -> None:
    with db.write() as tx:
        add_all(db, tx, events)


def test_a_group_of_events_is_one_word(db, words):
    store(db, an_event("first", "CH1"), an_event("second", "CH2"), an_event("third", "CH2"))

    words.get(timeout=60)
    with pytest.raises(queue.Empty):
        words.get(timeout=0.3)


def test_an_event_for_a_lane_that_is_ready_already_is_no_word(db, words):
    store(db, an_event("first"))
    words.get(timeout=60)
    store(db, an_event("second"))

    with pytest.raises(queue.Empty):
        words.get(timeout=0.3)


def test_what_is_undone_is_no_word(db, words):
    with pytest.raises(ZeroDivisionError), db.write() as tx:
        add_all(db, tx, [an_event("first")])
        raise ZeroDivisionError

    with pytest.raises(queue.Empty):
        words.get(timeout=0.3)


def test_a_lane_that_must_wait_or_need_not_wait_any_longer_is_a_word(db, words):
    store(db, an_event("first"))
    words.get(timeout=60)
    claimed = inbox.claim(db)
    with db.write() as tx:
        inbox.postpone(tx, claimed, "later", timedelta(hours=1), db.instant(tx), counts_as_attempt=False)
    words.get(timeout=60)
    with db.write() as tx:
        inbox.pull_forward(tx, "CH1", db.instant(tx))

    assert words.get(timeout=60)


@pytest.fixture
def idle_worker(db: Database) -> Iterator[Worker]:
    """A worker that listens and has nothing to do."""
    worker = Worker(db, {}, lambda work: None)
    worker.start()
    assert eventually(lambda: is_listening(db))
    yield worker
    worker.stop()


def is_listening(db: Database) -> bool:
    with db.read() as tx:
        return bool(tx.execute(text(LISTENING)).all())


def is_finished(db: Database, key: str) -> bool:
    with db.read() as tx:
        finished = select(inbox_table.c.finished_at).where(inbox_table.c.event_key == key)
        return tx.scalar(finished) is not None


def test_a_look_of_an_idle_worker_is_a_few_statements(db, idle_worker):
    statements: list[str] = []
    event.listen(db.engine, "before_cursor_execute", lambda *facts: statements.append(facts[2]))
    assert eventually(lambda: sum("lanes.ready_at <=" in statement for statement in statements) == 4)

    assert len(statements) <= 5 * 4


@pytest.fixture
def worker_that_never_polls(db: Database) -> Iterator[Worker]:
    """A worker that listens, and would look by itself after the end of any test only."""
    worker = Worker(db, {}, lambda work: None, threads=1, poll_seconds=3600)
    worker.start()
    assert eventually(lambda: is_listening(db))
    yield worker
    worker.stop()


def test_a_worker_is_woken_and_need_not_poll(db, worker_that_never_polls):
    for number in range(5):
        store(db, an_event(f"event {number}"))
        assert eventually(lambda: is_finished(db, f"event {number}"))  # noqa: B023


def test_an_event_that_must_wait_is_worked_on_when_its_time_comes_without_a_poll(db, worker_that_never_polls):
    with db.write() as tx:
        now = db.now(tx)
        inbox.schedule(tx, an_event("timer"), now + timedelta(seconds=1.3), now)
    assert eventually(lambda: is_finished(db, "timer"))
    with db.read() as tx:
        ended = tx.scalar(select(inbox_table.c.finished_at))

    assert ended >= now + timedelta(seconds=1.3)


@pytest.fixture
def said() -> Iterator[list[logging.LogRecord]]:
    """What listeners log, as it comes."""
    logger, handler = logging.getLogger("parley.wakeups"), BufferingHandler(1000)
    logger.addHandler(handler)
    yield handler.buffer
    logger.removeHandler(handler)


def test_a_worker_whose_connection_was_cut_polls_and_listens_again(db, said, idle_worker, database_url):
    with psycopg.connect(database_url, autocommit=True) as admin:
        ((listener,),) = admin.execute(LISTENING).fetchall()
        admin.execute("SELECT pg_terminate_backend(%s)", [listener])
        assert eventually(lambda: "wakeups.polling" in [record.getMessage() for record in said])
        store(db, an_event("unheard"))

        assert eventually(lambda: is_finished(db, "unheard"), seconds=3)
        assert eventually(lambda: admin.execute(LISTENING).fetchall() not in ([], [(listener,)]))
    assert eventually(lambda: said[-1].getMessage() == "wakeups.listening")


def test_behind_a_pooler_in_transaction_mode_a_worker_polls_and_says_so_once(database_url, db, said, monkeypatch):
    monkeypatch.setattr("app.db.wakeups.PROBE_SECONDS", 0.5)
    monkeypatch.setattr("app.db.wakeups.LOST_RETRY_SECONDS", 0.1)
    (folder,) = parse_qs(urlsplit(database_url).query)["host"]
    with deaf_pooler(folder) as port:
        address = db.url.set(host="127.0.0.1", port=port, query={"sslmode": "disable", "gssencmode": "disable"})
        pooled = Database(address.render_as_string(hide_password=False))
        worker = Worker(pooled, {}, lambda work: None)
        worker.start()
        tried = []
        event.listen(pooled.engine, "before_cursor_execute", lambda *facts: tried.append("pg_notify" in facts[2]))
        assert eventually(lambda: tried.count(True) >= 2)  # it has tried again
        store(db, an_event("unheard"))
        assert eventually(lambda: is_finished(db, "unheard"), seconds=3)
        worker.stop()
        pooled.close()

    assert [record.reason for record in said] == [
        "no notification comes through this connection; a pooler in transaction mode? See docs/deploying.md"
    ]


@pytest.fixture
def worker_process(environ: dict[str, str], tmp_path) -> Iterator[Service]:
    """`flask worker` in a process of its own, listening."""
    service = Service(environ, tmp_path / "log", workers=1)
    service.start("worker 1")
    assert eventually(lambda: "wakeups.listening" in service.log_text(), seconds=20)
    yield service
    service.close()


def test_a_worker_of_another_process_answers(worker_process, emulator, post_webhook):
    for number in range(7):
        arrive(emulator, post_webhook, sender=f"+155501000{number:02}")
        assert eventually(lambda: len(emulator.replies()) > number)  # noqa: B023


def test_a_web_process_that_only_stores_does_not_listen(app, db, emulator, post_webhook):
    arrive(emulator, post_webhook)

    assert app.extensions["parley"].worker is None
    assert not is_listening(db)


def test_a_worker_that_was_stopped_listens_no_longer(db, idle_worker):
    assert idle_worker.stop()

    assert eventually(lambda: not is_listening(db))


def test_draining_needs_no_ear(app, db, emulator, post_webhook):
    arrive(emulator, post_webhook)
    make_worker(app.extensions["parley"].settings, app.extensions["parley"].db).drain()

    assert len(emulator.replies()) == 1
    assert not is_listening(db)
