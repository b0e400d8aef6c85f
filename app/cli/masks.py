"""What is shown in place of numbers, names and text, so that a terminal can be shared."""

from __future__ import annotations

import re

_NUMBER = re.compile(r"((?:\w+:)?\+?\d{4})\d+(\d{4})")


def mask_name(name: str) -> str:
    """Return a number as +1555…0001, any other identity as its first two characters; "" stays empty."""
    number = _NUMBER.fullmatch(name)
    if number:
        return f"{number[1]}…{number[2]}"
    return f"{one_line(name[:2])}…" if name else ""


def mask_text(text: str) -> str:
    """Return only how long the text is."""
    return f"({len(text)} characters)"


def one_line(text: str) -> str:
    """Return the text on one line, without what could steer a terminal."""
    return "".join(char if char.isprintable() else "�" for char in " ".join(text.split()))
