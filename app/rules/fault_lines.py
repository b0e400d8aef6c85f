"""Finds the line of the rules file that an error is about."""

import re
from collections.abc import Sequence
from functools import lru_cache

# What is no structure: texts, of one line and of several, and comments.
_TEXT = re.compile(r'"""(?:\\.|[^\\])*?"""|\'\'\'.*?\'\'\'|"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\'|#[^\n]*', re.DOTALL)
_KEY_FOLLOWS = re.compile(r"\s*[=.\]]")


def line_of(text: str, path: Sequence[int | str], start: int, end: int | None = None) -> int:
    """Return the line of what a path of keys and list positions leads to, between two lines of the file.

    `start` is the line where the table begins, `end` the one after it (None: that of the last line). What is not
    found, as a key that is missing, is where its table begins.
    """
    bones = _structure(text)
    here, last = _offset(bones, start), len(bones) if end is None else _offset(bones, end)
    found = here
    for step in path:
        at = _entry(bones, here, last, step) if isinstance(step, int) else _key(bones, here, last, step)
        if at is None:
            break
        found, here = at
    return bones.count("\n", 0, found) + 1


def line_of_table(text: str, name: str) -> int:
    """Return the line of `[name]`, 1 where the file has none."""
    head = re.search(rf"^\s*\[\s*{re.escape(name)}\s*\]", _structure(text), re.MULTILINE)
    return _structure(text).count("\n", 0, head.end()) + 1 if head else 1


@lru_cache(maxsize=4)
def _structure(text: str) -> str:
    """Return the text with spaces in place of what its texts and comments say; every place and line stays."""

    def blank(found: re.Match[str]) -> str:
        whole = found[0]
        if whole[0] in "\"'" and "\n" not in whole and _KEY_FOLLOWS.match(text, found.end()):
            return f" {whole[1:-1]} "  # a quoted key
        inner = re.sub(r"[^\n]", " ", whole[1:-1] if len(whole) > 1 else "")
        mark = '"' if whole[0] in "\"'" else " "
        return mark + inner + mark * (len(whole) > 1)

    return _TEXT.sub(blank, text)


def _offset(bones: str, line: int) -> int:
    place = 0
    for _ in range(line - 1):
        place = bones.find("\n", place) + 1
    return place


def _key(bones: str, here: int, last: int, name: str) -> tuple[int, int] | None:
    """Return where a key begins, and where its value does."""
    found = re.compile(rf"(?<![\w-]){re.escape(name)}(?![\w-])\s*(?=[=.\]])").search(bones, here, last)
    return (found.start(), found.end()) if found else None


def _entry(bones: str, here: int, last: int, number: int) -> tuple[int, int] | None:
    """Return where an entry of the list that is the value here begins, twice; None where the value is no list."""
    head = re.compile(r"\s*=\s*\[").match(bones, here, last)
    if head is None:
        return None
    place = _entry_after(bones, head.end(), last, number)
    while place < last and bones[place].isspace():
        place += 1
    return place, place


def _entry_after(bones: str, here: int, last: int, number: int) -> int:
    depth = 0
    for place in range(here, last):
        if number == 0:
            return place
        if bones[place] == "," and depth == 0:
            number -= 1
        depth += (bones[place] in "[{") - (bones[place] in "]}")
    return here
