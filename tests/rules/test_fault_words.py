"""What is wrong in a rules file is said in our words: the value, what it should be, and an example that can be used."""

import json
import re
import tomllib
from datetime import date, time
from functools import partial

import pytest
from pydantic import BaseModel, ValidationError

from app.rules import fault_words
from app.rules.fault_words import EXAMPLES, TABLES, in_toml
from app.rules.loader import RulesError, load
from app.rules.notices import CAUSES
from app.rules.schema import Rules


def in_notify(cause, table):
    return {"notify": {cause: {"to": "crm"} | table}}


SOME_MOMENT = tomllib.loads("at = 2026-01-01T05:00:00")["at"]
# One value of each kind that TOML has, right for some keys and wrong for the others.
VALUES = ["", "x", "10m", 0, -1, 10**30, 1.5, float("inf"), True, [], ["x"], [""], [3], [[]], {}, {"x": 1}, [{}]]
VALUES += [{"1": 7}, [{"hours": 5}], {"count": "x", "per": 3}, date(2026, 1, 1), SOME_MOMENT, time(5)]
HX = "HX" + "0" * 32
# A document in which each table stands, so that one of its keys can be made wrong.
PLACES = {
    (): lambda table: table,
    ("bot",): lambda table: {"bot": table},
    ("bot", "reply_budget"): lambda table: {"bot": {"reply_budget": table}},
    ("bot", "quiet_hours"): lambda table: {"bot": {"quiet_hours": {"between": "22:00-07:00"} | table}},
    ("rule",): lambda table: {"rule": [{"name": "r", "reply": "x"} | table]},
    ("rule", "when"): lambda table: in_rule(when=table),
    ("rule", "when", "part"): lambda table: in_rule(when={"any": [table]}),
    ("rule", "template"): lambda table: in_rule(template={"content_sid": HX} | table),
    ("rule", "add_participant"): lambda table: in_rule(add_participant=table),
    ("rule", "quota"): lambda table: in_rule(quota={"count": 1} | table),
    ("rule", "notify"): lambda table: in_rule(notify={"to": "crm"} | table),
    ("notify",): lambda table: {"notify": table},
    **{("notify", cause): partial(in_notify, cause) for cause in CAUSES},
}
# pydantic's own sentences, of any of its versions.
RAW = re.compile(
    r"Input |[Ff]ield required|should be|Value error|valid (string|tuple|integer|dict|mapping|list)|pydantic"
)
PLACED = re.compile(
    r'- (rule "."( \(line \d+\))?|rule number \d+|\[(?:bot|notify)\] \(line \d+\)|top level \(line \d+\)).*: '
)
NEXT_STEP = ("; write ", "; add ", "; remove ", "; correct ", "; use ", "; choose ", "; make ", "; move ", "; split ")


def in_rule(**keys):
    return {"rule": [{"name": "r", "reply": "x"} | keys]}


def toml(document):
    """Return a whole document as TOML; the rules are inline, so that each fault has one line."""
    return "\n".join(f"{key} = {inline(value)}" for key, value in document.items())


def inline(value):
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{json.dumps(key)} = {inline(one)}' for key, one in value.items())} }}"
    if isinstance(value, list):
        return f"[{', '.join(map(inline, value))}]"
    return value.isoformat() if isinstance(value, date | time) else json.dumps(value).replace("Infinity", "inf")


def keys_of(model):
    return [field.alias or name for name, field in model.model_fields.items()]


def wrong_documents():
    """Yield every document in which one key of one table has one of VALUES, or a key is missing or unknown."""
    for table, model in TABLES.items():
        for key in [*keys_of(model), "unheard_of"]:
            for value in VALUES:
                yield PLACES[table]({key: value})
    yield from ({"bot": value} for value in VALUES)
    yield from (
        {"rule": value} for value in [*VALUES, [{}], [{"name": "r", "quota": {}}], [{"name": "r", "template": {}}]]
    )


def problems_of(document):
    try:
        load(toml(document))
    except RulesError as error:
        return str(error).split("\n")[1:]
    return []


def kinds_of(document):
    try:
        Rules.model_validate(tomllib.loads(toml(document)))
    except ValidationError as error:
        return {fault["type"] for fault in error.errors()}
    return set()


WRONG = list(wrong_documents())


