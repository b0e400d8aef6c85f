"""Loads rules.toml: text in, validated frozen Rules or a list of problems out.

A rules file that is wrong is refused as a whole, and the error lists every problem at once.
"""

import os
import re
import stat
import tomllib
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from app.rules.fault_lines import line_of, line_of_table
from app.rules.fault_words import PARTS, in_toml, printable, what_to_do
from app.rules.schema import Rules
from app.twilio_api.look_up import MARKER

MAX_BYTES = 4 * 1024 * 1024
_NUL = "holds the character U+0000, which cannot be stored; remove it"


class RulesError(ValueError):
    """The rules file cannot be used; the message lists every problem with its place and the next step."""


def read(path: Path) -> str:
    """Return the text of a rules file. Raises RulesError for what is no file of text, OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # who opens a pipe waits for somebody who writes
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise RulesError(f"{path.name} is no file but a pipe or a device; name a file")
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise RulesError(f"the rules file is larger than {MAX_BYTES // 1024:,} KB; make it shorter")
    try:
        return content.decode("utf-8").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError:
        raise RulesError("the rules file is not UTF-8 text; save it as UTF-8") from None


def load(text: str) -> Rules:
    """Return the rules in the text of a rules file.

    Raises RulesError with every problem: its rule, the line of the key in it, the key, and what to do.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        place = str(error).replace("at end of document", f"at its end, line {len(text.splitlines())}")
        raise RulesError(f"the rules file is not valid TOML: {place}; correct that line") from None
    except ValueError:  # Python reads no number of 5,000 digits
        raise RulesError("the rules file has a number with thousands of digits; write a shorter one") from None
    except RecursionError:
        raise RulesError("the rules file is nested too deeply; make it simpler") from None
    if problems := [_problem_at(path, said, document, text) for path, said in _beyond_bounds(document)]:
        raise _refused(problems)
    problems = [*_double_names(document, text), *_conflicts(document, text)]
    try:
        rules = Rules.model_validate(document)
    except ValidationError as error:
        problems += [_problem(fault, document, text) for fault in _first_errors(error)]
    if problems:
        raise _refused(problems)
    return rules


def _refused(problems: Sequence[str]) -> RulesError:
    return RulesError("the rules file cannot be used:\n" + "\n".join(f"- {printable(line)}" for line in problems))


def _beyond_bounds(value: Any, *path: int | str) -> Iterator[tuple[tuple[int | str, ...], str]]:
    """Yield where a value or a key is that TOML does not allow, or no database can store, and what to do."""
    if isinstance(value, dict):
        for key, one in value.items():
            if "\0" in key:
                yield (*path, key), _NUL
            yield from _beyond_bounds(one, *path, key)
    elif isinstance(value, list):
        for n, one in enumerate(value):
            yield from _beyond_bounds(one, *path, n)
    elif isinstance(value, int) and not -(2**63) <= value < 2**63:  # Source: toml.io/en/v1.0.0, "Integer"
        yield path, f"{in_toml(value)} is more than the 64 bits that a number of TOML has; write a smaller one"
    elif isinstance(value, str) and "\0" in value:
        yield path, _NUL


@lru_cache(maxsize=1)
def rule_lines(text: str) -> tuple[int, ...]:
    """Return the line of each `[[rule]]` in the text of a rules file; the first line is 1."""
    lines = text.splitlines()
    found: list[int] = []
    began = 0
    for n, line in enumerate(lines):
        # A head inside a text leaves what stands before it unclosed.
        if re.match(r"\s*\[\[\s*[\"']?rule[\"']?\s*\]\]", line) and _is_toml("\n".join(lines[began:n])):
            found.append(n + 1)
            began = n
    return tuple(found)


def _is_toml(text: str) -> bool:
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return False
    return True


def _double_names(document: dict[str, Any], text: str) -> Iterator[str]:
    first: dict[str, int] = {}
    for n, rule in _tables_of_rules(document):
        name = rule.get("name")
        if isinstance(name, str) and first.setdefault(name, n) < n:
            other = f"is also the name of rule number {first[name] + 1}; choose another"
            yield f"{_rule_at(n, document, text, ('name',))}: name: {other}"


def _conflicts(document: dict[str, Any], text: str) -> Iterator[str]:
    for n, rule in _tables_of_rules(document):
        for key, next_step in conflicts(rule):
            yield f"{_rule_at(n, document, text, key.split('.'))}: {key}: {next_step}"


def _tables_of_rules(document: dict[str, Any]) -> list[tuple[int, dict[str, Any]]]:
    rules = document.get("rule")
    return [(n, rule) for n, rule in enumerate(rules if isinstance(rules, list) else []) if isinstance(rule, dict)]


def _first_errors(error: ValidationError) -> list[Any]:
    """Return the faults without those that only follow: a list is not too short because its entries are wrong."""
    faults = error.errors()
    above = {fault["loc"][:n] for fault in faults for n in range(len(fault["loc"]))}
    return [fault for fault in faults if fault["type"] != "too_short" or fault["loc"] not in above]


