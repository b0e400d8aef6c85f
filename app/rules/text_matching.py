"""Text matching for rules: keywords and phrases, and regular expressions within a time limit."""

from __future__ import annotations

import re
import time
import unicodedata
from collections.abc import Sequence
from functools import cached_property, lru_cache
from typing import Literal

import regex

Phrase = tuple[str, ...]


def words_of(text: str) -> Phrase:
    """Return the words of a text as they are compared: without case, width, punctuation or spacing.

    Scripts that put no spaces between words (Chinese, Japanese, Thai, Lao, Khmer, Burmese) give one word
    per character, so that a phrase of them is found anywhere. Emoji and other symbols are words, and so are "%" and
    the "#" of "C#"; a digit is the same in every script and on a key ("1\ufe0f\u20e3").
    """
    if "#" in text:
        text = _SHARP.sub("\u266f", text)
    if text.isascii():  # the same, many times faster
        return tuple(text.lower().translate(_ASCII_SPACED).split())
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text.translate(_APOSTROPHES)).casefold())
    return tuple("".join(map(_spaced, folded.replace("i\u0307", "i").translate(_CASELESS))).split())


def without_accents(words: Phrase) -> Phrase:
    """Return the words without accents and vowel points: "café" is "cafe", "łódź" is "lodz", "ёж" is "еж"."""
    return tuple(filter(None, map(_bare, words)))


class Spoken:
    """The words of one message, ready to be asked for many phrases."""

    def __init__(self, words: Phrase) -> None:
        self.words = words

    @cached_property
    def without_accents(self) -> Spoken:
        """The same message without accents."""
        return Spoken(without_accents(self.words))

    @cached_property
    def _places(self) -> dict[str, list[int]]:
        places: dict[str, list[int]] = {}
        for place, word in enumerate(self.words):
            places.setdefault(word, []).append(place)
        return places

    def has_any_of(self, phrases: Sequence[Phrase]) -> bool:
        """Return whether one of the phrases stands in the text, its words side by side."""
        places = self._places
        for phrase in phrases:  # noqa: SIM110 - asked for every rule, and a generator takes half as long again
            if phrase[0] in places and self._has(phrase):
                return True
        return False

    def _has(self, phrase: Phrase) -> bool:
        places, words = self._places, self.words
        for word in phrase:
            if word not in places:
                return False
        rarest = min(range(len(phrase)), key=lambda n: len(places[phrase[n]]))
        starts = (place - rarest for place in places[phrase[rarest]])
        return any(start >= 0 and words[start : start + len(phrase)] == phrase for start in starts)


@lru_cache(maxsize=8192)
def _spaced(char: str) -> str:
    kind = unicodedata.category(char)
    if kind in ("Cf", "Me") or char in _UNSEEN:  # invisible, or a frame: soft hyphen, joiners, emoji style, keycap
        return ""
    if char in _SYMBOLS:
        return f" {_SYMBOLS[char]} "
    if kind[0] in "PZC":
        return " "
    if kind in ("Nd", "No") and (number := unicodedata.numeric(char)).is_integer():
        return str(int(number))
    unspaced = "\u0e00" <= char <= "\u0eff" or "\u1000" <= char <= "\u109f" or "\u1780" <= char <= "\u17ff"
    if kind[0] == "S" or unspaced or "\u3040" <= char <= "\u30ff" or "\u3400" <= char <= "\u9fff":
        return f" {char} "
    return char


def _bare(word: str) -> str:
    if word.isascii():
        return word
    kept = _ACCENTS.sub("", unicodedata.normalize("NFD", word))
    return unicodedata.normalize("NFC", kept).translate(_STROKES)


def _greek_without_tonos() -> dict[int, str]:
    """Return the small Greek letters with an accent: capitals are written without."""
    found = {}
    for code in (*range(0x370, 0x400), *range(0x1F00, 0x2000)):
        apart = unicodedata.normalize("NFD", chr(code))
        if "\u0301" in apart and apart[0].isalpha():
            found[code] = unicodedata.normalize("NFC", apart.replace("\u0301", ""))
    return found


