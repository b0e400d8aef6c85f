"""`/metrics`: what is counted, by whom it may be read, and that the numbers are those of the database."""

import base64
import os
import re
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import func, select, text

from app import config, create_app
from app.config import PROJECT
from app.tables import FAILED, delivery_events, login_failures, replies
from tests.conftest import ORIGIN, TOKEN
from tests.eventually import eventually
from tests.gunicorn_process import serving

PASSWORD = "correct-horse-battery"
SMS = "onMessageAdded__sms_text"


@pytest.fixture
def environ(environ):
    return environ | {"BOT_ADMIN_PASSWORD": PASSWORD}


@pytest.fixture
def scrape(app):
    """What Prometheus reads: {(name, labels as sorted pairs): number}."""
    return lambda: read(app.test_client().get("/metrics", auth=("prometheus", PASSWORD)).text)


def read(page):
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }


def one(found, name, **labels):
    return found.get((name, tuple(sorted(labels.items()))), 0)


def by(found, name, label):
    return {dict(labels)[label]: number for (called, labels), number in found.items() if called == name}


class TestAccess:
    @pytest.fixture
    def database_url(self, sqlite_url):
        return sqlite_url

    @pytest.mark.parametrize(
        "header",
        [
            None,
            "Bearer " + PASSWORD,
            "Basic " + base64.b64encode(f"{PASSWORD}:".encode()).decode(),
            "Basic " + base64.b64encode(b"admin:wrong").decode(),
            "Basic " + base64.b64encode(b"admin").decode(),
            "Basic \xff\xfe",
            "Basic",
        ],
        ids=["none", "bearer", "password as name", "wrong password", "no colon", "no base64", "nothing"],
    )
    def test_without_the_password_it_asks_for_it(self, header, app):
        answer = app.test_client().get("/metrics", headers={"Authorization": header} if header else {})

        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"].startswith("Basic realm=")
        assert "parley_" not in answer.text

    @pytest.mark.parametrize("user", ["", "prometheus", "ünï"])
    def test_any_name_with_the_password_reads_it(self, user, app):
        answer = app.test_client().get("/metrics", auth=(user, PASSWORD))

        assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
        assert answer.content_type.startswith("text/plain")

    def test_a_client_that_wants_openmetrics_gets_it(self, app):
        accepted = {"Accept": "application/openmetrics-text; version=1.0.0"}

        answer = app.test_client().get("/metrics", auth=("x", PASSWORD), headers=accepted)

        assert answer.content_type.startswith("application/openmetrics-text")
        assert answer.text.endswith("# EOF\n")

    def test_who_guesses_has_to_wait_also_with_the_right_password_and_then_may_read(self, app, clock):
        client = app.test_client()

        guesses = [client.get("/metrics", auth=("x", "guess")).status_code for _ in range(6)]
        locked = client.get("/metrics", auth=("x", PASSWORD))
        clock.advance(int(locked.headers["Retry-After"]) + 1)

        assert guesses == [401] * 5 + [429]
        assert locked.status_code == 429
        assert client.get("/metrics", auth=("x", PASSWORD)).status_code == 200
        assert client.get("/metrics", auth=("x", "guess")).status_code == 401

    def test_whoever_guesses_behind_a_proxy_silences_no_scraper_behind_it(self, app):
        client = app.test_client()
        for _ in range(6):
            client.get("/metrics", auth=("x", "guess"), headers={"X-Forwarded-For": "203.0.113.9"})

        answer = client.get("/metrics", auth=("x", PASSWORD), headers={"X-Forwarded-For": "203.0.113.10"})

        assert answer.status_code == 200

    def test_guesses_here_lock_nobody_out_of_the_page(self, app):
        client = app.test_client()
        for _ in range(6):
            client.get("/metrics", auth=("x", "guess"))

        answer = client.post("/login", data={"name": "Maria", "password": "guess"}, base_url=ORIGIN)

        assert answer.status_code != 429

    def test_a_scrape_with_the_password_writes_nothing(self, app, scrape):
        scrape()

        with app.extensions["parley"].db.read() as tx:
            assert tx.scalar(select(func.count()).select_from(login_failures)) == 0

    def test_without_a_password_there_is_nothing_to_read(self, environ):
        application = create_app(config.from_environment(environ | {"BOT_ADMIN_PASSWORD": ""}))

        assert application.test_client().get("/metrics").status_code == 404
        assert application.test_client().get("/metrics", auth=("x", "")).status_code == 404

    @pytest.mark.parametrize(
        ("origin", "status"),
        [("http://127.0.0.1:8000", 200), ("http://localhost", 200), ("http://evil.example.com", 404)],
        ids=["by address", "by name", "another site's name for this machine"],
    )
    def test_in_the_offline_loop_this_machine_reads_it_without_a_password(self, origin, status, environ):
        offline = {"BOT_ADMIN_PASSWORD": "", "PUBLIC_URL": "http://127.0.0.1:8000"}
        client = create_app(config.from_environment(environ | offline)).test_client()

        assert client.get("/metrics", base_url=origin).status_code == status

    def test_in_the_offline_loop_nobody_else_reads_it(self, environ):
        offline = {"BOT_ADMIN_PASSWORD": "", "PUBLIC_URL": "http://127.0.0.1:8000"}
        client = create_app(config.from_environment(environ | offline)).test_client()

        answer = client.get("/metrics", base_url="http://127.0.0.1", environ_base={"REMOTE_ADDR": "192.0.2.7"})

        assert answer.status_code == 404


