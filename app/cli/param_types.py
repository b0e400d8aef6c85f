"""A choice among known names that names the nearest one when it is given a wrong one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Any

import click


class NearestChoice(click.ParamType):
    """One of these names, exactly as they are written."""

    name = "NAME"

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if value not in self.names:
            self.fail(f"{value!r} is unknown; {suggestion(value, self.names)}", param, ctx)
        return str(value)


def nearest(name: str, names: Iterable[str], *, cutoff: float = 0.6) -> str | None:
    """Return the name that this one was probably meant to be, or None."""
    by_lower = {known.lower(): known for known in names}
    found = get_close_matches(name.lower(), by_lower, n=1, cutoff=cutoff)
    return by_lower[found[0]] if found else None


def suggestion(name: str, names: Sequence[str]) -> str:
    """Return what to write instead: the nearest name, else all of them."""
    meant = nearest(name, names)
    return f"did you mean {meant}?" if meant else f"known are {', '.join(names)}"
