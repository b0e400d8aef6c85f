"""The decision expected for a recorded message, kept beside the recording, and how another one differs."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from app.db.database import Record
from app.recordings.files import Unreadable
from app.store import messages, replies
from app.store.messages import DecisionKey

_UNSENT = ("intended", "sending")
# How decisions tell of what had been said and done before: rules/conditions.py and guards.py say it in these words.
_HISTORY_CODES = ("paused", "opted out", "closed", "repeated text", "reply budget", messages.PART_OF_BURST)
_HISTORY_FAILURES = ("cool-down, ", "quota, ", "not the first contact", "the first contact")


@dataclass(frozen=True)
class Decided:
    """One decision as far as it can be compared: its code, its rule, and whether a reply went out.

    `history` tells what of it came from before the message: the rules that it kept silent, or its own code -> why.
    """

    code: str
    rule: str
    replied: bool
    history: Mapping[str, str] = field(default_factory=dict, compare=False)

    def __str__(self) -> str:
        """Return it in a few words: `rule order`, or the reason to be silent."""
        if self.code == "replied":
            return f"rule {self.rule}" if self.replied else f"rule {self.rule}, not sent"
        return f"silent: {self.code}"


def path_beside(recording: Path) -> Path:
    """Return where the expected decision on a recording is kept."""
    return recording.with_suffix(".json")


def render(decided: Decided) -> str:
    """Return the text of the file that read() reads back."""
    document: dict[str, Any] = {"code": decided.code, "rule": decided.rule, "replied": decided.replied}
    if decided.history:
        document["history"] = dict(decided.history)
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"


def read(recording: Path) -> Decided | None:
    """Return the decision stored beside a recording, None when there is none. Raises Unreadable."""
    path = path_beside(recording)
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise Unreadable(f"{path} cannot be read as JSON: {error}") from error
    return _decided(document, path)


def _decided(document: Any, path: Path) -> Decided:
    wanted = {"code": str, "rule": str, "replied": bool}
    kinds = {name: type(value) for name, value in document.items()} if isinstance(document, dict) else {}
    if kinds not in (wanted, wanted | {"history": dict}):
        raise Unreadable(f'{path} is not {{"code": "...", "rule": "...", "replied": true or false}}')
    return Decided(**document)


def of_message(tx: Connection, message_sid: str, recorded: Collection[str] | None = None) -> Decided | None:
    """Return what was decided about a message, or None.

    With the SIDs of all messages that are `recorded`, `history` is empty where nothing else came before in its
    conversation.
    """
    key = DecisionKey(message_sid)
    decision = messages.decision(tx, key)
    if decision is None:
        return None
    states = {reply.state for reply in replies.replies_of(tx, key)}
    is_known = recorded is not None and messages.decided_before(tx, decision) <= set(recorded)
    return Decided(decision.code, decision.rule, "sent" in states, {} if is_known else _history(tx, decision))


def _history(tx: Connection, decision: Record) -> dict[str, str]:
    failures = {name: failed for name, failed in decision.tried if failed.startswith(_HISTORY_FAILURES)}
    if decision.code in _HISTORY_CODES:
        failures[decision.code] = decision.reason
    elif messages.has_burst(tx, decision.message_sid):
        failures[decision.code] = "decided together with the messages after it"
    return failures


def is_settled(tx: Connection, message_sid: str) -> bool:
    """Return whether a message is decided and none of its replies is still on its way."""
    if messages.decision(tx, DecisionKey(message_sid)) is None:
        return False
    return not any(reply.state in _UNSENT for reply in replies.replies_to(tx, message_sid))


def difference(expected: Decided | None, decided: Decided | None) -> str:
    """Return in one line how a decision differs from what was expected; "" when it does not, or nothing was."""
    if expected is None or expected == decided:
        return ""
    return f"expected {expected}; got {decided or 'no decision'}"


def explanation(expected: Decided | None, decided: Decided | None, *, time_passes: bool) -> str:
    """Return why two decisions differ though nothing has changed, or "".

    What came before a recording is not in it; and where no time passes between its messages, what cools down is warm.
    """
    if expected is None or decided is None or expected == decided:
        return ""
    if because := _reason_of_difference(expected, decided):
        return f"what came before is not recorded: {because}"
    because = "" if time_passes else _reason_of_difference(decided, expected)
    return f"no time passes between messages that are replayed: {because}" if because else ""


def _reason_of_difference(one: Decided, other: Decided) -> str:
    """Return what kept a decision from being the other one."""
    key = one.code if one.code in one.history else other.rule
    if key not in one.history:
        return ""
    return one.history[key] if key == one.code else f'rule "{key}": {one.history[key]}'