class TestWebhooks:
    @pytest.fixture
    def database_url(self, sqlite_url):
        return sqlite_url

    def test_each_is_counted_by_its_type_and_by_what_became_of_it(self, post_webhook, app, scrape):
        post_webhook(SMS)
        post_webhook(SMS)
        post_webhook(SMS, MessageSid="")
        post_webhook("onMessageAdd__sms")
        post_webhook("onPollAnswered__unknown_type")
        post_webhook("onPollAnswered__unknown_type", EventType="onSomethingElse")
        app.test_client().post("/conversations/webhook", data={"EventType": "onMessageAdded"})

        found = scrape()
        assert {labels: number for (name, labels), number in found.items() if name == "parley_webhooks_total"} == {
            (("event_type", "onMessageAdded"), ("outcome", "stored")): 1,
            (("event_type", "onMessageAdded"), ("outcome", "known")): 1,
            (("event_type", "onMessageAdded"), ("outcome", "unusable")): 1,
            (("event_type", "onMessageAdd"), ("outcome", "pre-action")): 1,
            (("event_type", "unknown"), ("outcome", "stored")): 2,
            (("event_type", "unverified"), ("outcome", "refused")): 1,
        }

    def test_refusals_are_counted_by_their_reason(self, app, scrape):
        client = app.test_client()
        for headers in ({}, {"X-Twilio-Signature": "AAAA"}, {"X-Twilio-Signature": "BBBB"}):
            client.post("/conversations/webhook", data={"EventType": "onMessageAdded"}, headers=headers)

        assert by(scrape(), "parley_refusals_total", "reason") == {"missing": 1, "mismatch": 2}

    def test_what_cannot_be_stored_is_counted_and_not_as_an_acknowledgement(self, app, post_webhook, scrape, tmp_path):
        (tmp_path / "parley.db").unlink()

        assert post_webhook(SMS).status_code == 503
        found = scrape()
        assert one(found, "parley_webhooks_total", event_type="onMessageAdded", outcome="unavailable") == 1
        assert one(found, "parley_ack_seconds_count") == 0

    def test_the_time_until_the_acknowledgement_is_a_histogram(self, post_webhook, scrape):
        post_webhook(SMS)
        post_webhook(SMS)

        found = scrape()
        assert one(found, "parley_ack_seconds_count") == 2
        assert one(found, "parley_ack_seconds_bucket", le="5.0") == 2
        assert 0 < one(found, "parley_ack_seconds_sum") < 5

    def test_a_counter_that_fails_changes_no_answer(self, app, post_webhook, scrape):
        app.extensions["parley.door"].counts._made = "broken"

        assert [post_webhook(SMS).status_code, post_webhook(SMS).status_code] == [204, 204]

    def test_a_database_that_is_away_is_said_and_what_this_process_counted_stays(self, environ):
        away = environ | {"DATABASE_URL": "postgresql://nobody@127.0.0.1:9/nothing"}
        client = create_app(config.from_environment(away)).test_client()
        client.post("/conversations/webhook", data={"EventType": "onMessageAdded"})

        found = read(client.get("/metrics", auth=("x", PASSWORD)).text)
        assert one(found, "parley_database_up") == 0
        assert by(found, "parley_refusals_total", "reason") == {"missing": 1}
        assert by(found, "parley_inbox_events", "state") == {}


