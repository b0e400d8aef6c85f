"""`flask record` and `flask replay`: decisions that depend on what came before, of which nothing is recorded."""

import json

import pytest

from tests.cli.test_record_replay import command, folder, served

__all__ = ["command", "folder", "served"]
pytestmark = pytest.mark.engines("sqlite")
RULES = """
[[rule]]
name = "default"
reply = "Thanks, we will be right back."
cooldown = "10m"
"""


@pytest.fixture
def said_twice(customer_writes, run_worker, command, folder):
    """The second of two messages recorded, which the cool-down of "default" kept silent, or both."""

    def record(last):
        for text in ("What a day", "And what a night"):
            customer_writes(text, sender="+15550123456")
            run_worker()
        ids = [row["id"] for row in json.loads(command("inbox", "list", "--event-type", "onMessageAdded", "--json")[1])]
        assert command("record", *(f"--id={one}" for one in ids[:last]), "--out", folder)[0] == 0
        return folder

    return record


def test_what_cooled_a_rule_down_before_the_recording_is_told_and_is_no_failure(said_twice, served, command, emulator):
    recorded = said_twice(1)
    kept = json.loads((recorded / "0001__onMessageAdded.json").read_text())
    code, said = command("replay", recorded, "--now", "--to", served)

    assert (kept["code"], list(kept["history"])) == ("no rule", ["default"])
    assert kept["history"]["default"].startswith("cool-down, ")
    assert code == 0, said
    assert 'no failure, as what came before is not recorded: rule "default": cool-down' in said


def test_where_all_is_recorded_a_cool_down_that_is_missing_fails(said_twice, command, rules_file, request):
    recorded = said_twice(2)
    kept = json.loads((recorded / "0002__onMessageAdded.json").read_text())
    rules_file.write_text(RULES.replace('cooldown = "10m"', ""))
    code, said = command("replay", recorded, "--now", "--to", request.getfixturevalue("served"))

    assert kept == {"code": "no rule", "rule": "", "replied": False}
    assert (code, "expected silent: no rule; got rule default" in said) == (1, True), said


def test_messages_that_were_hours_apart_cool_down_when_they_are_replayed_at_once(said_twice, served, command):
    recorded = said_twice(2)
    (recorded / "0002__onMessageAdded.json").write_text('{"code": "replied", "rule": "default", "replied": true}')
    code, said = command("replay", recorded, "--now", "--to", served)

    assert code == 0, said
    assert 'no time passes between messages that are replayed: rule "default": cool-down' in said
