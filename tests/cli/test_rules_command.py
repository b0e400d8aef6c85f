"""`flask rules check` and `flask rules test` check a rules file and show what would be answered."""

import json
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from app import config, create_app
from app.rules.simulate import moment
from tests.support.rules_of_every_kind import RULES

BERLIN = ZoneInfo("Europe/Berlin")
NOWHERE = "postgresql://nobody@127.0.0.1:1/none"


@pytest.fixture
def flask(tmp_path):
    """Run a command without credentials and without a database; return exit code, output and errors."""
    (tmp_path / "rules.toml").write_text(RULES)
    app = create_app(config.from_environment({"DATABASE_URL": NOWHERE, "BOT_RULES": str(tmp_path / "rules.toml")}))
    yield app.test_cli_runner().invoke
    app.extensions["parley"].db.close()


@pytest.fixture
def shown(flask):
    """What `flask rules test` prints, its lines without indentation."""

    def run(*arguments):
        result = flask(args=["rules", "test", *arguments])
        assert result.exit_code == 0, result.output
        return [line.strip() for line in result.output.splitlines()]

    return run


@pytest.fixture
def decided(flask):
    """What `flask rules test --json` prints."""
    return lambda *arguments: json.loads(flask(args=["rules", "test", "--json", *arguments]).output)


def test_a_right_file_is_right(flask, tmp_path):
    result = flask(args=["rules", "check"])

    words, summary = result.output.splitlines()
    assert (result.exit_code, summary) == (0, "rules.toml: 7 rules, no errors, no warnings")
    assert words.startswith("opt-out words: ") and {"STOP", "REVOKE"} <= set(words[15:].split(", "))


def test_the_words_that_count_are_listed(flask, tmp_path):
    (tmp_path / "own.toml").write_text(
        '[bot]\nopt_out_words = ["STOPP"]\nno_opt_out_words = ["END"]\n[[rule]]\nname = "r"\nreply = "x"\nquota = 1'
    )
    shown = flask(args=["rules", "check", str(tmp_path / "own.toml")]).output.splitlines()
    listed = json.loads(flask(args=["rules", "check", str(tmp_path / "own.toml"), "--json"]).output)["opt_out_words"]

    assert shown[:2] == [
        "opt-out words: STOPP, STOP, STOPALL, UNSUBSCRIBE, CANCEL, END, QUIT, REVOKE, OPTOUT",
        "  but on WhatsApp and chat not: END",
    ]
    assert [word for word in listed["sms"] if word not in listed["elsewhere"]] == ["END"]


CHECKED = [
    pytest.param(
        '[[rule]]\nname = "a"\nreply = "x"',
        0,
        ['warning: rule "a" (line 1) answers every message that comes to it', "draft.toml: 1 rule, no errors, 1 w"],
        id="a warning is no failure",
    ),
    pytest.param(
        '[[rule]]\nname = "a"\nmedia = "gone.pdf"\ncooldown = "1h"',
        1,
        ['error: rule "a" (line 1) sends the file "gone.pdf", which is not there', "1 rule, 1 error, no warnings"],
        id="an error of the linter",
    ),
    pytest.param(
        '[bot]\nhour = 1\n[[rule]]\nname = "a"',
        1,
        [
            "error: [bot] (line 2): hour: is not a key of this table",
            'error: rule "a" (line 3): reply: is missing',
            "2 errors",
        ],
        id="a file that cannot be used",
    ),
    pytest.param("[[rule]", 1, ["error: the rules file is not valid TOML", "line 1", "1 error"], id="no TOML"),
    pytest.param("", 0, ["no rules, no errors, 1 warning"], id="no rules at all"),
]


@pytest.mark.parametrize(("text", "exit_code", "expected"), CHECKED)
def test_what_is_wrong_is_named_with_rule_line_and_next_step(flask, tmp_path, text, exit_code, expected):
    (tmp_path / "draft.toml").write_text(text)
    result = flask(args=["rules", "check", str(tmp_path / "draft.toml")])

    assert result.exit_code == exit_code
    assert [words for words in expected if words not in result.output] == []