class TestDatabase:
    def test_the_queue_is_counted_by_state_with_the_age_of_its_oldest(self, post_webhook, scrape, clock):
        post_webhook(SMS)
        post_webhook("onDeliveryUpdated__sent")
        clock.advance(90)

        found = scrape()
        assert by(found, "parley_inbox_events", "state") == {
            "pending": 2, "scheduled": 0, "processing": 0, "dead": 0,
        }  # fmt: skip
        assert 90 <= one(found, "parley_inbox_oldest_due_seconds") < 100

    def test_what_is_worked_off_is_no_queue_and_what_waits_for_a_person_is(
        self, customer_writes, emulator, run_worker, scrape
    ):
        customer_writes("hello")
        run_worker()
        emulator.faults(fail_next=[{"status": 400}])
        customer_writes("hello again")
        run_worker()

        found = scrape()
        assert by(found, "parley_inbox_events", "state") == {
            "pending": 0, "scheduled": 0, "processing": 0, "dead": 1,
        }  # fmt: skip
        assert one(found, "parley_inbox_oldest_due_seconds") == 0
        assert by(found, "parley_replies_failed", "rule") == {"default": 1}

    def test_replies_deliveries_and_requests_are_those_of_the_database(
        self, app, customer_writes, emulator, run_worker, scrape
    ):
        customer_writes("where is my order")
        customer_writes("hello")
        emulator.carrier("+15550100002", error_code=30003, status="undelivered")
        customer_writes("hello", sender="+15550100002")
        run_worker()
        assert emulator.settle()
        run_worker()

        found = scrape()
        with app.extensions["parley"].db.read() as tx:
            rows = tx.execute(select(replies.c.rule, replies.c.state, func.count()).group_by("rule", "state")).all()
            failures = select(delivery_events.c.error_code, func.count()).where(text(FAILED)).group_by("error_code")
            codes = tx.execute(failures).all()
        assert rows
        assert {(rule, state): one(found, "parley_replies_total", rule=rule, result=state) for rule, state, _ in rows} \
            == {(rule, state): count for rule, state, count in rows}  # fmt: skip
        assert by(found, "parley_delivery_failures_total", "error_code") == {str(code): count for code, count in codes}
        assert by(found, "parley_delivery_failures_total", "error_code") == {"30003": 1}
        assert by(found, "parley_deliveries_total", "status") == {"sent": 3, "delivered": 2, "read": 0}
        assert one(found, "parley_rest_calls_total", result="ok") == len(emulator.requests())

    def test_what_twilio_refuses_is_counted_by_status(self, customer_writes, emulator, run_worker, scrape):
        customer_writes("hello")
        emulator.faults(fail_next=[{"status": 429}])
        run_worker()
        run_worker()

        assert one(scrape(), "parley_rest_calls_total", result="429") == 1


