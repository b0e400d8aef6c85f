"""Says what is wrong with a key of a rules file in our words: its value, what it should be, and an example to write."""

import difflib
from collections.abc import Callable
from datetime import date, time
from typing import Any

from pydantic import BaseModel

from app.rules import notices, schema

TABLES: dict[tuple[str, ...], type[BaseModel]] = {
    (): schema.Rules,
    ("bot",): schema.BotSettings,
    ("bot", "reply_budget"): schema.Budget,
    ("bot", "quiet_hours"): schema.QuietHours,
    ("rule",): schema.Rule,
    ("rule", "when"): schema.When,
    ("rule", "when", "part"): schema.Condition,
    ("rule", "template"): schema.ContentTemplate,
    ("rule", "add_participant"): schema.NewParticipant,
    ("rule", "quota"): schema.Quota,
    ("rule", "notify"): notices.Notice,
    ("notify",): notices.Notify,
    **{("notify", cause): notices.Notice for cause in notices.CAUSES},
}
PARTS = ("any", "all", "not")

# How each key may be written, in every table that has it or in the one named before it; a test loads them all.
EXAMPLES = {
    "timezone": '"Europe/Berlin"',
    "bot.hours": '{ mon-fri = "09:00-17:30" }',
    "hours": '"closed"',
    "holidays": '["2026-12-25", "2026-12-26"]',
    "quiet_hours": '{ between = "22:00-07:00" }',
    "between": '"22:00-07:00"',
    "pause_after_agent": '"30m"',
    "reply_budget": '{ count = 5, per = "10m" }',
    "count": "5",
    "per": '"10m"',
    "repeated_text": "3",
    "coalesce": '"3s"',
    "coalesce_most": '"10s"',
    "responder_wait": '"8s"',
    "responder_fallback": '"Thank you, we answer soon."',
    "opt_out_words": '["BASTA"]',
    "no_opt_out_words": '["END"]',
    "opt_out_sentences": "true",
    "opt_out_per_channel": "false",
    "help_words": '["HELP", "INFO"]',
    "opt_in_words": '["START", "UNSTOP"]',
    "keywords": '["price", "how much"]',
    "channel": '["sms", "whatsapp"]',
    "first_contact": "true",
    "when.media": "true",
    "media": '"https://example.com/menu.pdf"',
    "media_type": '"image/*"',
    "button": '"Yes"',
    "button_payload": '"confirm"',
    "profile_name": '"Ann"',
    "channel_metadata": '{ type = "whatsapp" }',
    "role": '"agent"',
    "attributes": '{ tier = "gold" }',
    "participant_attributes": '{ tier = "gold" }',
    "regex": "'order \\d+'",
    "any": '[{ keywords = ["price"] }, { media = true }]',
    "all": '[{ keywords = ["price"] }, { media = false }]',
    "not": '{ keywords = ["price"] }',
    "unanswered_for": '"10m"',
    "content_sid": f'"HX{"0123456789abcdef" * 2}"',
    "variables": '{ "1" = "{{ author }}" }',
    "identity": '"ann"',
    "address": '"+15550100001"',
    "proxy_address": '"+15550100099"',
    "name": '"greeting"',
    "when": '{ keywords = ["price"] }',
    "reply": '"Hello!"',
    "template": f'{{ content_sid = "HX{"0123456789abcdef" * 2}" }}',
    "set_attributes": '{ topic = "order" }',
    "hand_over": "true",
    "pause": '"2h"',
    "add_participant": '{ identity = "ann" }',
    "close": "true",
    "stop": "true",
    "ignore_accents": "true",
    "mode": '"observe"',
    "cooldown": '"10m"',
    "quota": '{ count = 1, per = "1d" }',
    "rule.notify": '"team"',
    "to": '["team", "crm"]',
    "text": '"{{ what }}: {{ link }}"',
    **{f"notify.{cause}": '"team"' for cause in notices.CAUSES},
}
_HEADS = {"bot": "[bot]", "notify": "[notify]", "rule": "[[rule]]"}
_MOST_SHOWN = 60
_READABLE = 10**_MOST_SHOWN  # of a larger number only the beginning is shown

