"""The worker: order within a lane, lanes side by side, events that cannot be worked, and an end in good order."""

import json
import time
from datetime import timedelta

import pytest
from sqlalchemy import event, update

from app.bot.handlers import HANDLERS
from app.bot.replying import reply_to_message
from app.db.database import Database
from app.db.tables import lanes
from app.inbox import leases, queue
from app.inbox.job import Job
from app.inbox.leases import LEASE_SECONDS
from app.runtime.worker import make_worker
from app.store import rate_limits
from app.twilio_api.events import UserUpdated
from app.twilio_api.form import read_form
from app.twilio_api.parsing import parse
from tests.support.arrivals import arrive
from tests.support.eventually import eventually

SECRET = "my secret is 1234"


@pytest.fixture
def arrives(emulator, post_webhook):
    def arrives(body="order", **more):
        return arrive(emulator, post_webhook, body, **more)

    return arrives


@pytest.fixture
def running(app):
    """A worker that runs, as in a web process."""
    worker = app.extensions["parley"].start_worker()
    yield worker
    assert worker.stop()


@pytest.fixture
def tries(app, clock, handlers):
    """Let a worker look again and again, each time a day later."""
    parley = app.extensions["parley"]
    worker = make_worker(parley.settings, parley.db, handlers=handlers)

    def try_again(count):
        for _ in range(count):
            worker.work_once()
            clock.advance(86_400)

    return try_again


@pytest.fixture
def events(flask_command):
    return lambda: json.loads(flask_command("inbox", "list", "--json", "--limit", "100"))[::-1]


@pytest.fixture
def handlers():
    return dict(HANDLERS)


@pytest.fixture
def handler_of_users(handlers):
    """Let a function handle onUserUpdated, which Parley ignores."""
    return lambda handler: handlers.update({UserUpdated: handler})


def answers_in(emulator, message):
    return [
        json.loads(one["attributes"])["parley"]["reply_to"]
        for one in emulator.messages(message["conversation_sid"])
        if one["author"] == "support-bot"
    ]


def test_messages_of_one_conversation_are_answered_in_order(arrives, emulator, running):
    emulator.faults(latency=0.05)
    asked = [arrives(f"order {number}")["message_sid"] for number in range(5)]
    last = arrives("order 5")

    assert eventually(lambda: answers_in(emulator, last)[4:])
    assert answers_in(emulator, last)[:5] == asked


def test_conversations_are_answered_side_by_side(arrives, emulator, running, events):
    emulator.faults(latency=1.0)
    for number in range(8):
        arrives(sender=f"+1555010{1000 + number}")

    assert eventually(lambda: [event["state"] for event in events()].count("processing") >= 2)
    assert eventually(lambda: len(emulator.replies()) == 8, seconds=30)


def test_receipts_are_not_held_up_by_a_slow_reply(arrives, emulator, post_webhook, running, events):
    emulator.faults(hang_next=1.5)
    message = arrives()
    assert eventually(emulator.replies)
    receipt = {"ConversationSid": message["conversation_sid"], "ChatServiceSid": None}
    post_webhook("onDeliveryUpdated__delivered", receipt)

    assert eventually(lambda: events()[1]["state"] == "processed", seconds=1.2)
    assert events()[0]["state"] == "processing"


def test_stopping_finishes_what_is_begun_and_begins_nothing_more(arrives, app, emulator, events, run_worker):
    emulator.faults(hang_next=1.0)
    arrives()
    arrives("order again")
    worker = app.extensions["parley"].start_worker()
    assert eventually(emulator.replies)
    assert worker.stop()
    assert [one["state"] for one in events()] == ["processed", "pending"]
    run_worker()

    assert len(emulator.replies()) == 2


def test_an_event_that_always_fails_is_buried_after_twelve_attempts_without_its_words(
    post_webhook, handler_of_users, tries, events, flask_command
):
    def stumble(event, _bot):
        raise ValueError(SECRET + event.identity)

    handler_of_users(stumble)
    post_webhook("onUserUpdated__online")
    tries(11)
    assert [one["state"] for one in events()] in (["pending"], ["scheduled"])
    tries(3)
    (dead,) = events()

    assert (dead["state"], dead["attempts"]) == ("dead", 12)
    assert dead["outcome"].startswith("ValueError at test_worker.py:")
    assert SECRET not in flask_command("inbox", "show", str(dead["id"]), "--raw")


