"""Each case of docs/operations.md is made to happen, looked at and mended with the commands as they stand there."""

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from app import config, create_app
from app.emulator.client import Emulator
from app.inbox import queue
from app.operations.webhooks import ROUTE, needed_filters
from app.runtime.worker import make_worker
from tests.conftest import ORIGIN
from tests.support import webhook_fixtures
from tests.support.arrivals import webhook_of
from tests.support.eventually import eventually
from tests.support.hostile_requests import deliver
from tests.support.responders import FALLBACK, NAME, responds
from tests.support.runbook import folder, follow, headings, sqlite_url, time_passes
from tests.support.webhook_receiver import sdk_client

pytestmark = pytest.mark.engines("sqlite")

__all__ = ["folder", "follow", "responds", "sqlite_url", "time_passes"]
THANKS = "Thanks, we will be right back."
NEW_TOKEN = "f" * 32


@pytest.mark.parametrize("heading", headings())
def test_every_case_of_the_runbook_is_followed_in_a_test(heading):
    tests = "".join(path.read_text() for path in Path(__file__).parent.glob("test_runbook*.py"))

    assert f'follow("{heading}")' in tests


def test_the_first_look_says_how_things_are(follow, arrives, app):
    arrives()
    steps = follow("Where am I?")

    assert re.search(r"pending +1\n", steps.run("flask inbox stats"))
    assert json.loads(steps.run("curl"))["ready"]
    assert "PUBLIC_URL" in steps.run("flask doctor", status=1)


def test_a_message_that_was_not_answered_has_its_reason_in_the_list(follow, arrives, run_worker, emulator):
    emulator.faults(fail_next=[{"status": 503, "method": "POST"}])
    arrives()
    run_worker()

    assert "Twilio has a fault (20503)" in follow("The bot does not answer").run("flask inbox list")


def test_a_refused_webhook_is_explained(follow, app, folder):
    request = webhook_fixtures.load("onMessageAdded__sms_text")
    signed = webhook_fixtures.sign(request, ORIGIN.replace("https", "http"), "0123456789abcdef" * 2)
    deliver(app, replace(request, headers=signed))
    saved = [f"{request.method} {request.target} HTTP/1.1", *(f"{name}: {value}" for name, value in signed.items())]
    (folder / "refused.http").write_bytes("\r\n".join([*saved, "", ""]).encode() + request.body)
    assert eventually((folder / "instance" / "refused.jsonl").exists)
    steps = follow("Webhooks are refused")

    assert "scheme:" in steps.run("flask signature explain")
    assert "scheme:" in steps.run("flask signature explain refused.http")


class TestRotation:
    @pytest.fixture
    def emulator(self):
        """Twilio, where the token has been rotated."""
        with Emulator.start_set_up(auth_token=NEW_TOKEN) as emulator:
            yield emulator

    def test_after_an_unannounced_rotation_everything_is_answered_in_the_end(
        self, follow, app, folder, environ, emulator, arrives, attempts_go_by, clock, time_passes, time_stands
    ):
        arrives("hello")  # before the promotion
        attempts_go_by(1, 0)
        missed = signed_with(NEW_TOKEN, emulator.inbound("my order", sender="+15550100002"), "my order", "+15550100002")
        assert deliver(app, missed).status_code == 403
        assert eventually((folder / "instance" / "refused.jsonl").exists)
        steps = follow("The auth token was rotated")

        assert "unexplained" in steps.run("flask signature explain")
        assert "credentials" in steps.run("flask inbox list --state scheduled")
        time_passes(120)  # nobody is said to be missing whose webhook may be on its way
        restarted = create_app(config.from_environment(environ | {"TWILIO_AUTH_TOKEN": NEW_TOKEN}), clock=clock)
        steps.now(restarted)
        steps.run("flask inbox retry --all-dead")
        steps.run("flask reconcile --since 2h")
        assert deliver(restarted, missed).status_code == 204  # should Twilio send it again after all
        make_worker(restarted.extensions["parley"].settings, restarted.extensions["parley"].db).drain()
        restarted.extensions["parley"].db.close()
        assert sorted(emulator.replies()) == ["Please send your order number.", THANKS]


def signed_with(token, message, body, sender):
    changes = webhook_of(message, body, sender)
    request = webhook_fixtures.with_fields(webhook_fixtures.load("onMessageAdded__sms_text"), changes)
    return replace(request, headers=webhook_fixtures.sign(request, ORIGIN, token))


