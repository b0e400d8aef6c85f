"""The linter finds what a valid rules file most likely does not mean, and is silent about what may well be meant."""

from pathlib import Path

import pytest

from app.rules.lint import lint
from app.rules.loader import load, rule_lines

ANSWERS_ALL = '[[rule]]\nname = "last"\nreply = "Thanks."\ncooldown = "1h"\n'
HOURS = '[bot]\nhours = { mon-fri = "09:00-17:00" }\n'


def rule(name, *lines):
    return "\n".join(["[[rule]]", f'name = "{name}"', *lines, ""])


def says(name, when="", *lines):
    return rule(name, f"when = {{ {when} }}", 'reply = "x"', *lines)


def found_in(text, **more):
    findings = lint(load(text), lines=rule_lines(text), **more)
    return [(one.code, one.rule, one.line) for one in findings]


REST = 'cooldown = "1h"'
NEVER_REACHED = [
    pytest.param(says("a", 'keywords = ["x"]') + says("b", 'keywords = ["x"]'), id="the same conditions"),
    pytest.param(says("a", 'keywords = ["x", "y"]') + says("b", 'keywords = ["Y"]'), id="fewer keywords"),
    pytest.param(says("a", 'keywords = ["my order"]') + says("b", 'keywords = ["where is my order"]'), id="longer"),
    pytest.param(
        says("a", 'keywords = ["cafe"]', "ignore_accents = true") + says("b", 'any = [{ keywords = ["café"] }]'),
        id="its accents are ignored before",
    ),
    pytest.param(says("a", 'channel = ["sms", "chat"]') + says("b", 'channel = "chat"'), id="one of its channels"),
    pytest.param(says("a", 'regex = ["a+", "b+"]') + says("b", 'regex = "b+"', REST), id="one of its patterns"),
    pytest.param(says("a", "media = true") + says("b", 'media = true, keywords = ["x"]'), id="media and more"),
    pytest.param(
        says("a", 'attributes = { tier = ["gold", "silver"] }') + says("b", 'attributes = { tier = "gold" }'),
        id="one of the values of an attribute",
    ),
    pytest.param(
        says("a", 'role = "agent"') + says("b", 'role = "agent", participant_attributes = { a.b = 1 }'), id="a role"
    ),
    pytest.param(
        says("a", 'any = [{ keywords = ["x"] }, { role = "vip" }]') + says("b", 'role = "vip"'), id="one part of any"
    ),
    pytest.param(
        says("a", 'keywords = ["x", "y"]') + says("b", 'any = [{ keywords = ["x"] }, { keywords = ["y"] }]'),
        id="both parts of any",
    ),
    pytest.param(says("a", 'keywords = ["x"]') + says("b", 'all = [{ keywords = ["x"] }]'), id="a part of all"),
    pytest.param(
        says("a", 'all = [{ role = "vip" }, { media = true }]') + says("b", 'media = true, role = "vip"'), id="all"
    ),
    pytest.param(
        says("a", 'not = { keywords = ["x"] }') + says("b", 'not = { keywords = ["x", "y"] }'), id="a stronger not"
    ),
    pytest.param(says("a", 'not = { channel = "sms" }') + says("b", 'channel = "chat"'), id="not another channel"),
    pytest.param(says("a", "first_contact = true") + says("c", "first_contact = false") + says("b"), id="both halves"),
    pytest.param(HOURS + says("a", 'hours = "open"') + says("c", 'hours = "closed"') + says("b"), id="open and closed"),
    pytest.param(says("a", 'unanswered_for = "5m"') + says("b", 'unanswered_for = "5m"'), id="the same silence"),
    pytest.param(rule("a", "stop = true") + says("b", 'keywords = ["x"]'), id="after a stop"),
]


@pytest.mark.parametrize("text", NEVER_REACHED)
def test_a_rule_that_can_never_answer_is_found(text):
    assert ("unreachable", "b") in [one[:2] for one in found_in(text)]