def test_a_buried_event_is_worked_when_the_fault_is_mended_and_a_command_brings_it_back(
    post_webhook, handler_of_users, tries, events, flask_command
):
    handler_of_users(lambda _event, _bot: 1 // 0)
    post_webhook("onUserUpdated__online")
    tries(12)
    handler_of_users(lambda _event, _bot: "mended")
    flask_command("inbox", "retry", "--all-dead")
    tries(1)

    assert [(one["state"], one["outcome"]) for one in events()] == [("processed", "mended")]


def test_an_event_on_which_the_process_always_ends_is_buried_too(post_webhook, handler_of_users, tries, clock, events):
    def end(_event, _bot):
        raise SystemExit

    handler_of_users(end)
    post_webhook("onUserUpdated__online")
    for _ in range(12):
        with pytest.raises(SystemExit):
            tries(1)
        clock.advance(LEASE_SECONDS + 1)
    tries(1)

    assert [one["state"] for one in events()] == ["dead"]
    assert events()[0]["outcome"] == "the worker ended each time while working on it"


@pytest.mark.engines("sqlite")
def test_a_fault_that_nobody_foresaw_ends_no_thread(app, arrives, emulator, running):
    engine, stumbles = app.extensions["parley"].db.engine, []

    def stumble(*_statement):
        stumbles.append(1)
        raise RuntimeError

    arrives()
    assert eventually(lambda: len(emulator.replies()) == 1)
    event.listen(engine, "before_cursor_execute", stumble)
    assert eventually(lambda: stumbles)
    event.remove(engine, "before_cursor_execute", stumble)
    arrives(sender="+15550100002")

    assert eventually(lambda: len(emulator.replies()) == 2)


@pytest.mark.engines("sqlite")
def test_a_worker_without_tables_says_so_once_a_minute_however_often_it_tries(app, caplog, running):
    engine, tries_made = app.extensions["parley"].db.engine, []
    with app.extensions["parley"].db.write() as tx:
        tx.exec_driver_sql("DROP TABLE lanes")
    event.listen(engine, "before_cursor_execute", lambda *_statement: tries_made.append(1))
    assert eventually(lambda: len(tries_made) > 12)

    said = [one.reason for one in caplog.records if one.getMessage() == "worker.database_unavailable"]
    assert said == ["the database has no tables yet, or those of an older version; run `flask db upgrade`"]


def test_a_fault_undoes_what_its_handler_wrote(arrives, post_webhook, handler_of_users, tries, flask_command):
    def write_and_stumble(event, bot):
        rate_limits.close(bot.tx, rate_limits.ACCOUNT, timedelta(minutes=15), bot.job.now())
        raise LookupError

    handler_of_users(write_and_stumble)
    post_webhook("onUserUpdated__online")
    tries(1)
    arrives()
    tries(2)

    assert json.loads(flask_command("inbox", "stats", "--json"))["processed"] == 1


@pytest.mark.engines("postgresql")
def test_the_clock_of_events_that_follow_each_other_keeps_up_with_the_databases(
    post_webhook, database_url, app, handlers, handler_of_users
):
    """Every commit takes its time; the events that are claimed in it must not believe that none has passed."""
    parley, behind = app.extensions["parley"], []
    real = Database(parley.settings.database_url)  # with the clock of PostgreSQL itself

    def measure(_event, bot):
        behind.append((real.now(bot.tx) - bot.job.now()).total_seconds())
        return "measured"

    handler_of_users(measure)
    for number in range(25):
        post_webhook("onUserUpdated__online", UserSid=f"US{number:032}")
    with real.write() as tx:
        tx.execute(update(lanes).values(ready_at=real.now(tx)))
    event.listen(real.engine, "commit", lambda _tx: time.sleep(0.03))
    assert make_worker(parley.settings, real, handlers=handlers).work_along()
    real.close()

    assert len(behind) == 25
    assert max(behind) < 0.2


def test_a_worker_that_lost_its_lease_sends_nothing(arrives, app, clock, emulator):
    parley = app.extensions["parley"]
    arrives()
    lost = queue.claim(parley.db)
    clock.advance(LEASE_SECONDS + 1)
    owner = queue.claim(parley.db)
    work = Job(parley.db, lost)
    bot = make_worker(parley.settings, parley.db)._make_bot(work)
    message = parse(read_form(lost.method, lost.target, lost.body))
    with pytest.raises(leases.LeaseLost):
        reply_to_message(message, bot)
    work.rollback()

    assert emulator.requests() == []
    assert owner.id == lost.id
