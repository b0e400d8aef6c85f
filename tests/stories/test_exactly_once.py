"""One reply to each message: cut off between any two steps, told twice, told at once, told in the wrong order."""

import json
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from sqlalchemy import select

from app.db.tables import messages, replies
from app.inbox.leases import LEASE_SECONDS
from app.runtime.worker import make_worker
from app.store.replies import LATE_STORE
from tests.support.arrivals import webhook_of
from tests.support.eventually import eventually
from tests.support.power_cuts import PowerCut, cut_at

THANKS = "Thanks, we will be right back."


@pytest.fixture
def db(app):
    return app.extensions["parley"].db


@pytest.fixture
def worker(app):
    parley = app.extensions["parley"]
    return make_worker(parley.settings, parley.db)


@pytest.fixture
def work_until(db, worker):
    """Work on one event until the step; return the steps that were begun."""

    def work(step):
        with cut_at(db.engine, step) as steps, suppress(PowerCut):
            worker.work_once()
        return steps

    return work


@pytest.fixture
def stats(flask_command):
    return lambda: json.loads(flask_command("inbox", "stats", "--json"))


@pytest.fixture
def ledger(db):
    """The replies as they are written down: message answered, state, MessageSid."""

    def read():
        with db.read() as tx:
            rows = tx.execute(select(replies.c.reply_to, replies.c.state, replies.c.message_sid)).all()
        return sorted(tuple(row) for row in rows)

    return read


@pytest.fixture
def sent(emulator):
    """The same, as Twilio has it: message answered, "sent", MessageSid."""

    def read():
        ours = [message for message in emulator.messages() if message["author"] == "support-bot"]
        markers = [json.loads(message["attributes"])["parley"] for message in ours]
        answered = zip(markers, ours, strict=True)
        return sorted((marker["reply_to"], "sent", message["sid"]) for marker, message in answered)

    return read


def number(n):
    return f"+1555010{1000 + n}"


def test_a_worker_that_ends_at_any_step_leaves_one_reply_to_each_message(
    arrives, work_until, clock, run_worker, stats, ledger, sent
):
    arrives()
    steps = work_until(0)
    assert steps.count("POST") == 1
    for n in range(1, len(steps) + 1):
        arrives(sender=number(n))
        work_until(n)
    clock.advance(LEASE_SECONDS + 1)
    run_worker()
    clock.advance(LATE_STORE.total_seconds())
    run_worker()

    count = len(steps) + 1
    assert {state: number for state, number in stats().items() if number} == {"processed": count}
    assert len(sent()) == len({reply_to for reply_to, _, _ in sent()}) == count
    assert ledger() == sent()


@pytest.mark.parametrize("first", ["POST", "POST answered"])
def test_a_worker_that_ends_at_any_step_of_taking_over_leaves_one_reply_too(
    arrives, work_until, clock, run_worker, stats, ledger, sent, first
):
    arrives()
    first_cut = work_until(0).index(first) + 1
    arrives(sender=number(0))
    work_until(first_cut)
    clock.advance(LEASE_SECONDS + 1)
    steps = work_until(0)
    assert steps.count("GET") == 1
    for n in range(1, len(steps) + 1):
        arrives(sender=number(n))
        work_until(first_cut)
    clock.advance(LEASE_SECONDS + 1)
    for n in range(1, len(steps) + 1):
        work_until(n)
    clock.advance(LEASE_SECONDS + 1)
    run_worker()
    clock.advance(LATE_STORE.total_seconds())
    run_worker()

    assert stats()["processed"] == len(steps) + 2
    assert len(sent()) == len({reply_to for reply_to, _, _ in sent()}) == len(steps) + 2
    assert ledger() == sent()


def test_a_webhook_whose_storing_ends_at_any_step_is_stored_once_when_it_comes_again(db, emulator, post_webhook, stats):
    form = webhook_of(emulator.inbound("hello"), "hello")
    with cut_at(db.engines.priority, 0) as steps:
        post_webhook("onMessageAdded__sms_text", form)
    for n in range(1, len(steps) + 1):
        form = webhook_of(emulator.inbound("hello", sender=number(n)), "hello", number(n))
        with cut_at(db.engines.priority, n), pytest.raises(PowerCut):
            post_webhook("onMessageAdded__sms_text", form)
        assert post_webhook("onMessageAdded__sms_text", form).status_code == 204

    assert len(steps) >= 3
    assert stats()["pending"] == len(steps) + 1