_SHARP = re.compile(r"(?<=\w)#")
# What telephones and keyboards give for an apostrophe; NFKC would make a space and an accent of some.
_APOSTROPHES = dict.fromkeys(map(ord, "`\u00b4\u02b9\u02bb\u02bc\u02bd\u02ca\u02cb\u0384\u1fbd\u1fef\u1ffd\u1ffe"), "'")
_UNSEEN = frozenset({"\u0640", *map(chr, range(0xFE00, 0xFE10))})  # Arabic's lengthening stroke, variation selectors
_SYMBOLS = {"%": "%", "\u2030": "\u2030", "\U0001f51f": "10", "`": ""}
# Source: Unicode's SpecialCasing.txt and the Core Specification, 5.18 "Case Mappings": Turkish pairs dotted and
# dotless i otherwise, Greek capitals lose their tonos (read 2026-11-29).
_CASELESS = {ord("\u0131"): "i"} | _greek_without_tonos()
# Latin, Greek and Cyrillic accents, Hebrew and Arabic vowel points; "й" is a letter of its own.
_ACCENTS = re.compile("(?<!\u0438)\u0306|[\u0300-\u0305\u0307-\u036f\u0591-\u05bd\u05bf-\u05c7\u064b-\u065f\u0670]")
_STROKES = str.maketrans(
    {"\u0142": "l", "\u00f8": "o", "\u0111": "d", "\u0127": "h", "\u0167": "t", "\u00e6": "ae", "\u0153": "oe"}
)
_ASCII_SPACED = {number: _spaced(chr(number)) for number in range(128)}


SEARCHED_CHARS = 4_000  # of a message; what stands behind them is not searched
SECONDS_PER_PATTERN = 0.05
SECONDS_PER_DECISION = 0.25  # for all patterns together; a search that finds no time left was too slow as well
MAX_PATTERN_CHARS = 1_000
MAX_PATTERN_STEPS = 10_000  # counted repeats are written out when a pattern is compiled: a{999999999} fills the memory

Found = Literal["found", "not found", "too slow"]


def checked_pattern(source: str) -> str:
    """Return the pattern as given, or raise ValueError with what is wrong with it."""
    if not source.strip():
        raise ValueError("is empty; write what shall be found")
    if len(source) > MAX_PATTERN_CHARS:
        raise ValueError(f"is longer than {MAX_PATTERN_CHARS} characters; split it into several")
    if _steps(source) > MAX_PATTERN_STEPS:
        raise ValueError("repeats too much; make the numbers in {} smaller")
    try:
        compiled_pattern(source)
    except (regex.error, ValueError, OverflowError, RecursionError, MemoryError, KeyError) as error:
        raise ValueError(f"is not a regular expression: {str(error) or 'it is too deep'}; correct it") from None
    return source


@lru_cache(maxsize=4096)
def compiled_pattern(source: str) -> regex.Pattern[str]:
    """Return the compiled pattern: it ignores case as Unicode has it ("ß" is "SS")."""
    return regex.compile(unicodedata.normalize("NFC", source), regex.IGNORECASE | regex.FULLCASE)


def _steps(source: str) -> int:
    """Return how long the pattern would be with its counted repeats written out; roughly, to find a monster."""
    sizes, last = [0], 0
    for token in re.finditer(r"\\.|\[(?:\\.|[^\]])*\]|\{(\d*)(?:,(\d*))?\}|.", source, re.DOTALL):
        if token[0] == "(":
            sizes.append(0)
            continue
        if token[1] is not None:
            times = max(int(number or 1) for number in (token[1], token[2] or 1))
            sizes[-1] += last * (times - 1)
            last *= times
            continue
        last = sizes.pop() if token[0] == ")" and len(sizes) > 1 else 1
        sizes[-1] += last
    return sum(sizes)


class Search:
    """What patterns find in one text: each is searched once, within its own time and that of the decision."""

    def __init__(self, text: str) -> None:
        self._text = unicodedata.normalize("NFC", text[:SEARCHED_CHARS])
        self._left = SECONDS_PER_DECISION
        self._known: dict[str, Found] = {}

    def result(self, source: str) -> Found:
        """Return whether the pattern is found anywhere in the text, or that it took too long to say."""
        if source not in self._known:
            began = time.monotonic()
            self._known[source] = self._search(source)
            self._left -= time.monotonic() - began
        return self._known[source]

    def _search(self, source: str) -> Found:
        if self._left <= 0:
            return "too slow"
        try:
            found = compiled_pattern(source).search(self._text, timeout=min(SECONDS_PER_PATTERN, self._left))
        except (TimeoutError, RecursionError, MemoryError):
            return "too slow"
        return "found" if found else "not found"
