"""What is old goes from every table, and what somebody still needs stays; on both databases."""

import threading
from datetime import timedelta

import pytest
from sqlalchemy import func, insert, select

from app.bot import responder_pool
from app.db.tables import audit_log, conversations, decisions, messages, metadata, participants, replies
from app.db.tables import inbox as inbox_table
from app.inbox import admin, queue
from app.inbox.queue import NewEvent
from app.privacy import retention
from app.reconcile import progress
from app.runtime.worker import make_worker
from app.store import consent
from app.store import conversations as memory
from app.store import replies as delivery_log
from app.store.consent import OPTED_OUT, ConsentChange, Person
from app.store.messages import DecisionKey, NewDecision, record_decision, record_message
from app.store.replies import Content
from tests.support.eventually import eventually

DAY = 24 * 3600
MONTH = timedelta(days=30)


@pytest.fixture
def purge(db):
    """Purge what is older than a month; return what was deleted."""

    def run() -> dict[str, int]:
        with db.read() as tx:
            before = db.now(tx) - MONTH
        return retention.purge(db, before, wait=lambda _seconds: False)

    return run


def rows(db, table) -> int:
    with db.read() as tx:
        return tx.scalar(select(func.count()).select_from(table)) or 0


def add_event(db, key: str, *, state: str = "processed") -> None:
    event = NewEvent(key, "onMessageAdded", f"lane {key}", "SMS", "POST", "/", b"body")
    with db.write() as tx:
        queue.add_all(db, tx, [event])
    if state != "pending":
        claimed = queue.claim(db)
        with db.write() as tx:
            queue.finish(tx, claimed, state, "done", db.instant(tx))


def add_message(db, sid: str) -> None:
    """Store a message with all that follows on it."""
    with db.write() as tx:
        now = db.now(tx)
        record_message(tx, sid, {"conversation_sid": "CH1", "body": "hello"}, dated=now, now=now)
        record_decision(tx, NewDecision(DecisionKey(sid), "CH1", code="replied", rule="a", reason=""), now)
        delivery_log.intend(tx, DecisionKey(sid), "CH1", "a", [Content("hi"), Content("there")], now)
        for reply in delivery_log.open_replies(tx, DecisionKey(sid)):
            delivery_log.record_sent(tx, reply, f"{sid}-{reply.n}", now)
        responder_pool.record_question(tx, sid, "CH1", [], now)
        tx.execute(insert(audit_log).values(at=now, actor="page", action="pause", detail={}))


def test_what_is_older_goes_and_what_is_newer_stays(db, clock, purge):
    add_event(db, "old")
    add_message(db, "IMold")
    clock.advance(31 * DAY)
    add_event(db, "new")
    add_message(db, "IMnew")

    purge()

    counts = {table.name: rows(db, table) for table in (inbox_table, messages, decisions, replies, audit_log)}
    assert counts == {"inbox": 1, "messages": 1, "decisions": 1, "replies": 2, "audit_log": 1}
    assert rows(db, metadata.tables["responder_calls"]) == 1


def test_a_second_purge_finds_nothing(db, clock, purge):
    add_event(db, "old")
    clock.advance(31 * DAY)

    assert purge() == {"inbox": 1, "lanes": 1}
    assert purge() == {}


@pytest.mark.parametrize("state", ["dead", "pending"])
def test_what_nobody_has_dealt_with_stays_however_old(state, db, clock, purge):
    add_event(db, "old", state=state)
    clock.advance(400 * DAY)

    purge()

    with db.read() as tx:
        assert admin.stats(tx, db.now(tx))[state] == 1


def test_a_reply_that_was_never_sent_stays(db, clock, purge):
    with db.write() as tx:
        delivery_log.intend(tx, DecisionKey("IM1"), "CH1", "a", [Content("hi")], db.now(tx))
    clock.advance(31 * DAY)

    purge()

    assert rows(db, replies) == 1


def test_the_call_of_the_responder_about_an_event_that_died_goes(db, clock, purge):
    with db.write() as tx:
        responder_pool.record_question(tx, "IM1", "CH1", [], db.now(tx))
    clock.advance(31 * DAY)

    assert purge() == {"responder_calls": 1}


def test_who_has_opted_out_stays_opted_out_after_the_conversation_is_gone(db, clock, purge):
    with db.write() as tx:
        now = db.now(tx)
        memory.record_state(tx, "CH1", "closed", dated=now)
        for sid, address in (("MB1", "+15550100001"), ("MB2", "+15550100002")):
            facts = {"conversation_sid": "CH1", "address": address, "removed_at": now}
            memory.record_participant(tx, sid, facts, dated=now)
        person = Person("+15550100001", "sms")
        consent.record(tx, ConsentChange(person=person, change=OPTED_OUT, at=now, word="STOP", message_sid="IM1"))
    clock.advance(31 * DAY)

    purge()

    assert (rows(db, conversations), rows(db, participants)) == (0, 1)
    with db.read() as tx:
        assert consent.standing(tx, person).opted_out
        (change,) = consent.history(tx, person)
    assert (change.change, change.word, change.channel, change.at) == ("opted out", "STOP", "sms", now)
    assert (change.actor, change.message_sid) == ("", "")


def test_what_was_erased_is_remembered_though_reconciliation_was_long_ago(db, clock, purge):
    with db.write() as tx:
        progress.record_looked(tx, "CH1", db.now(tx))
    clock.advance(31 * DAY)
    with db.write() as tx:
        progress.forget(tx, "CH1", db.now(tx))

    purge()

    with db.read() as tx:
        assert progress.cursors(tx, ["CH1"])["CH1"].forgotten_before
    clock.advance(31 * DAY)
    assert purge()["reconcile_cursors"] == 1


def test_an_open_conversation_is_remembered_however_quiet(db, clock, purge):
    with db.write() as tx:
        memory.record_state(tx, "CH1", "active", dated=db.now(tx))
        memory.record_participant(tx, "MB1", {"conversation_sid": "CH1", "address": "+15550100001"}, dated=db.now(tx))
    clock.advance(400 * DAY)

    assert purge() == {}


def test_many_rows_go_in_small_batches_that_can_be_interrupted(db, clock, monkeypatch):
    monkeypatch.setattr(retention, "DELETED_AT_ONCE", 10)
    monkeypatch.setattr(retention, "LOOKED_AT_ONCE", 7)
    for number in range(25):
        add_event(db, f"event {number}")
    clock.advance(31 * DAY)
    with db.read() as tx:
        before = db.now(tx) - MONTH

    first = retention.purge(db, before, wait=lambda _seconds: True)
    second = retention.purge(db, before, wait=lambda _seconds: False)

    assert (first, second["inbox"]) == ({"inbox": 10}, 15)


def test_a_running_worker_purges_by_itself(app, clock, emulator):
    db = app.extensions["parley"].db
    add_event(db, "old")
    clock.advance(31 * DAY)
    worker = make_worker(app.extensions["parley"].settings, db)
    worker._beside[0]._pause = 0.05

    worker.start()
    try:
        assert eventually(lambda: rows(db, inbox_table) == 0)
    finally:
        worker.stop()

    assert not [thread for thread in threading.enumerate() if thread.name == "worker-tasks"]
