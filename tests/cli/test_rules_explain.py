"""`flask rules explain` tells why a message was answered, or was not."""

import json

import pytest

from tests.support.arrivals import arrive
from tests.support.rules_of_every_kind import RULES

pytestmark = pytest.mark.engines("sqlite")


@pytest.fixture
def environ(environ, tmp_path):
    (tmp_path / "rules-of-ours.toml").write_text(RULES.replace('"23:00-06:00"', '"23:00-23:01"'))
    return environ | {"BOT_RULES": str(tmp_path / "rules-of-ours.toml")}


@pytest.fixture
def answered(emulator, post_webhook, run_worker):
    """Let a message arrive and be answered; return its MessageSid."""

    def answer(body):
        message = arrive(emulator, post_webhook, body)
        run_worker()
        return message["message_sid"]

    return answer


def test_a_stored_decision_is_explained_with_what_was_sent_and_done(answered, flask_command, emulator):
    sid = answered("a human with my order")
    lines = [line.strip() for line in flask_command("rules", "explain", sid).splitlines()]

    assert lines[0].startswith(f"{sid}: decided 20")
    assert lines[0].endswith(("CET", "CEST"))
    assert lines[1:5] == [
        'o watch   observed only: rule "watch" stays silent',
        "- gold    attribute tier is missing",
        "> person  matches",
        '= rule "person" matched',
    ]
    assert lines[5].startswith("sent 20")
    assert lines[6] == "A colleague comes."
    assert any(line.startswith("done 20") and 'topic = "a human with my order"' in line for line in lines)


def test_an_explanation_for_scripts_has_replies_deliveries_and_actions(answered, flask_command):
    sid = answered("a human")
    found = json.loads(flask_command("rules", "explain", sid, "--json"))
    (decision,) = found["decisions"]

    assert (found["message_sid"], decision["code"], decision["rule"]) == (sid, "replied", "person")
    assert decision["tried"][-1] == {"name": "person", "failed": ""}
    assert [(one["body"], one["state"]) for one in decision["replies"]] == [("A colleague comes.", "sent")]
    assert [(one["kind"], one["state"]) for one in decision["actions"]] == [
        ("set_attributes", "done"),
        ("hand_over", "done"),
    ]


def test_silence_is_explained_as_well(answered, flask_command):
    explained = flask_command("rules", "explain", answered("STOP"))

    assert "x opt-out word  keeps the bot silent" in explained
    assert "= the message is an opt-out word" in explained


def test_a_reply_of_ours_is_explained_by_the_message_it_answers(answered, flask_command):
    sid = answered("hello")
    (reply,) = json.loads(flask_command("rules", "explain", sid, "--json"))["decisions"][0]["replies"]

    assert flask_command("rules", "explain", reply["message_sid"]).startswith(f"{sid}: decided")


def test_a_message_that_nobody_knows_is_named(app):
    result = app.test_cli_runner().invoke(args=["rules", "explain", "IM" + "4" * 32])

    assert result.exit_code == 1
    assert "no decision on IM4444" in result.output