REACHED = [
    pytest.param(says("a", 'keywords = ["x"]') + says("b", 'keywords = ["y"]'), id="other keywords"),
    pytest.param(says("a", 'keywords = ["order"]') + says("b", 'keywords = ["border"]'), id="a part of a word"),
    pytest.param(
        says("a", 'keywords = ["cafe"]') + says("b", 'keywords = ["café"]', "ignore_accents = true"),
        id="the same with other accents, which the earlier rule does not find",
    ),
    pytest.param(
        says("a", 'keywords = ["cafe"]') + says("b", 'keywords = ["cafe", "bar"]', "ignore_accents = true"),
        id="a keyword of which the earlier rule takes one spelling only",
    ),
    pytest.param(says("a", "", REST) + says("b", 'keywords = ["x"]'), id="the earlier rule rests"),
    pytest.param(says("a", "", "quota = 1") + says("b", 'keywords = ["x"]'), id="the earlier rule has a quota"),
    pytest.param(says("a", "", 'mode = "observe"') + says("b", 'keywords = ["x"]'), id="the earlier rule observes"),
    pytest.param(says("a", 'channel = "sms"') + says("b"), id="one channel of all"),
    pytest.param(HOURS + says("a", 'hours = "open"') + says("b"), id="one half of the day"),
    pytest.param(says("a", "media = true") + says("b"), id="only media"),
    pytest.param(says("a", 'regex = "a"') + says("b", 'regex = ["a", "b"]'), id="one pattern of two"),
    pytest.param(says("a", "attributes = { n = 1 }") + says("b", "attributes = { n = true }"), id="one is not true"),
    pytest.param(says("a", "attributes = { n = 1 }") + says("b", "attributes = { m = 1 }"), id="another attribute"),
    pytest.param(says("a", 'any = [{ media = true }, { role = "v" }]') + says("b"), id="any of some"),
    pytest.param(says("a", 'not = { role = "v" }') + says("b"), id="not everybody"),
    pytest.param(says("a", 'not = { keywords = ["x", "y"] }') + says("b", 'not = { keywords = ["x"] }'), id="less"),
    pytest.param(says("a", 'unanswered_for = "5m"') + says("b", 'unanswered_for = "9m"'), id="another silence"),
    pytest.param(says("a", 'unanswered_for = "5m"') + says("b"), id="a follow-up is no answer"),
    pytest.param(
        says("a", 'keywords = ["x", "y"]') + says("b", 'any = [{ keywords = ["x"] }, { keywords = ["z"] }]'),
        id="one part of any",
    ),
]


@pytest.mark.parametrize("text", REACHED)
def test_a_rule_that_can_answer_is_left_alone(text):
    assert [one for one in found_in(text) if one[:2] in {("unreachable", "b"), ("impossible", "b")}] == []


