"""Placeholder words for recorded texts: the meaning goes, the shape stays."""

import unicodedata
from collections.abc import Sequence

from app.rules.text_matching import words_of

# Two for each class, so that a word is never its own stand-in: (up to so many letters, in ASCII, beyond ASCII).
_WORDS = (
    (2, ("et", "ut"), ("ét", "út")),
    (5, ("lorem", "ipsum"), ("lörem", "ipsüm")),
    (10**9, ("consectetur", "accumsan"), ("consectetür", "accümsan")),
)
_SYMBOL, _OTHER_SIGN = ("🙂", "☺"), ("·", "–")


def neutral_word(word: str) -> str:
    """Return a stand-in of the same class: length class, capitals, digits or letters, ASCII or beyond."""
    if word.isdigit():
        return _other_than(word, ("5" * len(word), "7" * len(word)))
    _, plain, marked = next(row for row in _WORDS if len(word) <= row[0])
    stand_in = _other_than(word.casefold(), plain if word.isascii() else marked)
    if len(word) > 1 and word.isupper():
        return stand_in.upper()
    return stand_in.capitalize() if word[0].isupper() else stand_in


def neutral_signs(signs: str) -> str:
    """Return a stand-in for a run of signs: one or two in ASCII stay, a longer run becomes its first."""
    if signs.isascii():
        return signs if len(signs) <= 2 else signs[0]
    has_symbol = any(unicodedata.category(sign)[0] == "S" for sign in signs)
    return _other_than(signs, _SYMBOL if has_symbol else _OTHER_SIGN)


def neutral_space(space: str) -> str:
    """Return the first of a run of blanks; line breaks stay line breaks."""
    return "\n" if "\n" in space else " "


def kept_words(tokens: Sequence[str], phrases: Sequence[tuple[str, ...]]) -> dict[int, str]:
    """Return the tokens, by position, that belong to one of the phrases, each with what of it may stay.

    Phrases are words as the rules compare them. Where words have no spaces between them, a token may hold
    more than the phrase: then only the phrase's own words stay.
    """
    flat = [(n, word) for n, token in enumerate(tokens) for word in words_of(token)]
    covered: set[int] = set()
    for phrase in phrases:
        for start in range(len(flat) - len(phrase) + 1):
            if tuple(word for _, word in flat[start : start + len(phrase)]) == phrase:
                covered.update(range(start, start + len(phrase)))
    kept: dict[int, str] = {}
    for position in {flat[place][0] for place in covered}:
        own = [(place, word) for place, (n, word) in enumerate(flat) if n == position]
        ours = [word for place, word in own if place in covered]
        kept[position] = tokens[position] if len(ours) == len(own) else "".join(ours)
    return kept


def _other_than(original: str, stand_ins: tuple[str, str]) -> str:
    return stand_ins[1] if original == stand_ins[0] else stand_ins[0]
