"""Lints a valid rules file: unreachable rules, unwanted silence, texts too long."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from app.rules import values
from app.rules.consent_words import CONSENT_WORDS
from app.rules.guards import in_words
from app.rules.reachability import (
    ANYTHING,
    CHANNELS,
    Cell,
    always_wins,
    cells,
    follows,
    holds_keyword,
    parts_of,
    possible,
    taking_all,
)
from app.rules.reply_length import MOST_CHARACTERS, longest_fixed_text
from app.rules.schema import TWILIO_ACTS_ON, TWILIO_OPT_OUT_WORDS, BotSettings, Rule, Rules, When
from app.rules.text_matching import words_of
from app.twilio_api.form import is_sid

Severity = Literal["error", "warning"]
SHORT_CHANNELS = {"sms", "whatsapp"}  # where a message has at most MOST_CHARACTERS


@dataclass(frozen=True)
class LintFinding:
    """One thing to look at: a short word for it, the rule (empty: the whole file), its line, and what to do."""

    code: str
    severity: Severity
    rule: str
    line: int | None
    problem: str


Found = Iterator[tuple[str, Severity, str]]


def lint(
    rules: Rules, *, lines: Sequence[int] = (), folder: Path | None = None, has_responder: bool = False
) -> list[LintFinding]:
    """Return what to look at, in file order, what concerns the whole file last.

    `lines` are those of each `[[rule]]`, `folder` is where media files are looked for. A responder answers what no
    rule does, so that no fallback is missing, and rules that take everything leave nothing to it.
    """
    possible_cells = cells(rules)
    findings = []
    for n, rule in enumerate(rules.rules):
        line = lines[n] if n < len(lines) else None
        found = (*_unreached(rule, rules.rules[:n], possible_cells), *_of_one(rule, rules, folder))
        findings += [LintFinding(code, severity, rule.name, line, problem) for code, severity, problem in found]
    whole = (
        *_long_fallback(rules),
        *_not_taken_away(rules.bot),
        *_without_summer_time(rules.bot),
        *(_before_the_responder(rules) if has_responder else _no_fallback(rules, possible_cells)),
    )
    return findings + [LintFinding(code, severity, "", None, problem) for code, severity, problem in whole]


def _unreached(rule: Rule, earlier: Sequence[Rule], all_cells: Sequence[Cell]) -> Found:
    reached = [cell for cell in all_cells if possible(rule.when, cell)]
    before = [one for one in earlier if one.when.unanswered_for == rule.when.unanswered_for and one.mode is None]
    if not reached:
        yield (
            "impossible",
            "warning",
            "never matches: its conditions exclude each other, or it waits for closed "
            "hours while [bot] has no hours; correct its `when`",
        )
    elif winners := _winners(rule, before, reached):
        yield (
            "unreachable",
            "warning",
            f"is never reached: {_named(winners)} before it always answers first; "
            "move it up, or give the earlier rule a cooldown or narrower conditions",
        )
    else:
        yield from _shadowed(rule, before, reached)


def _winners(rule: Rule, before: Sequence[Rule], reached: Sequence[Cell]) -> list[str]:
    """Return the earlier rules that leave nothing to this one; [] when something is left."""
    candidates = [one for one in before if always_wins(one)]
    found: dict[str, None] = {}
    for cell in reached:
        winner = next((one for one in candidates if follows(one.when, rule.when, cell)), None)
        if winner is None:
            return []
        found[winner.name] = None
    return list(found)


def _shadowed(rule: Rule, before: Sequence[Rule], reached: Sequence[Cell]) -> Found:
    for one in before:
        taken = [keyword for keyword in rule.when.keywords or () if _takes(one, keyword, rule, reached)]
        if taken:
            yield (
                "shadowed keyword",
                "warning",
                f'is not reached by {_quoted(taken)}: rule "{one.name}" before it '
                "answers a part of that; move this rule above it",
            )


def _takes(earlier: Rule, keyword: str, rule: Rule, reached: Sequence[Cell]) -> bool:
    """Return whether an earlier rule answers every message by which this keyword would reach the later one."""
    if not holds_keyword(words_of(keyword), earlier.when):
        return False
    fields = {name: getattr(rule.when, name) for name in When.model_fields}
    narrowed = When.model_construct(**fields | {"keywords": (keyword,)})
    if rule.when.ignores_accents:
        narrowed.ignore_accents()
    return all(follows(earlier.when, narrowed, cell) for cell in reached)


def _of_one(rule: Rule, rules: Rules, folder: Path | None) -> Found:
    """Yield what can be said of a rule without looking at the others."""
    yield from _too_long(rule)
    yield from _too_often(rule)
    yield from _never_heard(rule, rules.bot)
    channels = rule.when.channel
    if rule.template and (rule.reply or rule.media) and channels is not None and "whatsapp" not in channels:
        yield (
            "unused template",
            "warning",
            f"has a template, which only WhatsApp needs, but its channel is "
            f'{" or ".join(channels)}; add "whatsapp" or remove the template',
        )
    if rule.media and folder and not is_sid(rule.media, "ME") and not (folder / rule.media).is_file():
        yield (
            "missing media",
            "error",
            f'sends the file "{rule.media}", which is not there; put it beside the rules file or correct its name',
        )


def _never_heard(rule: Rule, bot: BotSettings) -> Found:
    """Yield the keywords that a rule waits for in vain when they are the whole message."""
    keywords = [keyword for part in parts_of(rule.when) for keyword in part.keywords or ()]
    channels = [one for one in rule.when.channel or CHANNELS if one in CHANNELS]
    opt_outs = [one for one in keywords if any(words_of(one) in bot.opt_outs(channel) for channel in channels)]
    if opt_outs:
        yield (
            "opt-out keyword",
            "warning",
            f"has the keyword {_quoted(opt_outs)}, which as a whole message is an "
            "opt-out word and never reaches a rule; remove it",
        )
    if opt_ins := [one for one in keywords if words_of(one) in bot.opt_ins.keys() - CONSENT_WORDS]:
        yield (
            "opt-in keyword",
            "warning",
            f"has the keyword {_quoted(opt_ins)}, which as a whole message is an opt-in word and never reaches a rule; "
            "remove it, or take it out of [bot] opt_in_words",
        )
    helps = [one for one in keywords if words_of(one) in bot.helps]
    if helps and (by_twilio := [channel for channel in channels if channel in TWILIO_ACTS_ON]):
        yield (
            "help keyword",
            "warning",
            f"has the keyword {_quoted(helps)}, which as a whole message Twilio answers on {' and '.join(by_twilio)}, "
            'where no rule is asked; limit the rule to channels where it answers (channel = ["whatsapp", "chat"])',
        )


def _too_long(rule: Rule) -> Found:
    length = longest_fixed_text(rule.reply) if rule.reply else 0
    if length > MOST_CHARACTERS and (rule.when.channel is None or SHORT_CHANNELS & set(rule.when.channel)):
        yield (
            "too long",
            "error",
            f"has a reply of {length:,} characters or more, SMS and WhatsApp take "
            f"{MOST_CHARACTERS:,}; shorten it, or limit the rule to other channels",
        )


def _long_fallback(rules: Rules) -> Found:
    length = longest_fixed_text(rules.bot.responder_fallback)
    if length > MOST_CHARACTERS:
        yield (
            "too long",
            "error",
            f"[bot]: responder_fallback has {length:,} characters or more, SMS and WhatsApp "
            f"take {MOST_CHARACTERS:,}; shorten it",
        )


def _not_taken_away(bot: BotSettings) -> Found:
    known = {words_of(word) for word in (*TWILIO_OPT_OUT_WORDS, *bot.opt_out_words)}
    if unknown := [word for word in bot.no_opt_out_words if words_of(word) not in known]:
        yield (
            "no opt-out word",
            "warning",
            f"[bot]: no_opt_out_words has {_quoted(unknown)}, which opts nobody out anyway; remove it",
        )


def _without_summer_time(bot: BotSettings) -> Found:
    if hint := values.hint_at_fixed_zone(bot.timezone.key):
        yield "no summer time", "warning", f"[bot]: timezone {hint}"


def _too_often(rule: Rule) -> Found:
    if not always_wins(rule) or rule.stop:
        return
    if rule.when.unanswered_for:
        yield (
            "endless follow-up",
            "warning",
            f"follows up after {in_words(rule.when.unanswered_for)} without a human "
            'again and again; add cooldown = "1d", or quota = 1',
        )
    elif not rule.when.given:
        yield (
            "answers everything",
            "warning",
            'answers every message that comes to it; add a cooldown such as "30m", or conditions',
        )


def responder_sentence(rules: Rules) -> str:
    """Return in a sentence when a responder is asked: rules come first, and some take every message."""
    taking, left = taking_all(rules)
    if not taking:
        return "rules come first; the responder is asked where none matches"
    names = _named([one.name for one in taking])
    takes = "takes" if len(taking) == 1 else "take"
    if left:
        return f"rules come first; {names} {takes} each message of some kind (hours, channel, ...), whatever it says"
    cooling = "" if any(always_wins(one) for one in taking) else " but for cool-downs"
    return f"rules come first; {names} {takes} every message{cooling}, whatever it says"


def _before_the_responder(rules: Rules) -> Found:
    taking, left = taking_all(rules)
    if taking and not left:
        yield (
            "responder not asked",
            "warning",
            f"BOT_RESPONDER is hardly ever asked: {responder_sentence(rules)}; remove what the responder shall answer "
            "(docs/responders.md shows a rules file for one)",
        )


def _no_fallback(rules: Rules, all_cells: Sequence[Cell]) -> Found:
    """Yield when some first message is answered by no rule unless it has certain words or attributes."""
    answers = [rule for rule in rules.rules if rule.mode is None and not rule.when.unanswered_for]
    first = [cell for cell in all_cells if cell.first_contact]
    silent = [cell for cell in first if not any(follows(rule.when, ANYTHING, cell) for rule in answers)]
    if silent:
        yield (
            "no fallback",
            "warning",
            "no rule answers a first message without certain words or attributes"
            f"{_where(silent, first)}; add a last rule that does",
        )


def _where(some: Sequence[Cell], of_all: Sequence[Cell]) -> str:
    """Return in words which of the cells these are: ", when closed, by sms or chat"."""

    def values(name: str) -> list[object]:
        found = list(dict.fromkeys(getattr(cell, name) for cell in some))
        return found if len(found) < len({getattr(cell, name) for cell in of_all}) else []

    hours = [f", when {hours}" for hours in values("hours")]
    media = [", with media" if has else ", without media" for has in values("media")]
    channels = values("channel")
    return "".join([*hours, *media, f", by {' or '.join(map(str, channels))}" if channels else ""])


def _named(names: Sequence[str]) -> str:
    return f"{'rule' if len(names) == 1 else 'rules'} {_quoted(names)}"


def _quoted(names: Sequence[str]) -> str:
    return " and ".join(f'"{name}"' for name in names)