class TestProcesses:
    @pytest.fixture
    def web_settings(self, tmp_path, rules_file, emulator):
        """Two web processes that only store: somebody else works."""
        return {
            "TWILIO_ACCOUNT_SID": "AC" + "1".zfill(32),
            "TWILIO_AUTH_TOKEN": TOKEN,
            "TWILIO_API_BASE_URL": emulator.url,
            "PUBLIC_URL": ORIGIN,
            "DATABASE_URL": f"sqlite:///{tmp_path}/parley.db",
            "BOT_RULES": str(rules_file),
            "BOT_ADMIN_PASSWORD": PASSWORD,
            "BOT_INLINE_WORKER": "off",
        }

    def test_any_process_tells_what_all_have_counted_also_one_that_is_gone_and_what_a_worker_did(
        self, web_settings, tmp_path, emulator
    ):
        with serving(web_settings, tmp_path / "output") as web:
            origin = f"http://127.0.0.1:{web.port}"
            emulator.point_at(f"{origin}/conversations/webhook", ORIGIN)
            emulator.inbound("where is my order")
            assert emulator.settle()
            first, second = children(web)
            answers = [while_stopped(second, lambda: forge(origin, 3)), while_stopped(first, lambda: forge(origin, 4))]
            told = [while_stopped(one_of_them, lambda: scraped(origin)) for one_of_them in (first, second)]
            os.kill(first, signal.SIGKILL)
            worker = subprocess.run(
                [sys.executable, "-m", "flask", "worker", "--drain"], cwd=PROJECT, check=True, capture_output=True,
                env={"PATH": os.environ["PATH"], **web_settings},
            )  # fmt: skip
            assert eventually(lambda: len(set(children(web)) - {first}) == 2)
            afterwards = scraped(origin)

        assert answers == [[403] * 3, [403] * 4]
        assert [one(found, "parley_refusals_total", reason="missing") for found in [*told, afterwards]] == [7, 7, 7]
        stored = sum(n for (name, labels), n in afterwards.items()
                     if name == "parley_webhooks_total" and ("outcome", "stored") in labels)  # fmt: skip
        assert stored == one(afterwards, "parley_ack_seconds_count") == rows(tmp_path / "parley.db")
        assert one(told[0], "parley_replies_total", rule="order", result="sent") == 0
        assert worker.returncode == 0
        assert one(afterwards, "parley_replies_total", rule="order", result="sent") == 1
        assert one(afterwards, "parley_rest_calls_total", result="ok") >= 1


def while_stopped(pid, ask):
    """Ask while this process cannot answer: the other one does."""
    os.kill(pid, signal.SIGSTOP)
    try:
        return ask()
    finally:
        os.kill(pid, signal.SIGCONT)


def forge(origin, times):
    return [requests.post(f"{origin}/conversations/webhook", data={"a": "b"}, timeout=10).status_code
            for _ in range(times)]  # fmt: skip


def scraped(origin):
    answer = requests.get(f"{origin}/metrics", auth=("prometheus", PASSWORD), timeout=10)
    assert answer.status_code == 200
    return read(answer.text)


def children(web):
    parent = web.process.pid
    return [int(pid) for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]


def rows(path):
    with closing(sqlite3.connect(path)) as database:
        return database.execute("SELECT count(*) FROM inbox").fetchone()[0]


class TestPage:
    """docs/metrics.md names what there is, and its alerts ask for nothing else."""

    PAGE = (PROJECT / "docs" / "metrics.md").read_text(encoding="utf-8")

    @pytest.fixture
    def database_url(self, sqlite_url):
        return sqlite_url

    def test_every_metric_is_in_the_table_with_its_kind_and_labels(self, app):
        page = app.test_client().get("/metrics", auth=("x", PASSWORD)).text

        documented = dict(re.findall(r"^\| `(parley_\w+)` \| (\w+) \|", self.PAGE, re.MULTILINE))
        exposed = dict(re.findall(r"^# TYPE (parley_\w+) (\w+)$", page, re.MULTILINE))
        assert documented == exposed

    def test_alerts_ask_for_metrics_that_there_are(self):
        documented = set(re.findall(r"^\| `(parley_\w+)`", self.PAGE, re.MULTILINE))
        asked = set(re.findall(r"\bparley_[a-z_]+(?=[\[{)\s])", self.PAGE.partition("## Alerts")[2]))

        assert len(asked) == 5
        assert asked <= documented