def test_a_check_for_scripts_is_one_document(flask, tmp_path):
    (tmp_path / "draft.toml").write_text('[[rule]]\nname = "a"\nmedia = "gone.pdf"')
    result = flask(args=["rules", "check", str(tmp_path / "draft.toml"), "--json"])
    found = json.loads(result.output)

    assert result.exit_code == 1
    assert found["rules"] == 1
    assert [(one["code"], one["rule"], one["line"]) for one in found["errors"]] == [("missing media", "a", 1)]
    assert [one["code"] for one in found["warnings"]] == ["answers everything"]


def test_a_file_that_is_not_there_is_a_wrong_use(flask):
    assert flask(args=["rules", "check", "no-such.toml"]).exit_code == 2


def test_each_rule_is_shown_with_what_failed_first_and_then_what_would_be_sent(shown):
    lines = shown("Where is my order?", "--at", "2026-11-28 22:00", "--channel", "sms", "--author", "alice")

    assert lines == [
        "Sat 2026-11-28 22:00 Europe/Berlin, closed; sms from alice, first message",
        'o watch     observed only: rule "watch" stays silent',
        "- gold      attribute tier is missing",
        "- person    none of its keywords",
        "- long      none of its keywords",
        "> greeting  matches",
        '= rule "greeting" matched',
        "would send:",
        "Hello by sms, we are closed.",
        "After 15 min without a human:",
        "> still waiting  matches",
        '= rule "still waiting" matched',
        "would send:",
        "We are on it.",
    ]


def test_actions_are_shown_and_a_follow_up_comes_in_spite_of_the_hand_over(shown):
    lines = shown("a human, please", "--at", "Mon 12:00")

    assert 'would do: set_attributes topic = "a human, please"' in lines
    assert "would do: hand_over" in lines
    assert lines[-1] == "We are on it."


DECIDED = [
    pytest.param(["hi", "--at", "Tue 09:00"], ("greeting", "Hello by sms, we are open."), id="at nine it is open"),
    pytest.param(["hi", "--at", "Tue 08:59"], ("greeting", "Hello by sms, we are closed."), id="before nine it is not"),
    pytest.param(["hi", "--at", "Tue 12:00", "--known"], ("", None), id="not the first message"),
    pytest.param(
        [
            "hi",
            "--at",
            "Tue 12:00",
            "--attributes",
            '{"tier": "gold"}',
            "--participant-attributes",
            '{"address": {"city": "Bonn"}}',
            "--author",
            "anna",
        ],
        ("gold", "Hello anna, gold."),
        id="attributes of both kinds",
    ),
    pytest.param(
        ["--media", "--known", "--role", "vip", "--at", "Tue 12:00"], ("media", "Nice picture."), id="a picture"
    ),
    pytest.param(
        ["hi", "--at", "Tue 12:00", "--channel", "WhatsApp"],
        ("greeting", "Hello by whatsapp, we are open."),
        id="another channel",
    ),
    pytest.param(["hello", "a human", "--at", "Tue 12:00"], ("person", "A colleague comes."), id="two texts, a burst"),
]


@pytest.mark.parametrize(("arguments", "expected"), DECIDED)
def test_every_option_has_its_effect(decided, arguments, expected):
    found = decided(*arguments)

    assert (found["rule"], found["reply"]) == expected


SILENT = [
    (["hi", "--at", "Tue 12:00", "--paused"], "paused"),
    (["hi", "--at", "Tue 12:00", "--opted-out"], "opted out"),
    (["hi", "--at", "Tue 23:30"], "quiet hours"),
    (["stop", "--at", "Tue 12:00"], "opt-out word"),
    (["hi", "--at", "Tue 12:00", "--author", "support-bot"], "own author"),
]


@pytest.mark.parametrize(("arguments", "code"), SILENT, ids=[code for _, code in SILENT])
def test_a_guard_that_stops_the_answer_is_named(decided, arguments, code):
    found = decided(*arguments)

    assert (found["code"], found["reply"], found["tried"]) == (code, None, [{"name": code, "failed": ""}])


def test_a_long_reply_says_how_many_messages_it_takes(decided, shown):
    assert decided("the terms", "--at", "Tue 12:00")["parts"] == 4
    assert "would send, in 4 messages:" in shown("the terms", "--at", "Tue 12:00")
    assert decided("the terms", "--at", "Tue 12:00", "--channel", "chat")["parts"] == 1