# Of pydantic's types of errors those that the schema can meet, and what the value is then. A test meets them all.
_SENTENCES: dict[str, Callable[[dict[str, Any]], str]] = {
    "bool_type": lambda _: "is neither true nor false",
    "dict_type": lambda _: "is not a table of names and values",
    "greater_than_equal": lambda limits: f"is too small; the least is {limits['ge']}",
    "int_type": lambda _: "is not a whole number",
    "literal_error": lambda limits: f"is not {str(limits['expected']).replace(chr(39), chr(34))}",
    "model_type": lambda _: "is not a table of keys and values",
    "string_type": lambda _: "is not a text",
    "tuple_type": lambda _: "is not a list",
}
_CONTENT_SID = "is not a ContentSid; write HX and 32 of 0-9 and a-f, as Twilio's Content Template Builder shows it"


def what_to_do(fault: Any) -> str:
    """Return the sentence for one of pydantic's faults: the wrong value where it is short, and the next step."""
    *path, key = fault["loc"]
    kind, value = fault["type"], fault["input"]
    if kind == "extra_forbidden":
        return _unknown_key(str(key), [step for step in path if isinstance(step, str)])
    if kind == "missing":
        return f"is missing; add {_example(fault['loc'])}"
    if kind in ("too_short", "string_too_short"):
        return f"is empty; write at least one, such as {_example(fault['loc'])}"
    if kind == "string_pattern_mismatch":
        return _with_value(value, _CONTENT_SID)
    if kind == "value_error":
        return _with_value(value, str(fault["ctx"]["error"]))
    said = _SENTENCES[kind](fault.get("ctx", {})) if kind in _SENTENCES else "cannot be used as it is"
    return f"{_with_value(value, said)}; write {_example(fault['loc'])}"


def _with_value(value: Any, said: str) -> str:
    """Put the value before what it is, unless the sentence names it itself or nothing stands there."""
    of_value = said.startswith(("is ", "repeats "))
    is_empty = value in ([], {}) or (isinstance(value, str) and not value.strip())
    return f"{in_toml(value)} {said}" if of_value and not is_empty else said


def in_toml(value: Any) -> str:
    """Return a value on one line as a rules file has it, shortened."""
    shown = _in_toml(value)
    return shown if len(shown) <= _MOST_SHOWN else f"{shown[:_MOST_SHOWN]}…"


def _in_toml(value: Any) -> str:
    if isinstance(value, dict):
        return (
            f"{{ {', '.join(f'{printable(key)} = {_in_toml(one)}' for key, one in value.items())} }}" if value else "{}"
        )
    if isinstance(value, list):
        return f"[{', '.join(map(_in_toml, value))}]"
    if isinstance(value, str):
        return f'"{printable(value)}"'
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value) if abs(value) < _READABLE else f"{value:#x}"  # Python writes no number of 5,000 digits
    return value.isoformat() if isinstance(value, date | time) else str(value)


def printable(text: str) -> str:
    """Return a text on one line, with TOML's escapes for what cannot be seen."""
    return "".join(char if char.isprintable() else f"\\u{ord(char):04X}" for char in text)


def _example(path: tuple[int | str, ...]) -> str:
    """Return how the key that a path leads to may be written: `keywords = ["price"]`, or `[bot]` and its keys."""
    names = [step for step in path if isinstance(step, str)]
    for name in reversed(names):
        for known in (*(f"{table}.{name}" for table in names), name):
            if known in EXAMPLES:
                return f"{name} = {EXAMPLES[known]}"
    return f"{_HEADS[names[0]]} on a line of its own, and its keys below it"


def _unknown_key(key: str, path: list[str]) -> str:
    if path[2:] and set(path[2:]) <= set(PARTS):
        path = [*path[:2], "part"]
        if key == "unanswered_for":
            return "belongs directly into when, not into any, all or not; move it there"
    known = [field.alias or name for name, field in TABLES[tuple(path)].model_fields.items()]
    close = difflib.get_close_matches(key, known, n=1)
    hint = f'write "{close[0]}"' if close else f"remove it; there are {', '.join(known)}"
    return f"is not a key of this table; {hint}"
