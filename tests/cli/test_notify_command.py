"""`flask notify`: try a target, see what waits, failed or is uncertain; doctor, /metrics and the page say it too."""

import json

import pytest

from app.notify.recording import NotificationCause, Recorder
from app.rules.notices import Notice
from app.store import notifications as rows
from tests.support.notified import SECRET, crm
from tests.support.scraping import PASSWORD

__all__ = ["crm"]
pytestmark = pytest.mark.engines("sqlite")
RULES = '[notify]\nhand_over = ["crm", "nobody"]\n\n[[rule]]\nname = "a"\nreply = "Hi."\nnotify = "somebody"\n'


@pytest.fixture
def environ(environ, crm):
    return environ | {
        "BOT_NOTIFY": f"crm={crm.url('/s3cret')}, team=slack://TokenAAAA/TokenBBBB/TokenCCCC",
        "BOT_NOTIFY_SECRET": SECRET,
        "BOT_ADMIN_PASSWORD": PASSWORD,
    }


@pytest.fixture
def run(app):
    return lambda *arguments: app.test_cli_runner().invoke(args=["notify", *arguments])


@pytest.fixture
def failed(db):
    """Let one notification to "crm" be tried in vain, and one to "team" be uncertain."""
    with db.write() as tx:
        now = db.now(tx)
        recorder = Recorder(frozenset(["crm", "team"]))
        recorder.record(tx, Notice(to=["crm", "team"]), NotificationCause("outage", "1", "it fails"), now)
        one = rows.claim(tx, "crm", "token", now)
        rows.postpone(tx, one, "answered 500", now)
        other = rows.claim_group(tx, "team", "token", now)
        rows.record_end(tx, other, rows.UNCERTAIN, "no answer", now)


def test_a_target_is_tried_and_says_that_it_has_taken_it(run, crm):
    result = run("test", "crm")

    assert result.exit_code == 0
    assert "crm (http://127.0.0.1:" in result.output
    assert "has taken it" in result.output
    assert "s3cret" not in result.output
    assert crm.posts[0].document["type"] == "test"


def test_a_target_that_does_not_take_it_ends_with_1_and_the_reason(run, crm):
    crm.answer = lambda _path: (500, {})
    result = run("test", "crm")

    assert result.exit_code == 1
    assert "it was not sent: answered 500" in result.output


def test_an_unknown_target_is_told_with_those_that_there_are(run):
    result = run("test", "tema")

    assert result.exit_code == 1
    assert "BOT_NOTIFY names no target 'tema'; there are crm, team" in result.output


def test_what_waits_and_what_is_uncertain_is_listed(run, failed):
    found = json.loads(run("list", "--json").output)

    assert [(one["target"], one["state"], one["reason"]) for one in found] == [
        ("team", "uncertain", "no answer"),
        ("crm", "waiting", "answered 500"),
    ]
    assert "Twilio fails" in run("list").output


def test_nothing_to_list_is_said(run):
    assert run("list").output == "Nothing waits, and nothing failed.\n"


def test_the_rules_check_names_targets_that_nobody_knows(flask_command):
    said = flask_command("rules", "check")

    assert '[notify] hand_over names the target "nobody", which BOT_NOTIFY does not know (there are crm, team)' in said
    assert 'rule "a" (line 4) notify names the target "somebody"' in said


def test_doctor_names_a_target_that_is_not_reached(app, failed):
    found = json.loads(app.test_cli_runner().invoke(args=["doctor", "--json"]).stdout)["findings"]
    told = {one["found"]: one["state"] for one in found if one["check"] == "notifications"}

    assert list(told.values()) == ["warning", "warning"]
    assert any(words.startswith("crm is not reached since") and "answered 500" in words for words in told)
    assert "TokenAAAA" not in str(found)


def test_metrics_count_what_did_not_arrive(app, failed):
    text = app.test_client().get("/metrics", auth=("any", PASSWORD)).text

    assert 'parley_notifications{state="waiting",target="crm"} 1.0' in text
    assert 'parley_notifications{state="uncertain",target="team"} 1.0' in text
    assert 'parley_notify_target_failing{target="crm"} 1.0' in text


def test_the_page_shows_targets_that_are_not_reached(app, failed):
    client = app.test_client()
    token = client.get("/login").text.partition('name="csrf_token" value="')[2].partition('"')[0]
    client.post("/login", data={"csrf_token": token, "name": "Ann", "password": PASSWORD})
    page = client.get("/notifications").text

    assert "not reached" in page
    assert "answered 500" in page
    assert "uncertain" in page
    assert "TokenAAAA" not in page
