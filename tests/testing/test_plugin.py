"""The pytest plugin for people who test their own rules: the example of its page, and what its fixtures say."""

import re
import shutil
import subprocess
import sys

import pytest

from app.config import PROJECT
from tests.conftest import RULES
from tests.support import webhook_fixtures

pytestmark = [pytest.mark.slow, pytest.mark.engines("sqlite")]

PAGE = (PROJECT / "docs" / "testing.md").read_text()


@pytest.fixture
def example(tmp_path):
    """A folder with the files of the page and a recording with the decision on it."""
    for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        path = tmp_path / re.match(r"# (\S+)\n", block)[1]
        path.parent.mkdir(exist_ok=True)
        path.write_text(block)
    recorded = tmp_path / "recordings" / "0001__onMessageAdded.http"
    recorded.parent.mkdir()
    shutil.copy(webhook_fixtures.FOLDER / "onMessageAdded__sms_second_text.http", recorded)
    recorded.with_suffix(".json").write_text('{"code": "replied", "rule": "order", "replied": true}')
    return tmp_path


def run_pytest(folder, *arguments):
    return subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "rules_tests",
            "-o",
            "parley_fixtures=recordings",
            "-o",
            f"pythonpath={PROJECT}",
            *arguments,
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_example_of_the_page_runs_as_it_stands_there(example):
    result = run_pytest(example)

    assert result.returncode == 0, result.stdout + result.stderr
    assert "6 passed" in result.stdout


def test_a_recording_that_is_decided_otherwise_fails_the_test(example):
    expected = example / "recordings" / "0001__onMessageAdded.json"
    expected.write_text('{"code": "replied", "rule": "welcome", "replied": true}')
    result = run_pytest(example, "-k", "recorded")

    assert result.returncode == 1
    assert "0001__onMessageAdded.http: expected rule welcome; got rule order" in result.stdout


@pytest.mark.parametrize("fixture", sorted(re.findall(r"^\| `(?:bot\.)?(\w+)", PAGE, re.MULTILINE)))
def test_the_page_names_only_what_there_is(fixture, request, bot):
    assert hasattr(bot, fixture) or request.getfixturevalue(fixture) is not None


def test_a_customer_is_answered_and_the_reason_names_the_rule(bot):
    bot.customer().says("Where is my order?")

    assert bot.replies() == ["Please send your order number."]
    assert bot.reason() == 'rule "order" matched'


def test_rules_are_replaced_at_once(bot):
    bot.rules('[[rule]]\nname = "new"\nreply = "New."')
    bot.customer().says("order")

    assert bot.replies() == ["New."]


def test_an_agent_answers_the_customer_that_is_named(bot):
    first, second = bot.customer("+15550100001"), bot.customer("+15550100002")
    first.says("hello")
    second.says("hello")
    bot.agent("ann").says("Hi!", to="+15550100001")
    first.says("order")
    paused = bot.reason()
    second.says("order")

    assert paused.startswith("paused until")
    assert bot.reason() == 'rule "order" matched'


def test_time_passes_at_twilio_too(bot, emulator):
    sid = bot.customer().says("hello")
    bot.advance(hours=2)
    later = bot.customer().says("order")

    dates = {message["sid"]: message["date_created"] for message in emulator.messages()}
    assert dates[sid] < dates[later]
    assert bot.reason() == 'rule "order" matched'


def test_a_posted_recording_is_answered(post_webhook, bot):
    post_webhook("onMessageAdded__sms_text")
    bot.works()

    assert bot.replies() == ["Thanks, we will be right back."]
    assert bot.reason("IM00000000000000000000000000000004") == 'rule "default" matched'


@pytest.mark.parametrize(
    ("ask", "sentence"),
    [
        pytest.param(lambda bot: bot.reason(), "nobody has written yet", id="a reason without a message"),
        pytest.param(lambda bot: bot.agent().says("hi"), "let bot.customer", id="an agent without a customer"),
    ],
)
def test_what_cannot_be_said_is_explained(bot, ask, sentence):
    with pytest.raises(RuntimeError, match=re.escape(sentence)):
        ask(bot)


def test_the_time_between_recordings_passes_as_it_did(tmp_path, replay, clock):
    before = clock()

    assert replay("onMessage*.http") == []
    assert (clock() - before).total_seconds() > 60


def test_the_rules_of_the_project_are_used_where_nobody_replaces_them(example):
    (example / "rules_tests" / "test_rules.py").write_text(
        "def test_it(bot):\n    bot.customer().says('hello')\n    assert 'rule' in bot.reason(), bot.reason()\n"
    )

    assert "1 passed" in run_pytest(example).stdout
    assert RULES not in (PROJECT / "rules.toml").read_text()
