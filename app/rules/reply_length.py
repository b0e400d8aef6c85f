"""Reply lengths: splits replies into messages, and estimates the length of templates."""

from collections.abc import Iterator, Sequence

import regex
from jinja2 import nodes

from app.rules.templates import SANDBOX

# Source: docs/conversations-classic/conversations-limits, message body to SMS and WhatsApp (read 2026-11-22)
MOST_CHARACTERS = 1600

_GRAPHEME = regex.compile(r"\X")  # what a reader takes for one character: letter and accents, flag, family of emoji
_PARAGRAPH = regex.compile(r"(?<!\s)(?=[^\S\n]*\n[^\S\n]*\n)")
_SENTENCE = regex.compile(r"""(?<=[.!?…؟।][\p{Pe}\p{Pf}"']*)(?=\s)|(?<=[。！？][\p{Pe}\p{Pf}]*)|(?<!\s)(?=\s*\n)""")
_WORD = regex.compile(r"(?<!\s)(?=\s)")
# A telephone number as people write it; what has fewer than seven digits is none.
_NUMBER = regex.compile(r"(?<![\d.])(?:\+|\()?\d(?:[ \u00a0\u2007\u202f()./\u2010-\u2015-]{0,3}\d){6,17}(?!\d)")
_BREAK_CHARACTERS = 8  # so far behind a cut is looked for the second line break of a paragraph


def parts(text: str, most: int = MOST_CHARACTERS) -> list[str]:
    """Return the text in parts of at most `most` characters (1 or more), in their order; a blank text has none.

    Cut between paragraphs, else between sentences or lines, else between words, else between characters as a reader
    sees them; within a telephone number only where there is no other place. Nothing is lost but the white space at the
    cuts and in front.
    """
    boundaries = frozenset(one.end() for one in _GRAPHEME.finditer(text))
    within_numbers = frozenset(n for one in _NUMBER.finditer(text) for n in range(one.start() + 1, one.end()))
    found = []
    start = _after_space(text, 0, boundaries)
    while len(text) - start > most:
        cut = _cut(text, start, most, boundaries, within_numbers)
        if not text[start:cut].isspace():  # an accent on a space is more than a message of one character holds
            found.append(text[start:cut])
        start = _after_space(text, cut, boundaries)
    return [*found, text[start:]] if start < len(text) else found


def _after_space(text: str, start: int, boundaries: frozenset[int]) -> int:
    end = start
    while end < len(text) and text[end].isspace():
        end += 1
    while end > start and end not in boundaries:  # an accent may sit on a space
        end -= 1
    return end


def _cut(text: str, start: int, most: int, boundaries: frozenset[int], within_numbers: frozenset[int]) -> int:
    """Return where the part that begins at `start` ends."""
    allowed = boundaries - within_numbers
    for cuts in _cuts(text, start, most):
        if fitting := [cut for cut in cuts if start < cut <= start + most and cut in allowed]:
            return max(fitting)
    whole = range(start + most, start, -1)
    between = (cut for possible in (allowed, boundaries) for cut in whole if cut in possible)
    return next(between, start + most)  # one letter with more accents than a message has room for


def _cuts(text: str, start: int, most: int) -> Iterator[list[int]]:
    """Give the places to cut at, the best kind first; a paragraph that would leave most of a message empty is none."""
    for pattern, least in ((_PARAGRAPH, most // 4), (_SENTENCE, most // 4), (_WORD, 0)):
        yield [one.start() for one in pattern.finditer(text, start + least, start + most + _BREAK_CHARACTERS)]


def longest_fixed_text(source: str) -> int:
    """Return the characters of a reply's fixed text, of its longest branches; loops count once, values not at all."""
    return _length(SANDBOX.parse(source.strip()).body)


def _length(body: Sequence[nodes.Node]) -> int:
    return sum(map(_length_of, body))


def _length_of(node: nodes.Node) -> int:
    if isinstance(node, nodes.TemplateData):
        return len(node.data)
    if isinstance(node, nodes.Output):
        return _length(node.nodes)
    if isinstance(node, nodes.If):
        branches = [node.body, *(other.body for other in node.elif_), node.else_]
        return max(map(_length, branches))
    return _length(node.body) if isinstance(node, nodes.For) else 0