def test_no_fault_is_told_in_a_librarys_words_and_each_has_its_place_and_the_next_step():
    told = {problem for document in WRONG for problem in problems_of(document)}

    assert len(told) > 400
    assert not {problem for problem in told if RAW.search(problem)}
    assert not {problem for problem in told if not PLACED.match(problem)}
    assert not {problem for problem in told if not any(step in problem for step in NEXT_STEP)}


def test_every_kind_of_error_that_the_schema_can_meet_has_a_sentence_and_no_other_has():
    met = {kind for document in WRONG for kind in kinds_of(document)}
    shaped = {"extra_forbidden", "missing", "too_short", "string_too_short", "string_pattern_mismatch", "value_error"}

    assert met - shaped == set(fault_words._SENTENCES)
    assert shaped <= met


def test_every_key_has_an_example_and_no_example_is_of_no_key():
    keys = {key for model in TABLES.values() for key in keys_of(model)} - {"bot", "rule"}

    assert {name.rpartition(".")[2] for name in EXAMPLES} == keys


@pytest.mark.parametrize("table", [table for table in TABLES if table], ids=".".join)
def test_every_example_can_be_written_as_it_stands(table):
    model: type[BaseModel] = TABLES[table]
    for key in keys_of(model):
        path = (*table, key)
        written = fault_words._example(path)
        value = tomllib.loads(written.replace("not =", '"not" ='))[key]
        assert not problems_with(table, key, value), written


def problems_with(table, key, value):
    together = {
        "address": {"proxy_address": "+15550100099"},
        "proxy_address": {"address": "+15550100001"},
        "coalesce_most": {"coalesce": "1s"},
        "ignore_accents": {"when": {"keywords": ["a"]}},
    }
    document = PLACES[table](together.get(key, {}) | {key: value})
    rule = document.get("rule", [{}])[0]
    if key in ("stop",):
        del rule["reply"]
    return problems_of(document)


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        (
            in_rule(when={"keywords": "price"}),
            '- rule "r": when.keywords: "price" is not a list; write keywords = ["price", "how much"]',
        ),
        (
            in_rule(when={"hours": "shut"}),
            '- rule "r": when.hours: "shut" is not "open" or "closed"; write hours =',
        ),
        (in_rule(when={"hours": 9}), '- rule "r": when.hours: 9 is not "open" or "closed"; write hours ='),
        (in_rule(stop="yes"), '- rule "r": stop: "yes" is neither true nor false; write stop = true'),
        (in_rule(name=7), '- rule number 1: name: 7 is not a text; write name = "greeting"'),
        (in_rule(quota=0), '- rule "r": quota.count: 0 is too small; the least is 1; write count = 5'),
        (
            in_rule(template="HX"),
            '- rule "r": template: "HX" is not a table of keys and values; write template = { content_sid = "HX',
        ),
        (
            in_rule(cooldown="soon"),
            '- rule "r": cooldown: "soon" is not a duration; write a number and',
        ),
        (
            {"bot": {"repeated_text": True}},
            "- [bot] (line 1): repeated_text: true is not a whole number; write",
        ),
        ({"bot": {"holidays": [5]}}, '- [bot] (line 1): holidays.entry 1: 5 is not a day; write it like "2026-12-25"'),
        ({"bot": {"holidays": ["soon"]}}, '- [bot] (line 1): holidays.entry 1: "soon" is not a day; write it like'),
        ({"bot": 3}, "- [bot] (line 1): 3 is not a table of keys and values; write [bot] on a line of its own"),
        (
            {"rule": [3]},
            "- rule number 1: 3 is not a table of keys and values; write [[rule]] on a line",
        ),
    ],
)
def test_it_names_the_value_and_an_example(document, problem):
    (said,) = problems_of(document)

    assert re.sub(r'(?<=rule "r") \(line \d+\)', "", said).startswith(problem)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("O'Brien\n", '"O\'Brien\\u000A"'),
        (True, "true"),
        ([1, "a", {"b": False}], '[1, "a", { b = false }]'),
        ({}, "{}"),
        (date(2026, 12, 25), "2026-12-25"),
        ("x" * 100, '"' + "x" * 59 + "…"),
        ({"a\u202e": 1}, "{ a\\u202E = 1 }"),
        pytest.param(16**6000, "0x1" + "0" * 57 + "…", id="more than Python writes"),
    ],
)
def test_a_value_is_shown_as_a_rules_file_has_it(value, shown):
    assert in_toml(value) == shown
