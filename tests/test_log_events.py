"""Log lines are named events: each that the code writes stands in docs/operations.md with its level and fields."""

import ast
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from app.inbox.dispatch import LOG_EVENTS

ROOT = Path(__file__).parents[1]
NAME = re.compile(r"[a-z]+(_[a-z]+)*\.[a-z]+(_[a-z]+)*")
LEVELS = ("info", "warning", "error", "exception")
LOGS = {"log", "_log", "server.log", "self._log", "self._troubles"}
# Functions that are given the event's name: where they call the log, it stands in a variable.
PASSED_ON = {"Sparingly.error", "Listener._say", "_log", "Worker._do"}


class Line(NamedTuple):
    """One call of a log, as it stands in the code."""

    place: str
    function: str
    level: str
    event: str | None  # None: what a variable holds
    fields: frozenset[str] | None  # None: not to be read from this call


class Documented(NamedTuple):
    """One row of the table."""

    level: str
    when: str
    fields: str


def documented() -> dict[str, Documented]:
    section = (ROOT / "docs" / "operations.md").read_text().split("\n## Log lines\n")[1]
    rows = [[cell.strip() for cell in row.split("|")[1:-1]] for row in section.splitlines() if row.startswith("| `")]
    return {event.strip("`"): Documented(level, when, fields) for event, level, when, fields, _alert in rows}


def functions(tree: ast.AST, owner: str = "") -> Iterator[tuple[str, ast.FunctionDef]]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef):
            yield owner + node.name, node
        elif isinstance(node, ast.ClassDef):
            yield from functions(node, f"{node.name}.")
        else:
            yield from functions(node, owner)


def keys(node: ast.expr | None, local: dict[str, ast.expr]) -> frozenset[str] | None:
    """Return the keys of a dictionary as far as the code spells them out."""
    if node is None:
        return frozenset()
    if isinstance(node, ast.Name) and node.id in local:
        return keys(local[node.id], local)
    if not isinstance(node, ast.Dict):
        return None
    found: set[str] = set()
    for key, value in zip(node.keys, node.values, strict=True):
        more = keys(value, local) if key is None else {ast.literal_eval(key)}
        if more is None:
            return None
        found |= more
    return frozenset(found)


def fields_of(call: ast.Call, local: dict[str, ast.expr]) -> frozenset[str] | None:
    named = {word.arg: word.value for word in call.keywords}
    if ast.unparse(call.func).startswith("self._troubles."):
        return frozenset({*named, "times_since_last_line"})
    return keys(named.get("extra"), local)


def lines_of(path: Path) -> Iterator[Line]:
    for name, function in functions(ast.parse(path.read_text())):
        nodes = list(ast.walk(function))
        local = {ast.unparse(one.targets[0]): one.value for one in nodes if isinstance(one, ast.Assign)}
        for call in nodes:
            if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute)):
                continue
            if ast.unparse(call.func.value) in LOGS and call.func.attr in (*LEVELS, "log", "debug", "critical"):
                said = call.args[call.func.attr == "log"]
                event = said.value if isinstance(said, ast.Constant) else None
                place = f"{path.relative_to(ROOT)}:{call.lineno}"
                yield Line(place, name, call.func.attr, event, fields_of(call, local))


LINES = [line for path in sorted((ROOT / "app").rglob("*.py")) for line in lines_of(path)]
SERVICE = [line for line in LINES if not line.place.startswith("app/emulator/")]
NAMED = [line for line in SERVICE if line.event is not None]


def strings_in_the_code() -> Iterator[str]:
    for path in sorted((ROOT / "app").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value


def test_every_log_line_is_an_event_by_its_literal_name_or_passes_one_on():
    assert len(LINES) > 25
    assert [line for line in SERVICE if line.event is None and line.function not in PASSED_ON] == []
    assert [line for line in LINES if line.event is not None and not NAME.match(line.event)] == []


def test_no_call_of_a_log_goes_unseen():
    """Whoever gives a log another name adds it to LOGS."""
    calls = re.compile(r"\b(?:_?log(?:ger)?|logging|_troubles)\.(?:debug|info|warning|error|exception|critical|log)\(")
    text = "".join(path.read_text() for path in sorted((ROOT / "app").rglob("*.py")))
    assert len(calls.findall(text)) == len(LINES)


@pytest.mark.parametrize("line", NAMED, ids=lambda line: f"{line.event}-{line.place}")
def test_the_table_of_events_names_level_and_fields(line):
    row = documented()[line.event]
    assert row.level == line.level
    assert line.fields is None or {f"`{name}`" for name in line.fields} == set(row.fields.split())


@pytest.mark.parametrize("end", LOG_EVENTS)
def test_the_table_names_the_level_of_each_way_that_work_on_an_event_ends(end):
    level, event = LOG_EVENTS[end]
    assert documented()[event].level == logging.getLevelName(level).lower()


def test_the_table_names_exactly_the_events_that_the_code_writes():
    table = documented()
    subjects = {event.partition(".")[0] for event in table}
    written = {text for text in strings_in_the_code() if NAME.fullmatch(text) and text.partition(".")[0] in subjects}
    files = {event for event in written if event.endswith((".toml", ".py", ".db", ".json", ".jsonl", ".html", ".css"))}
    assert written - files == set(table)
    assert all(row.when for row in table.values())


def test_the_emulator_s_events_are_named_too():
    section = (ROOT / "docs" / "operations.md").read_text().split("\n## Log lines\n")[1]
    written = {line.event.split()[0] for line in LINES if line.place.startswith("app/emulator/") and line.event}
    assert written == set(re.findall(r"`(emulator\.\w+)`", section))
