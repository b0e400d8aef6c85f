"""What an address asks for, made safe to look for: no database takes every number and every character."""

from __future__ import annotations

from flask import request

LARGEST_ID = 2**63 - 1


def number_asked(name: str) -> int | None:
    """Return a number of the query, or None for what is none."""
    number = request.args.get(name, type=int)
    return None if number is None else min(max(number, 0), LARGEST_ID)


def text_asked(name: str) -> str:
    """Return a text of the query, at most 64 characters of it."""
    return request.args.get(name, "").replace("\0", "").strip()[:64]
