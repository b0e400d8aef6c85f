"""`/metrics`: the numbers are those of the database, whoever did the work, and docs/metrics.md names them all."""

import re
from datetime import timedelta

import pytest
from sqlalchemy import func, select, text

from app.config import PROJECT
from app.db.tables import FAILED, delivery_events, replies
from app.privacy import retention
from app.store import rate_limits
from tests.support.scraping import PASSWORD, by, one, scraper_of

SMS = "onMessageAdded__sms_text"


@pytest.fixture
def environ(environ):
    return environ | {"BOT_ADMIN_PASSWORD": PASSWORD}


@pytest.fixture
def scrape(app):
    return scraper_of(app)


def test_the_queue_is_counted_by_state_with_the_age_of_its_oldest(post_webhook, scrape, clock):
    post_webhook(SMS)
    post_webhook("onDeliveryUpdated__sent")
    clock.advance(90)

    found = scrape()
    assert by(found, "parley_inbox_events", "state") == {
        "pending": 2,
        "scheduled": 0,
        "processing": 0,
        "dead": 0,
    }
    assert 90 <= one(found, "parley_inbox_oldest_due_seconds") < 100


def test_what_is_worked_off_is_no_queue_and_what_waits_for_a_person_is(customer_writes, emulator, run_worker, scrape):
    customer_writes("hello")
    run_worker()
    emulator.faults(fail_next=[{"status": 400}])
    customer_writes("hello again")
    run_worker()

    found = scrape()
    assert by(found, "parley_inbox_events", "state") == {
        "pending": 0,
        "scheduled": 0,
        "processing": 0,
        "dead": 1,
    }
    assert one(found, "parley_inbox_oldest_due_seconds") == 0
    assert one(found, "parley_replies_unsent", rule="default", result="failed") == 1


def test_closed_gates_are_counted_by_whom_they_hold_up(app, scrape, clock):
    with app.extensions["parley"].db.write() as tx:
        for scope in ("CH1", "CH2", rate_limits.ACCOUNT):
            rate_limits.close(tx, scope, timedelta(minutes=1), clock())
    assert by(scrape(), "parley_gates_closed", "scope") == {"account": 1, "conversation": 2}
    clock.advance(61)

    assert by(scrape(), "parley_gates_closed", "scope") == {"account": 0, "conversation": 0}


def test_replies_deliveries_and_requests_are_those_of_the_database(app, customer_writes, emulator, run_worker, scrape):
    customer_writes("where is my order")
    customer_writes("hello")
    emulator.carrier("+15550100002", error_code=30003, status="undelivered")
    customer_writes("hello", sender="+15550100002")
    run_worker()
    assert emulator.settle()
    run_worker()

    found = scrape()
    with app.extensions["parley"].db.read() as tx:
        sent = tx.execute(select(replies.c.rule, func.count()).where(replies.c.state == "sent").group_by("rule")).all()
        failures = select(delivery_events.c.error_code, func.count()).where(text(FAILED)).group_by("error_code")
        codes = tx.execute(failures).all()
    assert by(found, "parley_replies_sent_total", "rule") == {rule: count for rule, count in sent}  # noqa: C416
    assert by(found, "parley_replies_sent_total", "rule") == {"default": 2, "order": 1}
    assert by(found, "parley_delivery_failures_total", "error_code") == {str(code): count for code, count in codes}
    assert by(found, "parley_delivery_failures_total", "error_code") == {"30003": 1}
    assert by(found, "parley_deliveries_total", "status") == {"sent": 3, "delivered": 2, "read": 0}
    assert one(found, "parley_rest_calls_total", result="ok") == len(emulator.requests())


def test_what_twilio_refuses_is_counted_by_status(customer_writes, emulator, run_worker, scrape):
    customer_writes("hello")
    emulator.faults(fail_next=[{"status": 429}])
    run_worker()
    run_worker()

    assert one(scrape(), "parley_rest_calls_total", result="429") == 1


def test_no_counter_falls_when_old_rows_are_deleted(app, clock, customer_writes, emulator, run_worker, scrape):
    emulator.carrier("+15550100002", error_code=30003, status="undelivered")
    for sender in ("+15550100001", "+15550100002"):
        customer_writes("hello", sender=sender)
    run_worker()
    assert emulator.settle()
    run_worker()
    before = counters(scrape())

    clock.advance(60 * 86400)
    emulator.advance(60 * 86400)
    db = app.extensions["parley"].db
    deleted = [retention.purge(db, clock() - timedelta(days=30), wait=lambda _seconds: False) for _ in range(2)]

    assert deleted[0]["replies"] == deleted[0]["deliveries"] == 2
    assert counters(scrape()) == before
    customer_writes("hello again")
    run_worker()
    assert one(scrape(), "parley_replies_sent_total", rule="default") == 3


def counters(found):
    """Return what is counted in the database."""
    return {
        key: number
        for key, number in found.items()
        if key[0].endswith("_total") and "webhooks" not in key[0] and "refusals" not in key[0]
    }


@pytest.mark.engines("sqlite")
class TestPage:
    """docs/metrics.md names what there is, and its alerts ask for nothing else."""

    PAGE = (PROJECT / "docs" / "metrics.md").read_text(encoding="utf-8")

    def test_every_metric_is_in_the_table_with_its_kind_and_labels(self, app):
        page = app.test_client().get("/metrics", auth=("x", PASSWORD)).text

        documented = dict(re.findall(r"^\| `(parley_\w+)` \| (\w+) \|", self.PAGE, re.MULTILINE))
        exposed = dict(re.findall(r"^# TYPE (parley_\w+) (\w+)$", page, re.MULTILINE))
        assert documented == exposed

    def test_alerts_ask_for_metrics_that_there_are(self):
        documented = set(re.findall(r"^\| `(parley_\w+)`", self.PAGE, re.MULTILINE))
        asked = set(re.findall(r"\bparley_[a-z_]+(?=[\[{)\s])", self.PAGE.partition("## Alerts")[2]))

        assert len(asked) == 6
        assert asked <= documented
