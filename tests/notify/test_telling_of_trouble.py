"""What Parley tells of itself: dead events, outages, a changed webhook, answers and webhooks that failed."""

import pytest
from sqlalchemy import update

from app.db.tables import inbox
from app.notify.recording import Recorder
from app.receiver.alarms import MANY, RejectionAlarm, StorageAlarm
from app.runtime.worker import make_worker
from tests.support.arrivals import arrive
from tests.support.eventually import eventually

pytestmark = pytest.mark.engines("sqlite")
ALL = """
[notify]
dead_events = "crm"
outage = "crm"
webhook_drift = "crm"
storage_refusals = "crm"
rejected_signatures = "crm"
human_answer_failed = "crm"

[[rule]]
name = "default"
reply = "Thanks."
"""
RULES = ALL


@pytest.fixture
def told(crm):
    """Return what was told: the kinds and the texts."""
    return lambda: [(one.document["type"], one.document["data"]["text"]) for one in crm.posts]


@pytest.fixture
def recorder():
    return Recorder(frozenset(["crm"]))


def test_an_event_that_dies_is_told_with_its_page(post_webhook, run_worker, db, crm, told):
    post_webhook("onMessageAdded__sms_text")
    with db.write() as tx:
        tx.execute(update(inbox).values(attempts=12))
    run_worker()

    ((kind, text),) = told()
    assert kind == "dead_events"
    assert "onMessageAdded (number 1): the worker ended each time while working on it" in text
    assert crm.posts[0].document["data"]["link"] == "https://bot.example.com/events/1"


def test_an_outage_is_told_when_it_begins_and_when_it_ends(
    emulator, post_webhook, attempts_go_by, run_worker, crm, told
):
    emulator.faults(fail="503:1", reads=True)
    for number in range(12):
        arrive(emulator, post_webhook, sender=f"+1555010{1000 + number}")
    attempts_go_by(10, 61)
    run_worker()
    assert [one.document["data"]["outage"] for one in crm.posts] == ["began"]
    emulator.faults()
    attempts_go_by(20, 61)
    run_worker()

    assert [one.document["data"]["outage"] for one in crm.posts] == ["began", "ended"]
    assert "it fails since" in told()[0][1]
    assert "it works again" in told()[1][1]


def test_a_webhook_that_calls_somebody_else_is_told_once_a_day(app, emulator, clock, told):
    parley = app.extensions["parley"]
    worker = make_worker(parley.settings, parley.db)
    worker._beside[0]._pause = 0.05
    worker.start()
    try:
        assert eventually(told, seconds=60)
    finally:
        worker.stop()

    ((kind, text),) = told()
    assert kind == "webhook_drift"
    assert "flask webhooks point https://bot.example.com" in text


def test_many_rejected_webhooks_are_told_once_for_all_processes(db, recorder, run_worker, told, clock):
    with clock.standing_still():
        for alarm in (RejectionAlarm(db, recorder), RejectionAlarm(db, recorder)):
            for _ in range(MANY + 5):
                alarm.count(1, "mismatch")
        run_worker()

    ((kind, text),) = told()
    assert (kind, f"{MANY} within 5 minutes, the last one for: mismatch" in text) == ("rejected_signatures", True)


def test_few_rejected_webhooks_are_not_told(db, recorder, run_worker, told):
    RejectionAlarm(db, recorder).count(MANY - 1, "mismatch")
    run_worker()

    assert told() == []


def test_unsigned_webhooks_through_the_real_url_are_counted(app, stored):
    client = app.test_client()

    def refused():
        return client.post("/conversations/webhook", data={"Body": "x"}).status_code == 403

    for _ in range(MANY):
        assert refused()

    # One a second is explained, and counted with those in between.
    assert eventually(lambda: refused() and [row.kind for row in stored()] == ["rejected_signatures"], seconds=60)


def test_what_could_not_be_stored_is_told_as_soon_as_it_can_be(db, recorder, run_worker, told):
    alarm = StorageAlarm(db, recorder, pause=lambda _seconds: None)
    alarm.count()
    assert eventually(lambda: alarm._count == 0, seconds=30)
    run_worker()

    ((kind, text),) = told()
    assert kind == "storage_refusals"
    assert "1 were answered 503" in text
