"""Decides what to answer: a message, what is known of its conversation and the rules -> a reply, or none and why.

Pure: no network, no database, no clock. What may never be answered is in guards.py, what a rules file may say
in rules_file.py.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from app.guards import Asked, Known, Message, Policy, changed_guards, channel_of, first_stop, in_words, writer_of
from app.reply_template import ReplyError, render_reply
from app.rules_file import Bot, Rule, Rules, keyword_words, words_of

__all__ = [
    "Decision",
    "Known",
    "Message",
    "Policy",
    "Tried",
    "changed_guards",
    "channel_of",
    "decide",
    "is_open",
    "writer_of",
]


@dataclass(frozen=True)
class Tried:
    """A guard or rule that was asked, and the first condition that failed; empty: it decided."""

    name: str
    failed: str


@dataclass(frozen=True)
class Decision:
    """The reply, or None with the reason; `code` is the short stable word for it ("replied", "paused", ...)."""

    reply: str | None
    rule: str
    reason: str
    tried: tuple[Tried, ...]
    code: str


def decide(message: Message, known: Known, rules: Rules, policy: Policy, now: datetime) -> Decision:
    """Return the one reply to a message, or None with the reason: guards first, then the rules in file order.

    `now` is aware. The guards stop a reply whatever the rules say; the first rule whose conditions hold and
    whose cool-down has passed answers.
    """
    asked = Asked(message, known, rules.bot, policy, now.astimezone(UTC), words_of(message.text))
    if stop := first_stop(asked):
        code, reason = stop
        return Decision(None, "", reason, (Tried(code, ""),), code)
    tried: list[Tried] = []
    for rule in rules.rules:
        failed = _first_failure(rule, asked)
        tried.append(Tried(rule.name, failed))
        if not failed:
            return _answer(rule, asked, tuple(tried))
    return Decision(None, "", "no rule matched", tuple(tried), "no rule")


def _answer(rule: Rule, asked: Asked, tried: tuple[Tried, ...]) -> Decision:
    try:
        reply = render_reply(rule.reply, _values(asked))
    except ReplyError as error:
        reason = f'reply template of rule "{rule.name}" failed: {error}'
        return Decision(None, rule.name, reason, tried, "template failed")
    if not reply:
        return Decision(None, rule.name, f'rule "{rule.name}" says nothing here', tried, "empty reply")
    return Decision(reply, rule.name, f'rule "{rule.name}" matched', tried, "replied")


def _values(asked: Asked) -> dict[str, object]:
    return {
        "author": asked.message.author,
        "text": asked.message.text,
        "channel": asked.message.channel,
        "first_contact": asked.known.first_contact,
        "hours": _hours(asked),
        "friendly_name": asked.known.friendly_name,
        "attributes": asked.known.attributes,
        "now": asked.now.astimezone(asked.bot.timezone),
    }


def _hours(asked: Asked) -> str:
    return "open" if is_open(asked.bot, asked.now) else "closed"


def _first_failure(rule: Rule, asked: Asked) -> str:
    return next((failed for failed in _failures(rule, asked) if failed), "")


def _failures(rule: Rule, asked: Asked) -> Iterator[str]:
    when, message = rule.when, asked.message
    if when.keywords is not None and not any(_contains(asked.words, keyword_words(word)) for word in when.keywords):
        yield "none of its keywords"
    if when.channel is not None and message.channel not in when.channel:
        yield f"the channel is {message.channel}, not {' or '.join(when.channel)}"
    if when.hours is not None and when.hours != _hours(asked):
        yield f"we are {_hours(asked)}"
    if when.first_contact is not None and when.first_contact != asked.known.first_contact:
        yield "not the first contact" if when.first_contact else "the first contact"
    yield _cool_down(rule, asked)


def _contains(words: tuple[str, ...], phrase: tuple[str, ...]) -> bool:
    return any(words[start : start + len(phrase)] == phrase for start in range(len(words) - len(phrase) + 1))


def _cool_down(rule: Rule, asked: Asked) -> str:
    fired_at = asked.known.rule_fired_at.get(rule.name)
    if rule.cooldown is None or fired_at is None or asked.now - fired_at >= rule.cooldown:
        return ""
    return f"cool-down, {in_words(rule.cooldown - (asked.now - fired_at))} left"


def is_open(bot: Bot, now: datetime) -> bool:
    """Return whether the opening hours hold at `now` (aware), read off a clock on the wall of the bot's time zone.

    A holiday is closed all day, and a span that would begin on it does not run on after midnight either.
    """
    local = now.astimezone(bot.timezone)
    today, minute = local.date(), local.hour * 60 + local.minute
    if bot.hours is None or today in bot.holidays:
        return today not in bot.holidays
    yesterday = today - timedelta(days=1)
    return any(start <= minute < end or end <= start <= minute for start, end in _spans(bot, today)) or any(
        end <= start and minute < end for start, end in _spans(bot, yesterday)
    )


def _spans(bot: Bot, day: date) -> tuple[tuple[int, int], ...]:
    return bot.hours[day.weekday()] if bot.hours and day not in bot.holidays else ()