def test_growing_lag_is_seen_and_worked_off(follow, arrives, clock, emulator):
    for number in range(5):
        arrives(sender=f"+1555010000{number}")
    clock.advance(90)
    steps = follow("The lag grows")

    assert re.search(r"pending +5\n", steps.run("flask inbox stats"))
    assert json.loads(steps.run("curl"))["oldest_due_seconds"] >= 90
    steps.run("flask worker --drain")
    assert re.search(r"pending +0\n.*processed +5\n", steps.run("flask inbox stats"), re.DOTALL)
    assert emulator.replies() == [THANKS] * 5


def test_a_stuck_lane_names_its_reason_and_goes_on_in_order(follow, arrives, app, emulator, attempts_go_by):
    emulator.faults(fail_next=[{"status": 503, "code": 20503, "method": "POST"}])
    first = arrives("hello")
    arrives("my order")
    attempts_go_by(1, 0)
    frozen = arrives("hello", sender="+15550100002")
    claimed = queue.claim(app.extensions["parley"].db)
    steps = follow("A lane is stuck")

    assert re.search(r"^1 .* scheduled .*503", steps.run("flask inbox list --state scheduled"), re.MULTILINE)
    assert re.search(rf"^{claimed.id} .* processing", steps.run("flask inbox list --state processing"), re.MULTILINE)
    shown = steps.run("flask inbox show ID", ID=claimed.id)
    assert re.search(r"^lease_until +\d{4}-", shown, re.MULTILINE)
    assert "is silent" in steps.run("flask conversations pause CH...", CH=frozen["conversation_sid"])
    assert "bot speaks" in steps.run("flask conversations resume CH...", CH=frozen["conversation_sid"])
    attempts_go_by(2, 16)

    assert said_in(emulator, first) == [THANKS, "Please send your order number."]
    assert said_in(emulator, frozen) == [THANKS]


def said_in(emulator, message):
    messages = emulator.messages(message["conversation_sid"])
    return [one["body"] for one in messages if one["author"] == "support-bot"]


def test_a_storm_of_429_passes_and_everybody_is_answered_once(follow, arrives, emulator, attempts_go_by, app):
    storm = {"status": 429, "code": 20429, "retry_after": 30, "method": "POST", "count": 6}
    emulator.faults(fail_next=[storm])
    for number in range(6):
        arrives(sender=f"+155501000{number:02}")
    attempts_go_by(3, 1)
    steps = follow("Twilio says 429")

    assert "scheduled" in steps.run("flask inbox list --state scheduled")
    assert "too many requests" in steps.run("flask inbox gates")
    assert re.search(r"dead +0\n", steps.run("flask inbox stats"))
    attempts_go_by(8, 31)
    assert emulator.replies() == [THANKS] * 6


def test_dead_events_are_brought_back_when_the_reason_is_mended(follow, arrives, emulator, attempts_go_by):
    emulator.faults(fail_next=[{"status": 400, "code": 50513, "method": "POST", "count": 3}])
    for number in range(3):
        arrives(sender=f"+1555010000{number}")
    attempts_go_by(1, 0)
    emulator.faults()
    steps = follow("Events are dead")

    assert len(re.findall(r"^\d+ .* dead ", steps.run("flask inbox list --state dead"), re.MULTILINE)) == 3
    assert "dead" in steps.run("flask inbox show ID", ID=1)
    assert steps.run("flask inbox retry ID", ID=1) == "1 put back to work.\n"
    assert steps.run("flask inbox retry --all-dead") == "2 put back to work.\n"
    attempts_go_by(2, 5)
    assert re.search(r"processed +3\n.*dead +0\n", steps.run("flask inbox stats"), re.DOTALL)
    assert emulator.replies() == [THANKS] * 3


def test_what_needs_a_person_is_found_in_the_log(follow, arrives, emulator, environ, folder):
    emulator.faults(fail_next=[{"status": 400, "code": 50513, "method": "POST"}])
    arrives()
    arrives(sender="+15550100002")
    with (folder / "parley.log").open("w") as log:
        worker = [sys.executable, "-m", "flask", "worker", "--drain"]
        subprocess.run(worker, cwd=folder, env={**os.environ, **environ}, stdout=log, stderr=log, check=True)
    steps = follow("Log lines")

    (dead,) = steps.run("grep").splitlines()
    assert re.search(r" error .* event\.dead .* event_type=onMessageAdded ", dead)