def _problem(fault: Any, document: dict[str, Any], text: str) -> str:
    said = what_to_do(fault)
    named = re.match(r"([a-z_]+): ", said)  # a fault of several keys together names one itself
    return _problem_at(fault["loc"], said, document, text, named=named[1] if named else "")


def _problem_at(path: tuple[int | str, ...], said: str, document: dict[str, Any], text: str, *, named: str = "") -> str:
    where, key = _place(path, named, document, text)
    return f"{where}: {key}: {said}" if key else f"{where}: {said}"


def _place(path: tuple[int | str, ...], named: str, document: dict[str, Any], text: str) -> tuple[str, str]:
    below = [named] if named else []
    if len(path) >= 2 and path[0] == "rule" and isinstance(path[1], int):
        where = _rule_at(path[1], document, text, [*path[2:], *below])
        return where, _key(path[2:], document["rule"][path[1]])
    table = str(path[0])
    own = table in ("bot", "notify")
    line = line_of(text, [*path[own:], *below], line_of_table(text, table) if own else 1)
    where = f"[{table}]" if own else "top level"
    return f"{where} (line {line})", _key(path[own:], document[table] if own else document)


def _key(path: tuple[int | str, ...], table: Any) -> str:
    """Return a key as its writer sees it: "when.any.entry 2.hours"; what was no list has no entries."""
    steps = []
    for step in path:
        if isinstance(step, str):
            steps.append(step)
            table = table.get(step) if isinstance(table, dict) else None
        elif isinstance(table, list):
            steps.append(f"entry {step + 1}")
            table = table[step]
    return ".".join(steps)


def _rule_at(position: int, document: dict[str, Any], text: str, path: Sequence[int | str]) -> str:
    """Return the name of a rule, and the line of the key in it that a path leads to."""
    rule = document["rule"][position]
    name = rule.get("name") if isinstance(rule, dict) else None
    label = f'rule "{name}"' if isinstance(name, str) and name else f"rule number {position + 1}"
    lines = rule_lines(text)
    if position >= len(lines):
        return label
    end = lines[position + 1] if position + 1 < len(lines) else None
    return f"{label} (line {line_of(text, path, lines[position], end)})"


MAX_DEPTH = 6  # of any, all and not inside each other
ACTIONS = ("reply", "media", "template", "set_attributes", "hand_over", "pause", "add_participant", "close", "notify")
BESIDE_SILENCE = ("notify",)  # what a rule that stays silent may do all the same

Conflict = tuple[str, str]  # the key and what to do


def conflicts(rule: dict[str, Any]) -> Iterator[Conflict]:
    """Yield each key of a rule, as TOML gave it, that contradicts another, and the next step."""
    named = [action for action in ACTIONS if rule.get(action, False) is not False]
    if rule.get("set_attributes") == {}:
        named.remove("set_attributes")
    loud = [action for action in named if action not in BESIDE_SILENCE]
    if rule.get("stop") is True and loud:
        yield "stop", f"keeps silent, but the rule also has {' and '.join(loud)}; remove one or the other"
    if not named and rule.get("stop") is not True:
        yield "reply", 'is missing; add reply = "...", or an action such as hand_over = true'
    if rule.get("hand_over") is True and "pause" in named:
        yield "pause", "contradicts hand_over, which pauses until somebody resumes the bot; remove one of them"
    if isinstance(rule.get("set_attributes"), dict) and MARKER in rule["set_attributes"]:
        yield f"set_attributes.{MARKER}", "belongs to the bot; write hand_over = true or pause to switch it off"
    if rule.get("ignore_accents") is True and not _has_keywords(rule.get("when")):
        yield "ignore_accents", "is about keywords, and this rule has none; add keywords or remove it"
    yield from _participant(rule.get("add_participant"))
    if _depth(rule.get("when")) > MAX_DEPTH:
        yield "when", f"has any, all and not more than {MAX_DEPTH} deep; make it simpler"


def _participant(added: Any) -> Iterator[Conflict]:
    if not isinstance(added, dict):
        return
    if ("identity" in added) == ("address" in added):
        yield (
            "add_participant",
            'needs either an identity, or an address and a proxy_address; write { identity = "ann" }, say',
        )
    elif ("address" in added) != ("proxy_address" in added):
        yield (
            "add_participant",
            "needs both the address and our own number that it talks to; write address and proxy_address",
        )


def _has_keywords(when: Any) -> bool:
    if isinstance(when, list):
        return any(map(_has_keywords, when))
    return isinstance(when, dict) and ("keywords" in when or any(_has_keywords(when.get(part)) for part in PARTS))


def _depth(when: Any) -> int:
    if isinstance(when, list):
        return max(map(_depth, when), default=0)
    if not isinstance(when, dict):
        return 0
    return 1 + max((_depth(when.get(key)) for key in PARTS), default=0)