@pytest.mark.parametrize(
    ("author", "channel"), [("whatsapp:+15550100001", "whatsapp"), ("+15550100001", "sms"), ("alice", "chat")]
)
def test_the_channel_is_that_of_the_authors_address(decided, author, channel):
    assert decided("hi", "--author", author)["channel"] == channel


def test_a_word_that_almost_is_a_keyword_is_a_hint(shown, decided):
    assert '- person    none of its keywords; "humn" is close to "human"' in shown("a humn")
    assert decided("a humn")["hints"] == {"person": '"humn" is close to "human"'}


def test_a_decision_for_scripts_is_one_document(decided):
    found = decided("a human", "--at", "2026-11-24 12:00")

    assert (found["at"], found["hours"], found["code"]) == ("2026-11-24T12:00:00+01:00", "open", "replied")
    assert found["actions"] == {"set_attributes": {"topic": "a human"}, "hand_over": {}}
    assert found["observed"] == []
    assert found["tried"][-1] == {"name": "person", "failed": ""}
    assert [(one["after_seconds"], one["rule"]) for one in found["follow_ups"]] == [(900, "still waiting")]


def test_a_follow_up_that_falls_due_outside_its_hours_is_shown_where_it_comes(decided, tmp_path):
    hours = RULES.replace('unanswered_for = "15m"', 'unanswered_for = "15m", hours = "open"')
    (tmp_path / "rules.toml").write_text(hours)
    put_off, then = decided("a human", "--at", "2026-11-24 22:00")["follow_ups"]

    assert (put_off["after_seconds"], put_off["code"], put_off["rule"]) == (900, "put off", "")
    assert put_off["reason"].startswith("we are closed; tried again on Wednesday 2026-11-25 at ")
    assert (then["after_seconds"] > 900, then["rule"]) == (True, "still waiting")


MISUSES = [
    (["hi", "--channel", "smss"], "'smss' is unknown; did you mean sms?"),
    (["hi", "--channel", "pigeon"], "'pigeon' is unknown; known are "),
    (["hi", "--channel", "sms", "--author", "whatsapp:+15550100001"], "writes by whatsapp; leave --channel out"),
    (["hi", "--at", "tomorrow"], '\'tomorrow\' is no time; write "2026-11-28 22:00", "Sat 22:00" or "22:00"'),
    (["hi", "--at", "Tue 25:00"], "is no time"),
    (["hi", "--attributes", "{tier: gold}"], "is not JSON"),
    (["hi", "--attributes", "[1]"], "is no JSON object"),
    ([], "write the text of the message"),
]


@pytest.mark.parametrize(("arguments", "words"), MISUSES, ids=[words for _, words in MISUSES])
def test_a_wrong_use_names_the_value_and_what_to_write(flask, arguments, words):
    result = flask(args=["rules", "test", *arguments])

    assert result.exit_code == 2
    assert words in result.output


def test_rules_that_are_faulty_cannot_be_tried(flask, tmp_path):
    (tmp_path / "draft.toml").write_text("[[rule]")
    result = flask(args=["rules", "test", "hi", "--file", str(tmp_path / "draft.toml")])

    assert result.exit_code == 1
    assert "draft.toml: the rules file is not valid TOML" in result.output


MOMENTS = [
    ("2026-11-28 22:00", "2026-11-28T22:00:00+01:00"),
    ("2026-11-28", "2026-11-28T00:00:00+01:00"),
    ("2026-11-28T22:00:00Z", "2026-11-28T23:00:00+01:00"),
    ("Sat 22:00", "2026-11-28T22:00:00+01:00"),
    ("saturday 7:05", "2026-11-28T07:05:00+01:00"),
    ("Mon 00:30", "2026-11-23T00:30:00+01:00"),
    ("Sun 23:00", "2026-11-29T23:00:00+01:00"),
    ("08:00", "2026-11-23T08:00:00+01:00"),
    ("2026-03-29 02:30", "2026-03-29T03:30:00+02:00"),
    ("2026-10-25 02:30", "2026-10-25T02:30:00+02:00"),
]


@pytest.mark.parametrize(("text", "expected"), MOMENTS, ids=[text for text, _ in MOMENTS])
def test_a_moment_is_read_in_the_time_zone_of_the_rules(text, expected):
    assert moment(text, datetime(2026, 11, 23, 11, 15, tzinfo=BERLIN), BERLIN).isoformat() == expected