def test_a_broken_edit_is_seen_and_the_mended_file_is_in_force(follow, app, rules_file):
    parley = app.extensions["parley"]
    worker = parley.start_worker()
    steps = follow("A rules edit is broken")
    rules_file.write_text('[[rule]]\nname = "half"\nreplay = "x"\n')
    try:
        assert eventually(parley.rules.fault)
        assert "old rules stay in force" in json.loads(steps.run("curl"))["rules"]
        assert "replay" in steps.run("flask rules check", status=1)
        rules_file.write_text('[[rule]]\nname = "whole"\nreply = "Mended."\n')
        assert "no errors" in steps.run("flask rules check")
        assert "Mended." in steps.run('flask rules test "hello"')
        assert eventually(lambda: not parley.rules.fault())
    finally:
        worker.stop()


class TestResponder:
    @pytest.fixture
    def environ(self, environ, responds):
        return environ | {"BOT_RESPONDER": NAME}

    @pytest.fixture
    def rules_file(self, tmp_path):
        path = tmp_path / "rules.toml"
        path.write_text(f'[bot]\nresponder_fallback = "{FALLBACK}"\n')
        return path

    def test_a_responder_that_fails_is_named_and_its_customers_got_the_fallback(
        self, follow, responds, arrives, run_worker, emulator
    ):
        def answer(message, context):
            raise ConnectionError("the model is away")

        responds(answer)
        message = arrives()
        run_worker()
        steps = follow("The responder is down")

        assert "processed" in steps.run("flask inbox list")
        explained = steps.run("flask rules explain IM...", IM=message["message_sid"])
        assert "BOT_RESPONDER failed: ConnectionError at test_runbook.py" in explained
        assert emulator.replies() == [FALLBACK]


class TestWebhook:
    @pytest.fixture
    def environ(self, environ, free_port):
        return environ | {"PUBLIC_URL": f"http://127.0.0.1:{free_port()}"}

    def test_a_lost_filter_is_found_and_mended_and_what_was_missed_is_fetched(
        self, follow, environ, emulator, run_worker, time_passes
    ):
        v1 = sdk_client(emulator.url).conversations.v1
        lost = [name for name in needed_filters() if name != "onMessageAdded"]
        v1.configuration.webhooks().update(method="POST", filters=lost, post_webhook_url=environ["PUBLIC_URL"] + ROUTE)
        emulator.inbound("hello")
        time_passes(120)
        steps = follow("Webhooks do not arrive")

        assert "onMessageAdded" not in steps.run("flask webhooks show")
        assert "it leaves out onMessageAdded" in steps.run("flask doctor", status=1)
        steps.run("flask doctor --fix --yes", status=1)
        assert "onMessageAdded" in v1.configuration.webhooks().fetch().filters
        steps.run("flask reconcile --since 1d")
        run_worker()
        assert emulator.replies() == [THANKS]


def test_who_is_forgotten_is_in_no_event_any_more(follow, arrives, run_worker, flask_command):
    arrives("my name is Ann", sender="+15550100001")
    run_worker()
    assert "my name is Ann" in flask_command("inbox", "show", "1", "--raw")
    steps = follow("Somebody wants to be forgotten")

    steps.run("flask privacy erase", NUMBER="+15550100001")
    assert "my name is Ann" in flask_command("inbox", "show", "1", "--raw")
    steps.run("flask privacy erase", NUMBER="+15550100001")
    shown = flask_command("inbox", "show", "1", "--raw")
    assert ("Ann" in shown, "15550100001" in shown) == (False, False)


def test_who_asks_is_given_what_is_known_of_them(follow, arrives, run_worker, tmp_path, monkeypatch):
    arrives("my name is Ann", sender="+15550100001")
    run_worker()
    monkeypatch.chdir(tmp_path)
    steps = follow("Somebody asks what is known of them")

    steps.run("flask privacy export", NUMBER="+15550100001")

    assert "my name is Ann" in (tmp_path / "for-ann" / "person.json").read_text()


def test_what_is_old_is_counted_before_it_is_purged(follow, arrives, run_worker, clock):
    arrives()
    run_worker()
    clock.advance(timedelta(days=31).total_seconds())
    steps = follow("Retention")

    would = "1 events finished more than 30 days ago would be deleted."
    assert steps.run("flask inbox purge --dry-run").strip() == would
    assert "1 of 1 events" in steps.run("flask inbox purge --yes")
