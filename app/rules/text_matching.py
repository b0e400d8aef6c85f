"""What can be found in a text: words and phrases as the bot compares them, and patterns within a time limit."""

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
    per character, so that a phrase of them is found anywhere. Emoji and other symbols are words.
    """
    if text.isascii():  # the same, many times faster
        return tuple(text.lower().translate(_ASCII_SPACED).split())
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return tuple("".join(map(_spaced, folded)).split())


@lru_cache(maxsize=4096)
def keyword_words(keyword: str) -> Phrase:
    """Return words_of a keyword of the rules, remembered; texts of customers are never remembered."""
    return words_of(keyword)


class Spoken:
    """The words of one message, ready to be asked for many phrases."""

    def __init__(self, text: str) -> None:
        self.words = words_of(text)

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
    if kind == "Cf" or char == "\ufe0f":  # invisible: soft hyphen, joiners, emoji style
        return ""
    if kind[0] in "PZC":
        return " "
    unspaced = "\u0e00" <= char <= "\u0eff" or "\u1000" <= char <= "\u109f" or "\u1780" <= char <= "\u17ff"
    if kind[0] == "S" or unspaced or "\u3040" <= char <= "\u30ff" or "\u3400" <= char <= "\u9fff":
        return f" {char} "
    return char


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
        raise ValueError(f'is not a regular expression: {error or type(error).__name__}; correct "{source}"') from None
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
