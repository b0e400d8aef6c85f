"""Rules come first: which of them take every message before a responder is asked, and who says so."""

import re

import pytest

from app import config, create_app
from app.config import PROJECT
from app.rules.lint import lint, responder_sentence
from app.rules.loader import load

HOURS = '[bot]\nhours = { mon-fri = "09:00-17:00" }\n'
SHIPPED = (PROJECT / "rules.toml").read_text(encoding="utf-8")
DOCUMENTED = re.search(
    r"```toml\n(# rules.toml, beside.+?)```",
    (PROJECT / "docs" / "responders.md").read_text(encoding="utf-8"),
    re.DOTALL,
)[1]


def rule(name, when="", more='cooldown = "1h"'):
    return f'[[rule]]\nname = "{name}"\nwhen = {{ {when} }}\nreply = "x"\n{more}\n'


def doubts(text):
    return [one.code for one in lint(load(text), has_responder=True)]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (rule("a", 'keywords = ["x"]'), "rules come first; the responder is asked where none matches"),
        (
            rule("hello", "first_contact = true") + rule("a", 'keywords = ["x"]'),
            'rules come first; rule "hello" takes each message of some kind (hours, channel, ...), whatever it says',
        ),
        (
            HOURS + rule("open", 'hours = "open"') + rule("closed", 'hours = "closed"'),
            'rules come first; rules "open" and "closed" take every message but for cool-downs, whatever it says',
        ),
        (rule("all", more='pause = "1h"'), 'rules come first; rule "all" takes every message, whatever it says'),
        (
            rule("seen", more='mode = "observe"') + rule("later", 'unanswered_for = "5m"'),
            "rules come first; the responder is asked where none matches",
        ),
    ],
    ids=["keywords", "first contact", "open and closed", "always", "observed and follow-ups"],
)
def test_it_is_said_which_rules_take_everything(text, sentence):
    assert responder_sentence(load(text)) == sentence


def test_rules_that_leave_nothing_to_the_responder_are_a_doubt():
    assert doubts(rule("all")) == ["responder not asked"]
    assert doubts(rule("hello", "first_contact = true")) == []


def test_the_documented_rules_for_a_responder_leave_it_all_other_messages():
    assert doubts(DOCUMENTED) == []
    assert responder_sentence(load(DOCUMENTED)).endswith("the responder is asked where none matches")


@pytest.fixture
def said(tmp_path):
    """What a command says of the shipped rules beside a responder."""
    (tmp_path / "rules.toml").write_text(SHIPPED, encoding="utf-8")
    settings = {"BOT_RULES": str(tmp_path / "rules.toml"), "BOT_RESPONDER": "order_status:answer"}
    app = create_app(config.from_environment({"DATABASE_URL": f"sqlite:///{tmp_path}/a.db", **settings}))
    yield lambda *arguments: app.test_cli_runner().invoke(args=list(arguments)).output
    app.extensions["parley"].db.close()


@pytest.mark.parametrize("arguments", [("rules", "check"), ("doctor",)], ids=" ".join)
def test_check_and_doctor_say_that_the_shipped_rules_take_everything(said, arguments):
    named = 'rules "greeting" and "closed" and "default" take every message but for cool-downs, whatever it says'

    assert named in said(*arguments)
    assert "docs/responders.md" in said(*arguments)
