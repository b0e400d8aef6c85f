"""Words of a text as the bot compares them, and where a phrase stands among them; it knows no rules."""

import unicodedata
from collections.abc import Sequence
from functools import cached_property, lru_cache

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