def test_a_reply_that_a_lost_worker_is_still_sending_is_not_sent_by_the_next(
    arrives, worker, clock, emulator, run_worker, ledger, sent
):
    emulator.faults(hang_next={"seconds": 0.7, "stored": True})
    arrives()
    lost = threading.Thread(target=worker.work_once)
    lost.start()
    assert eventually(lambda: emulator.replies() == [THANKS])
    clock.advance(LEASE_SECONDS + 1)
    run_worker()
    lost.join()

    assert emulator.replies() == [THANKS]
    assert ledger() == sent()


def test_the_same_webhook_a_hundred_times_at_once_is_one_event_and_one_reply(
    app, emulator, post_webhook, run_worker, stats
):
    form = webhook_of(emulator.inbound("hello"), "hello")
    app.extensions["parley"].start_worker()
    with ThreadPoolExecutor(20) as threads:
        posts = [threads.submit(post_webhook, "onMessageAdded__sms_text", form) for _ in range(100)]
        answers = Counter(post.result().status_code for post in posts)
    assert app.extensions["parley"].worker.stop()
    run_worker()

    assert answers == {204: 100}
    assert emulator.replies() == [THANKS]
    assert sum(stats().values()) == stats()["processed"] == 1


def test_a_message_told_by_two_scopes_gets_one_reply(emulator, post_webhook, run_worker, stats):
    form = webhook_of(emulator.inbound("hello"), "hello")
    for told in ({}, {"RetryCount": "1"}, {"MessagingServiceSid": None, "WebhookScope": "conversation"}):
        assert post_webhook("onMessageAdded__sms_text", form | told).status_code == 204
        run_worker()

    assert emulator.replies() == [THANKS]
    assert sum(stats().values()) == 1


def test_a_message_whose_event_was_purged_is_not_answered_again(
    emulator, post_webhook, clock, run_worker, flask_command
):
    form = webhook_of(emulator.inbound("hello"), "hello")
    post_webhook("onMessageAdded__sms_text", form)
    run_worker()
    clock.advance(86_400 * 31)
    assert "1 of 1" in flask_command("inbox", "purge", "--yes")
    post_webhook("onMessageAdded__sms_text", form)
    run_worker()

    assert emulator.replies() == [THANKS]


def later(clock):
    return clock().strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def stored_message(db):
    with db.read() as tx:
        return tx.execute(select(messages)).one()


def test_an_edit_that_overtakes_its_message_stays_and_the_message_is_answered_once(
    emulator, post_webhook, clock, run_worker, db
):
    form = webhook_of(emulator.inbound("order"), "order")
    clock.advance(5)
    edit = form | {"Body": "hello, edited", "DateUpdated": later(clock)}
    post_webhook("onMessageUpdated__body_edited", edit)
    run_worker()
    clock.advance(-5)
    post_webhook("onMessageAdded__sms_text", form)
    run_worker()
    run_worker()

    assert len(emulator.replies()) == 1
    assert stored_message(db).body == "hello, edited"


def test_a_removal_that_overtakes_its_message_leaves_no_text_behind(emulator, post_webhook, clock, run_worker, db):
    form = webhook_of(emulator.inbound("a secret"), "a secret")
    clock.advance(5)
    post_webhook("onMessageRemoved__by_sdk", form | {"DateRemoved": later(clock), "DateUpdated": later(clock)})
    run_worker()
    clock.advance(-5)
    post_webhook("onMessageAdded__sms_text", form)
    run_worker()

    assert (stored_message(db).body, stored_message(db).removed_at is None) == ("", False)
    assert len(emulator.replies()) <= 1


def test_receipts_that_overtake_the_record_of_our_reply_are_linked_to_it_later(
    arrives, webhooks_arrive, emulator, clock, run_worker, flask_command
):
    emulator.faults(cut_next=1)
    arrives()
    run_worker()
    assert emulator.settle()
    run_worker()
    assert [one["rule"] for one in json.loads(flask_command("deliveries", "list", "--json"))] == [None]
    clock.advance(LEASE_SECONDS + 1)
    run_worker()

    (delivery,) = json.loads(flask_command("deliveries", "list", "--json"))
    assert (delivery["status"], delivery["rule"]) == ("delivered", "default")
