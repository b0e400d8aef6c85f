"""Turns the text of rules.toml into checked, frozen Rules; it decides nothing about any message.

A rules file that is wrong is refused as a whole, and the error lists every problem at once.
"""

import difflib
import re
import tomllib
import unicodedata
from datetime import date, timedelta
from functools import lru_cache
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, StrictInt, ValidationError

from app.reply_template import checked_reply

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}

Span = tuple[int, int]  # minutes since midnight; an end at or before its start is on the next day
Week = tuple[tuple[Span, ...], ...]  # Monday first


class RulesError(ValueError):
    """The rules file cannot be used; the message lists every problem with its place and the next step."""


def words_of(text: str) -> tuple[str, ...]:
    """Return the words of a text as they are compared: without case, width, punctuation or spacing.

    Scripts that put no spaces between words (Chinese, Japanese, Thai, Lao, Khmer, Burmese) give one word
    per character, so that a phrase of them is found anywhere. Emoji and other symbols are words.
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return tuple("".join(map(_spaced, folded)).split())


@lru_cache(maxsize=4096)
def keyword_words(keyword: str) -> tuple[str, ...]:
    """Return words_of a keyword of the rules, remembered; texts of customers are never remembered."""
    return words_of(keyword)


def _spaced(char: str) -> str:
    kind = unicodedata.category(char)
    if kind == "Cf" or char == "\ufe0f":  # invisible: soft hyphen, joiners, emoji style
        return ""
    if kind[0] in "PZC":
        return " "
    unspaced = "\u0e00" <= char <= "\u0eff" or "\u1000" <= char <= "\u109f" or "\u1780" <= char <= "\u17ff"
    if kind[0] == "S" or unspaced or "\u3040" <= char <= "\u30ff" or "\u3400" <= char <= "\u9fff":
        return f" {char} "
    return char


def _duration(value: Any) -> timedelta:
    found = re.fullmatch(r"(\d{1,8})([smhd])", value) if isinstance(value, str) else None
    if found is None:
        raise ValueError('is not a duration; write a number and a unit such as "30s", "10m", "2h" or "1d"')
    return timedelta(seconds=int(found[1]) * SECONDS[found[2]])


def _positive(value: Any) -> timedelta:
    if not (duration := _duration(value)):
        raise ValueError('is no time at all; write a longer duration such as "10m"')
    return duration


def _timezone(value: Any) -> ZoneInfo:
    try:
        return ZoneInfo(value)
    except (LookupError, ValueError, TypeError, OSError):
        raise ValueError('is not a known time zone; write an IANA name such as "Europe/Berlin"') from None


def _week(value: Any) -> Week:
    if not isinstance(value, dict) or not value:
        raise ValueError('is not a table of days; write { mon-fri = "09:00-17:30" }, or leave it out to be always open')
    week: dict[int, tuple[Span, ...]] = {}
    for days, spans in value.items():
        for day in _days(days):
            if day in week:
                raise ValueError(f'names {DAYS[day]} twice; put all its times into one, "09:00-12:00,13:00-17:00"')
            week[day] = tuple(_span(span) for span in str(spans).split(","))
    return tuple(week.get(day, ()) for day in range(7))


def _days(name: str) -> list[int]:
    ends = name.lower().replace(" ", "").split("-")
    if len(ends) > 2 or not set(ends) <= set(DAYS):
        raise ValueError(f'does not know the day "{name}"; write mon, tue, wed, thu, fri, sat, sun or mon-fri')
    first, last = DAYS.index(ends[0]), DAYS.index(ends[-1])
    return [day % 7 for day in range(first, (last if last >= first else last + 7) + 1)]


def _span(text: str) -> Span:
    found = re.fullmatch(r"(\d{1,2}):([0-5]\d)-(\d{1,2}):([0-5]\d)", text.replace(" ", ""))
    start, end = (int(found[1]) * 60 + int(found[2]), int(found[3]) * 60 + int(found[4])) if found else (0, 0)
    if start == end or start >= 1440 or end > 1440:
        raise ValueError(f'has no time span in "{text}"; write it like "09:00-17:30", all day is "00:00-24:00"')
    return start, end


def _words(value: Any) -> Any:
    for keyword in value if isinstance(value, list) else ():
        if isinstance(keyword, str) and not words_of(keyword):
            raise ValueError(f'has "{keyword}", which holds no letter or digit; write a word or a phrase')
    return value


def _channels(value: Any) -> Any:
    names = [value] if isinstance(value, str) else value
    return [name.lower() if isinstance(name, str) else name for name in names] if isinstance(names, list) else names


Words = Annotated[tuple[str, ...], BeforeValidator(_words)]
Duration = Annotated[timedelta, BeforeValidator(_duration)]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


class Budget(_Table):
    """How many automatic replies one conversation may get within a time."""

    count: Annotated[StrictInt, Field(ge=1)] = 5
    per: Annotated[timedelta, BeforeValidator(_positive)] = timedelta(minutes=10)


class Bot(_Table):
    """What holds for every rule: opening hours, pause, quota and the words that belong to the carrier.

    The default words are Twilio's own. Source: docs/messaging/tutorials/advanced-opt-out (read 2026-11-22).
    """

    timezone: Annotated[ZoneInfo, BeforeValidator(_timezone)] = ZoneInfo("UTC")
    hours: Annotated[Week | None, BeforeValidator(_week)] = None
    holidays: tuple[date, ...] = ()
    pause_after_agent: Duration = timedelta(minutes=30)
    reply_budget: Budget = Budget()
    opt_out_words: Words = ("STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT")
    help_words: Words = ("HELP", "INFO")
    opt_in_words: Words = ("START", "UNSTOP", "YES")


class When(_Table):
    """The conditions of one rule; all that are given must hold."""

    keywords: Annotated[Words, Field(min_length=1)] | None = None
    channel: Annotated[tuple[str, ...], Field(min_length=1), BeforeValidator(_channels)] | None = None
    hours: Literal["open", "closed"] | None = None
    first_contact: StrictBool | None = None


class Rule(_Table):
    """One `[[rule]]`: when it applies, what it answers, and how long it then rests in that conversation."""

    name: Annotated[str, Field(min_length=1)]
    when: When = When()
    reply: Annotated[str, BeforeValidator(checked_reply)]
    cooldown: Duration | None = None


class Rules(_Table):
    """A whole rules file, checked; `rules` are in file order."""

    bot: Bot = Bot()
    rules: Annotated[tuple[Rule, ...], Field(alias="rule")] = ()


def load(text: str) -> Rules:
    """Return the rules in the text of a rules file.

    Raises RulesError with every problem: its rule, the line of that `[[rule]]`, the key, and what to do.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        place = str(error).replace("at end of document", f"at its end, line {len(text.splitlines())}")
        raise RulesError(f"the rules file is not valid TOML: {place}; correct that line") from None
    problems = _double_names(document, text)
    try:
        rules = Rules.model_validate(document)
    except ValidationError as error:
        problems += [_problem(fault, document, text) for fault in error.errors()]
    if problems:
        raise RulesError("the rules file cannot be used:\n" + "\n".join(f"- {line}" for line in problems))
    return rules