FINDINGS = [
    pytest.param(
        says("a", 'hours = "closed"') + ANSWERS_ALL, [("impossible", "a", 1)], id="closed, but there are no hours"
    ),
    pytest.param(
        HOURS + says("a", 'hours = "open", not = { hours = "open" }') + ANSWERS_ALL,
        [("impossible", "a", 3)],
        id="conditions that exclude each other",
    ),
    pytest.param(
        says("a", 'keywords = ["order"]', REST) + says("b", 'keywords = ["order status", "x"]', REST) + ANSWERS_ALL,
        [("shadowed keyword", "b", 6)],
        id="a keyword of which an earlier rule answers a part",
    ),
    pytest.param(
        says("a", 'keywords = ["order"], channel = "sms"', REST)
        + says("b", 'keywords = ["order status"]', REST)
        + ANSWERS_ALL,
        [],
        id="an earlier rule that answers a part of it on one channel",
    ),
    pytest.param(says("a", 'keywords = ["x"]', REST), [("no fallback", "", None)], id="no fallback"),
    pytest.param(HOURS + says("a", 'hours = "open"', REST), [("no fallback", "", None)], id="no fallback at night"),
    pytest.param("", [("no fallback", "", None)], id="no rule"),
    pytest.param(says("a", "first_contact = true", REST), [], id="a first message is answered, that is enough"),
    pytest.param(
        says("a", 'channel = "sms"', REST) + says("b", 'not = { channel = "sms" }', REST), [], id="by rules that share"
    ),
    pytest.param(
        says("a", 'keywords = ["x"]', REST) + rule("b", "stop = true"), [], id="silence that is meant is no gap"
    ),
    pytest.param(says("a", "", REST, 'mode = "observe"'), [("no fallback", "", None)], id="an observer answers nobody"),
    pytest.param(says("a"), [("answers everything", "a", 1)], id="no conditions and no cool-down"),
    pytest.param(says("a", "", 'cooldown = "0s"'), [("answers everything", "a", 1)], id="a cool-down of nothing"),
    pytest.param(says("a", "", "quota = 3"), [], id="a quota is enough"),
    pytest.param(
        says("a", 'keywords = ["unsubscribe", "x"]') + ANSWERS_ALL, [("opt-out keyword", "a", 1)], id="opt-out keyword"
    ),
    pytest.param(
        says("a", 'any = [{ keywords = ["stop"] }, { media = true }]') + ANSWERS_ALL,
        [("opt-out keyword", "a", 1)],
        id="an opt-out word in a part",
    ),
    pytest.param(says("a", 'keywords = ["help"]') + ANSWERS_ALL, [("help keyword", "a", 1)], id="help, by SMS too"),
    pytest.param(
        says("a", 'keywords = ["help", "info"], channel = ["whatsapp", "chat"]') + ANSWERS_ALL,
        [],
        id="help where Twilio answers nothing",
    ),
    pytest.param(
        says("a", 'keywords = ["start", "yes"]') + ANSWERS_ALL, [("opt-in keyword", "a", 1)], id="an opt-in word"
    ),
    pytest.param(says("a", 'keywords = ["yes"]') + ANSWERS_ALL, [], id="an ordinary yes"),
    pytest.param(
        '[bot]\nno_opt_out_words = ["END"]\n'
        + says("a", 'keywords = ["end"], channel = "whatsapp"')
        + says("b", 'keywords = ["end"], channel = "sms"')
        + ANSWERS_ALL,
        [("opt-out keyword", "b", 7)],
        id="an opt-out word that is taken away where Twilio does not act on it",
    ),
    pytest.param(
        '[bot]\nno_opt_out_words = ["bye"]\n' + ANSWERS_ALL, [("no opt-out word", "", None)], id="nothing to take away"
    ),
    pytest.param(
        says("a", 'unanswered_for = "5m"') + ANSWERS_ALL, [("endless follow-up", "a", 1)], id="a follow-up without end"
    ),
    pytest.param(says("a", 'unanswered_for = "5m"', "quota = 1") + ANSWERS_ALL, [], id="one follow-up"),
    pytest.param(
        says("a", 'channel = "sms"', REST, f'template = {{ content_sid = "HX{"1" * 32}" }}') + ANSWERS_ALL,
        [("unused template", "a", 1)],
        id="a template, but not for WhatsApp",
    ),
    pytest.param(
        says("a", "", REST, f'template = {{ content_sid = "HX{"1" * 32}" }}'), [], id="a template on every channel"
    ),
]


@pytest.mark.parametrize(("text", "expected"), FINDINGS)
def test_what_is_found_names_the_rule_and_its_line(text, expected):
    assert found_in(text) == expected


LONG = "x" * 1601
HALF = "x" * 900
LENGTHS = [
    pytest.param(LONG, "", ["too long"], id="a fixed text"),
    pytest.param("x" * 1600, "", [], id="just short enough"),
    pytest.param(f"  {'x' * 1600}\n", "", [], id="white space around it does not count"),
    pytest.param(f"{{% if first_contact %}}{HALF}{{% else %}}{HALF}{{% endif %}}", "", [], id="one or the other"),
    pytest.param(f"{{% if hours == 'open' %}}{LONG}{{% else %}}x{{% endif %}}", "", ["too long"], id="in a branch"),
    pytest.param(f"{HALF}{{% if first_contact %}}{HALF}{{% endif %}}", "", ["too long"], id="a branch and the rest"),
    pytest.param(f"{{% for n in range(2) %}}{LONG}{{% endfor %}}", "", ["too long"], id="in a loop"),
    pytest.param(f"{{{{ author }}}}{HALF}", "", [], id="values are not counted"),
    pytest.param(LONG, 'channel = ["chat", "whatsapp"]', ["too long"], id="WhatsApp and chat"),
    pytest.param(LONG, 'channel = "chat"', [], id="chat takes more"),
]


