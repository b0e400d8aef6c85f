"""What the app decided about a recorded message, kept beside the recording, and how another decision differs."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from app.recordings.files import Unreadable
from app.store import messages, replies

_UNSENT = ("intended", "sending")


@dataclass(frozen=True)
class Decided:
    """One decision as far as it can be compared: its code, its rule, and whether a reply went out."""

    code: str
    rule: str
    replied: bool

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
    return json.dumps(asdict(decided), ensure_ascii=False, indent=2) + "\n"


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
    if not isinstance(document, dict) or {name: type(value) for name, value in document.items()} != wanted:
        raise Unreadable(f'{path} is not {{"code": "...", "rule": "...", "replied": true or false}}')
    return Decided(**document)


def of_message(tx: Connection, message_sid: str) -> Decided | None:
    """Return what was decided about a message, or None."""
    decision = messages.decision(tx, message_sid)
    if decision is None:
        return None
    states = {reply.state for reply in replies.replies_to(tx, message_sid, timer_seconds=0)}
    return Decided(decision.code, decision.rule, "sent" in states)


def is_settled(tx: Connection, message_sid: str) -> bool:
    """Return whether a message is decided and none of its replies is still on its way."""
    if messages.decision(tx, message_sid) is None:
        return False
    return not any(reply.state in _UNSENT for reply in replies.replies_to(tx, message_sid))


def difference(expected: Decided | None, decided: Decided | None) -> str:
    """Return in one line how a decision differs from what was expected; "" when it does not, or nothing was."""
    if expected is None or expected == decided:
        return ""
    return f"expected {expected}; got {decided or 'no decision'}"