def _problem(fault: Any, document: dict[str, Any], text: str) -> str:
    where, key = _place(fault["loc"], document, text)
    return f"{where}: {key}: {_what_to_do(fault)}" if key else f"{where}: {_what_to_do(fault)}"


def _place(path: tuple[int | str, ...], document: dict[str, Any], text: str) -> tuple[str, str]:
    if len(path) < 2 or path[0] != "rule" or not isinstance(path[1], int):
        return (f"[{path[0]}]" if path[0] == "bot" else "top level"), _key(path[path[0] == "bot" :])
    return _rule_at(path[1], document, text), _key(path[2:])


def _key(path: tuple[int | str, ...]) -> str:
    return ".".join(str(step) if isinstance(step, str) else f"entry {step + 1}" for step in path)


def _rule_at(position: int, document: dict[str, Any], text: str) -> str:
    rule = document["rule"][position]
    name = rule.get("name") if isinstance(rule, dict) else None
    label = f'rule "{name}"' if isinstance(name, str) and name else f"rule number {position + 1}"
    lines = _rule_lines(text)
    return f"{label} (line {lines[position]})" if position < len(lines) else label


def _rule_lines(text: str) -> list[int]:
    lines = text.splitlines()
    heads = [n for n, line in enumerate(lines) if re.match(r"\s*\[\[\s*[\"']?rule[\"']?\s*\]\]", line)]
    return [n + 1 for n in heads if _is_toml("\n".join(lines[:n]))]  # a head inside a text leaves it unclosed


def _is_toml(text: str) -> bool:
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return False
    return True


def _double_names(document: dict[str, Any], text: str) -> list[str]:
    rules = document.get("rule")
    names = [rule.get("name") if isinstance(rule, dict) else None for rule in rules] if isinstance(rules, list) else []
    return [
        f"{_rule_at(n, document, text)}: name: is also the name of rule number {names.index(name) + 1}; choose another"
        for n, name in enumerate(names)
        if isinstance(name, str) and names.index(name) < n
    ]


def _what_to_do(fault: Any) -> str:
    *path, key = fault["loc"]
    if fault["type"] == "extra_forbidden":
        known = _keys_of(tuple(step for step in path if isinstance(step, str)))
        close = difflib.get_close_matches(str(key), known, n=1)
        hint = f'write "{close[0]}"' if close else f"remove it; there are {', '.join(known)}"
        return f"is not a key of this table; {hint}"
    if fault["type"] == "missing":
        return f'is missing; add {key} = "..."'
    if fault["type"] in ("too_short", "string_too_short"):
        return "is empty; write at least one"
    if fault["type"] == "model_type":
        return "is not a table of keys and values; see the comments in rules.toml"
    message = fault["msg"].removeprefix("Value error, ").replace("valid tuple", "list")
    return message if fault["type"] == "value_error" else f"{message}; see the comments in rules.toml"


def _keys_of(path: tuple[str, ...]) -> list[str]:
    tables: dict[tuple[str, ...], type[BaseModel]] = {
        (): Rules,
        ("bot",): Bot,
        ("bot", "reply_budget"): Budget,
        ("rule",): Rule,
        ("rule", "when"): When,
    }
    return [field.alias or name for name, field in tables[path].model_fields.items()]