@pytest.mark.parametrize(("reply", "when", "codes"), LENGTHS)
def test_a_reply_that_no_sms_can_carry_is_an_error(reply, when, codes):
    text = rule("a", f"when = {{ {when} }}", f'reply = """{reply}"""', REST)
    findings = [one for one in lint(load(text + ANSWERS_ALL)) if one.rule == "a"]

    assert [one.code for one in findings] == codes
    assert [one.severity for one in findings] == ["error"] * len(codes)


def test_the_responders_fallback_may_not_be_too_long_either():
    text = f'[bot]\nresponder_fallback = "{LONG}"\n{ANSWERS_ALL}'

    assert found_in(text) == [("too long", "", None)]


@pytest.mark.parametrize(
    ("media", "codes"),
    [("menu.pdf", []), ("gone.pdf", ["missing media"]), (f"ME{'1' * 32}", [])],
    ids=["a file beside the rules", "a file that is not there", "the SID of uploaded media"],
)
def test_a_media_file_that_is_not_there_is_an_error(tmp_path, media, codes):
    (tmp_path / "menu.pdf").write_bytes(b"%PDF")
    text = rule("a", f'media = "{media}"', REST)
    findings = lint(load(text), folder=tmp_path)

    assert [one.code for one in findings if one.severity == "error"] == codes


WORDING = [
    (
        says("a", 'keywords = ["x"]') + says("b", 'keywords = ["x"]') + ANSWERS_ALL,
        'is never reached: rule "a" before it always answers first; move it up, or give the earlier rule a cooldown or '
        "narrower conditions",
    ),
    (
        HOURS
        + says("a", 'hours = "open", channel = ["sms", "whatsapp"]', REST)
        + says("b", 'hours = "closed", channel = ["sms", "chat"]', REST)
        + says("c", 'channel = ["chat", "sms"]', REST),
        "no rule answers a first message without certain words or attributes, when closed, by whatsapp; add a last "
        "rule that does",
    ),
    (
        says("a", 'keywords = ["order"]', REST)
        + says("b", 'keywords = ["order status", "my order"]', REST)
        + ANSWERS_ALL,
        'is not reached by "order status" and "my order": rule "a" before it answers a part of that; move this rule '
        "above it",
    ),
]


@pytest.mark.parametrize(("text", "problem"), WORDING, ids=["unreachable", "no fallback", "shadowed"])
def test_a_finding_says_what_to_do(text, problem):
    assert [one.problem for one in lint(load(text))] == [problem]


@pytest.mark.parametrize(
    ("zone", "hint"),
    [
        ("EST", '"America/New_York"'),
        ("MST", '"America/Denver"'),
        ("Etc/GMT-1", "Etc/GMT-1 is an hour ahead"),
        ("UTC", None),
        ("Europe/Berlin", None),
        ("Asia/Kolkata", None),
    ],
)
def test_a_zone_without_summer_time_is_hinted_at_where_it_names_no_place(zone, hint):
    found = [one.problem for one in lint(load(f'[bot]\ntimezone = "{zone}"\n{ANSWERS_ALL}'))]

    assert [hint in problem for problem in found] == ([True] if hint else [])


def test_with_a_responder_no_fallback_is_missing():
    assert found_in(says("a", 'keywords = ["x"]', REST), has_responder=True) == []


def test_the_shipped_rules_have_nothing_to_look_at():
    path = Path(__file__).parents[2] / "rules.toml"

    assert lint(load(path.read_text(encoding="utf-8")), folder=path.parent) == []
