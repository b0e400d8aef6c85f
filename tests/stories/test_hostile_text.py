"""What customers write is text and nothing else: no statement of SQL, no template; on both databases."""

import json

import pytest
from sqlalchemy import select

from app.db.tables import inbox, messages
from tests.support import webhook_fixtures
from tests.support.arrivals import arrive

SMS = "onMessageAdded__sms_text"
SQL = [
    "'; DROP TABLE inbox; --",
    "' OR '1'='1",
    "x'); DELETE FROM replies; --",
    "\\'; SELECT pg_sleep(9); --",
    ":sid %(sid)s %s ?",
]
TEMPLATES = ["{{ 7 * 7 }}", "{% for x in range(9) %}x{% endfor %}", "{{ author.__class__ }}", "${7*7} #{7*7}"]
ECHO = """
[[rule]]
name = "echo"
reply = "You wrote: {{ text }} ({{ author }})"
"""


@pytest.mark.parametrize("text", SQL)
def test_what_looks_like_sql_is_stored_as_text(text, app, emulator, post_webhook, run_worker):
    message = arrive(emulator, post_webhook, text)
    run_worker()

    with app.extensions["parley"].db.read() as tx:
        stored = tx.execute(select(messages.c.body).where(messages.c.message_sid == message["message_sid"]))
        assert [row.body for row in stored] == [text]
        assert tx.scalars(select(inbox.c.state)).all() == ["processed"]


@pytest.mark.parametrize("parameter", ["Author", "EventType", "ParticipantSid", "Source", "Attributes", "DateCreated"])
def test_sql_in_any_parameter_harms_nothing(parameter, app, post_webhook, run_worker):
    answer = post_webhook(SMS, {parameter: SQL[0]})
    run_worker()

    assert answer.status_code == 204
    with app.extensions["parley"].db.read() as tx:
        (state,) = tx.scalars(select(inbox.c.state))
    assert state in ("processed", "ignored")


@pytest.mark.parametrize("text", SQL)
def test_what_looks_like_sql_finds_nothing(text, app, post_webhook, run_worker, flask_command):
    post_webhook(SMS)
    run_worker()
    refused = app.test_cli_runner().invoke(args=["inbox", "list", "--event-type", text, "--json"])
    unknown = app.test_cli_runner().invoke(args=["consent", "show", text])

    assert (refused.exit_code, "is unknown; known are onMessageAdd," in refused.output) == (2, True)
    assert (unknown.exit_code, unknown.output.count("\n")) == (1, 1)
    assert len(json.loads(flask_command("inbox", "list", "--json"))) == 1


@pytest.mark.engines("sqlite")
class TestTemplates:
    @pytest.fixture
    def rules_file(self, tmp_path):
        path = tmp_path / "rules.toml"
        path.write_text(ECHO)
        return path

    @pytest.mark.parametrize("text", TEMPLATES)
    def test_what_looks_like_a_template_is_text(self, text, emulator, post_webhook, run_worker):
        arrive(emulator, post_webhook, text)
        run_worker()

        assert emulator.replies() == [f"You wrote: {text} (+15550100001)"]

    def test_a_name_that_looks_like_a_template_is_text(self, emulator, post_webhook, run_worker):
        post_webhook(SMS, {"Author": "{{ 7 * 7 }}", "Body": webhook_fixtures.form(SMS)["Body"]})
        run_worker()

        assert [reply.endswith("({{ 7 * 7 }})") for reply in emulator.replies()] == [True]
