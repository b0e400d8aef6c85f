"""Formats a decision for the terminal: each rule tried with the first condition not met, what is sent and done."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from app.cli.output import one_line


def tried_lines(tried: Sequence[tuple[str, str]], observed: Collection[str], code: str) -> Iterator[str]:
    """Yield a line for each rule or guard: ">" decided, "x" stopped it, "o" only observes, "-" does not apply."""
    width = max((len(name) for name, _ in tried), default=0)
    for name, failed in tried:
        mark = "o" if name in observed else "-" if failed else "x" if name == code else ">"
        words = failed or ("keeps the bot silent" if mark == "x" else "matches")
        yield f"  {mark} {one_line(name):<{width}}  {one_line(words)}"


def content_lines(body: str | None, media: str, content_sid: str, variables: Mapping[str, str]) -> Iterator[str]:
    """Yield what one message of ours says, indented; each line of its text is a line."""
    yield from (f"    {one_line(line)}" for line in (body or "").splitlines())
    if media:
        yield f"    media {media}"
    if content_sid:
        yield f"    template {content_sid}{_written(variables)}"


def action_line(kind: str, arguments: Any) -> str:
    """Return one action with what it is done with: "set_attributes status = ..."."""
    return f"{kind}{_written(arguments)}"


def _written(values: Mapping[str, Any]) -> str:
    pairs = (f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in values.items())
    return f" {', '.join(pairs)}" if values else ""
