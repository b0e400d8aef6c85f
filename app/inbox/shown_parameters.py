"""The parameters of a stored webhook as they may be shown to anybody who operates the bot: no text, name or number."""

from __future__ import annotations

import re

from app.twilio_api.form import Form

_PLAIN = re.compile(r"EventType|Index|RetryCount|Seconds|Source|Status|ErrorCode|Reason|State.*|Date.*|.*Sid")


def shown(form: Form, *, raw: bool = False, hint: str = "") -> list[tuple[str, str]]:
    """Return name and value of each parameter; in place of what may be private its length, and the hint. All if `raw`.

    What is no Unicode is replaced, so that it can be written anywhere.
    """
    return [
        (_sound(name), _sound(value if raw or _PLAIN.fullmatch(name) else _length(value, hint))) for name, value in form
    ]


def _length(value: str, hint: str) -> str:
    return f"({len(value)} characters{hint})"


def _sound(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
