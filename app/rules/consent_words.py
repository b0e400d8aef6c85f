"""Recognizes opt-out and opt-in words, and texts that read like a wish to be left alone."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence, Set
from typing import Literal

from app.rules.opt_out_phrases import ABOUT_MESSAGES, COURTESY, WISHES
from app.rules.schema import TWILIO_ACTS_ON, BotSettings
from app.rules.text_matching import Phrase, without_accents, words_of

Kind = Literal["opt-out word", "help word", "opt-in word", ""]
Wanted = Literal["out", "in", "perhaps out", ""]

CONSENT_WORDS = {words_of("yes")}  # an ordinary answer, unless the writer had opted out
SEARCHED_CHARS = 2_000  # of a message; who wants silence says so at once
_LONGEST = max(map(len, WISHES))
_BEGINNINGS = frozenset(phrase[0] for phrase in WISHES)
_TELLING = frozenset(max(phrase, key=len) for phrase in WISHES)  # of each phrase the word that is seen least elsewhere
# "stooop", "STOPPP": as emphatic people write it.
_STRETCHED = re.compile(r"s+t+o+p+")
# Letters that are not those of "stop" and look like them, as they are written by mistake or to pass a filter.
_LOOK_ALIKES = str.maketrans("0оοѕтτрρ🆂🆃🅾🅿🅢🅣🅞🅟🇸🇹🇴🇵", "ooosttppstopstopstop")
_STOP = re.compile(r"s+\W?t+\W?o+\W?p+", re.IGNORECASE)
# "STOP, thanks", "Stop - you have the wrong number": each part is looked at by itself. "opt-out" is one part.
_PARTS = re.compile(r"[.!?…;:,\n\r\u061f\u3002\uff01]+|\s[-\u2013\u2014~|/]+\s?")
# What telephones and mail programs add by themselves.
_SIGNATURE = re.compile(
    r"\n--[ ]?\n.*\Z|(?:^|[\s.,!~-])(?:(?:sent|gesendet|envoy[ée]|enviado|inviato|verzonden|g[öo]nderildi)"
    r"\s+(?:from|via|using|with|von|mit|de|depuis|desde|do|da|dal|vanaf|met)\s[^\n]{1,60}"
    r"|get outlook for [^\n]{1,20}|von meine[mr] [^\n]{1,40} gesendet)\s*\Z",
    re.IGNORECASE | re.DOTALL,
)


def kind_of(words: Phrase, bot: BotSettings, channel: str, *, opted_out: bool) -> Kind:
    """Return which of the words it is that have a meaning of their own as a whole message, or ""."""
    if words in bot.opt_outs(channel):
        return "opt-out word"
    if channel in TWILIO_ACTS_ON and words in bot.helps:
        return "help word"
    if words in bot.opt_ins and (opted_out or words not in CONSENT_WORDS):
        return "opt-in word"
    return ""


def wish_in(text: str, bot: BotSettings, channel: str, words: Phrase | None = None) -> str:
    """Return the words by which a text reads like a wish to opt out ("stop", "leave me alone"), or "".

    A wish is an opt-out word with nothing but politeness, emoji or a signature around it, or a part of the text that
    says nothing but one of the WISHES. "Where does the bus stop?" is none. `words` are those of the text, where known.
    """
    if not bot.opt_out_sentences or not _may_wish(text, words_of(text) if words is None else words, bot):
        return ""
    said = _SIGNATURE.sub("", text[:SEARCHED_CHARS])
    whole = _plain(said)
    if whole in bot.opt_outs(channel):
        return bot.opt_outs(channel)[whole]
    if _TELLING.isdisjoint(whole):
        return _polite_word(whole, bot, channel)
    meant = WISHES - bot.taken_away(channel)
    parts = (part for part in map(_plain, _PARTS.split(said)) if not _TELLING.isdisjoint(part))
    wishes = (_wish_of(part, meant) for part in (*parts, whole))
    return next(filter(None, wishes), "") or _polite_word(whole, bot, channel)


def wanted_by(text: str, bot: BotSettings, channel: str) -> Wanted:
    """Return whether a text alone opts its author out or in, or may be meant to; "" when it does nothing of it."""
    words = words_of(text)
    kind = kind_of(words, bot, channel, opted_out=True)
    if kind in ("opt-out word", "opt-in word"):
        return "out" if kind == "opt-out word" else "in"
    return "perhaps out" if wish_in(text, bot, channel, words) else ""


def word_of(texts: Sequence[str], bot: BotSettings, channel: str, kind: str) -> str:
    """Return the word by which these texts opt out or in, as it is written in the rules: the last one counts."""
    known = bot.opt_outs(channel) if kind == "opt-out word" else bot.opt_ins
    return next((known[words] for words in map(words_of, reversed(texts)) if words in known), "")


def newest_wish(texts: Iterable[str], bot: BotSettings, channel: str) -> Wanted:
    """Return what somebody who has said these texts, the newest first, wants in the end."""
    wishes = (wanted_by(text, bot, channel) for text in texts)
    return next(filter(None, wishes), "")


def _may_wish(text: str, words: Phrase, bot: BotSettings) -> bool:
    """Return quickly whether a text deserves a closer look; hardly any does."""
    said = without_accents(words)
    has_known_word = not (_TELLING.isdisjoint(said) and bot.opt_out_beginnings.isdisjoint(said))
    return has_known_word or bool(_STOP.search(text.casefold().translate(_LOOK_ALIKES)))


def _plain(text: str) -> Phrase:
    words = without_accents(words_of(text))
    if _STRETCHED.fullmatch("".join(words).translate(_LOOK_ALIKES)):  # also in signs that are words of their own
        return ("stop",)
    if words and all(word.isascii() and len(word) == 1 for word in words):  # "S T O P"
        words = ("".join(words),)
    return tuple("stop" if _STRETCHED.fullmatch(word.translate(_LOOK_ALIKES)) else word for word in words)


def _wish_of(words: Phrase, meant: Set[Phrase]) -> str:
    """Return the wish that words are all about, or "" when they speak of something else as well."""
    found, n = "", 0
    while n < len(words):
        phrase = next(_phrases_at(words, n, meant), None)
        if phrase is not None:
            found = found or " ".join(phrase)
            n += len(phrase)
        elif words[n] in COURTESY or words[n] in ABOUT_MESSAGES or _is_symbol(words[n]):
            n += 1
        else:
            return ""
    return found


def _phrases_at(words: Phrase, n: int, meant: Set[Phrase]) -> Iterator[Phrase]:
    """Yield the phrases that begin at a word, the longest first."""
    if words[n] in _BEGINNINGS:
        for size in range(min(_LONGEST, len(words) - n), 0, -1):
            if words[n : n + size] in meant:
                yield words[n : n + size]


def _polite_word(words: Phrase, bot: BotSettings, channel: str) -> str:
    """Return the opt-out word that is left when politeness and emoji are taken away, or "": also "cancel, please"."""
    left = tuple(word for word in words if not (word in COURTESY or _is_symbol(word)))
    if len(left) == len(words):
        return ""
    opt_outs = {without_accents(one): word for one, word in bot.opt_outs(channel).items()}
    return opt_outs.get(left, "")


def _is_symbol(word: str) -> bool:
    return not any(map(str.isalnum, word))
