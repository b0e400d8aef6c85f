"""Guards: reasons for silence that hold whatever the rules say.

The guards have an order, each its own code and stored reason; they know nothing of the rules' own conditions.
"""

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo

from app.rules import consent_words
from app.rules.business_hours import quiet_until
from app.rules.facts import SAME_TEXT_WITHIN, ConversationFacts, DecisionInput, Inbound, Policy, Writer, writer_of
from app.rules.schema import DAILY_BUDGET, TWILIO_ACTS_ON, BotSettings
from app.rules.text_matching import Phrase, words_of
from app.twilio_api.addresses import WHATSAPP_WINDOW

# Source: docs/conversations-classic/using-whatsapp-conversations and api/errors/63016 (read 2026-11-22)
FOUND_LATE = "found late"
MAY_OPT_OUT = "may opt out"
NO_AUTHOR = ("no author", "the message has no author")
REMOVED = ("removed", "the message was removed before it was answered")

Stop = tuple[str, str] | None  # the code and the reason


def changed_guards(
    message: Inbound,
    known: ConversationFacts,
    policy: Policy,
    now: datetime,
    human_wrote: bool,
    *,
    bot: BotSettings | None = None,
    timer: timedelta | None = None,
) -> str | None:
    """Return why a decided reply must not be sent after all, or None: asked again just before sending.

    With `bot` its quiet hours count too; `timer` says that the reply is a follow-up, as for rules.decide.
    """
    if human_wrote:
        return "a human wrote in the meantime"
    stop = _no_longer_wanted(known, now.astimezone(UTC), bot.timezone if bot else now.tzinfo, timer)
    if stop is None and bot is not None:
        stop = _quiet(bot, message.channel, now)
    return stop[1] if stop else None


def _of_another_account(asked: DecisionInput) -> Stop:
    account_sid = asked.message.account_sid
    if not asked.policy.is_of_another_account(account_sid):
        return None
    return "another account", f"the message is of the account {account_sid[:34]}, not of TWILIO_ACCOUNT_SID"


def _written_by_no_customer(asked: DecisionInput) -> Stop:
    if asked.message.author == asked.policy.bot_author:
        return "own author", "the bot wrote this message itself"
    stops: dict[Writer, Stop] = {
        "bot": ("own marker", "the message carries the bot's own marker"),
        "agent": ("agent", "a human agent wrote"),
        "api": ("api", "a program wrote this message (Source=API)"),
        "system": ("system", 'the author is "system"') if asked.message.author else NO_AUTHOR,
    }
    return stops.get(writer_of(asked.message, asked.known, asked.policy))


def _older_than_what_is_kept(asked: DecisionInput) -> Stop:
    """Stop at a message so old that nobody could know whether it was answered; that somebody wants silence counts."""
    kept_for = asked.policy.kept_for
    if kept_for is None or asked.now - asked.message.sent_at <= kept_for:
        return None
    keyword = _keyword_of_the_carrier(asked)
    if (keyword and keyword[0] == "opt-out word") or _wish_to_opt_out(asked):
        return None
    return _too_late(asked) or ("too old", f"the message is older than BOT_RETENTION_DAYS ({in_words(kept_for)})")


def _keyword_of_the_carrier(asked: DecisionInput) -> Stop:
    """Stop at a carrier's word: of several texts the last STOP or START counts, HELP only where nothing else is said.

    START together with other texts is no reason for silence to somebody who had not opted out.
    """
    kinds = [_kind(words, asked) for words in _words_of_each_text(asked)]
    consent = [kind for kind in kinds if kind in ("opt-out word", "opt-in word")]
    if consent and (asked.known.opted_out or "opt-out word" in consent or len(consent) == len(kinds)):
        return _carrier(consent[-1], asked)
    return _carrier("help word", asked) if set(kinds) == {"help word"} else None


def _carrier(kind: consent_words.Kind, asked: DecisionInput) -> Stop:
    answered = kind != "opt-out word" and asked.message.channel in TWILIO_ACTS_ON
    return kind, f"the message is {'a' if kind == 'help word' else 'an'} {kind}{', which Twilio answers' * answered}"


def _words_of_each_text(asked: DecisionInput) -> list[Phrase]:
    texts = asked.message.texts
    return [words_of(text) for text in texts] if texts else [asked.spoken.words]


def _kind(words: Phrase, asked: DecisionInput) -> consent_words.Kind:
    return consent_words.kind_of(words, asked.bot, asked.message.channel, opted_out=asked.known.opted_out)


def _wish_to_opt_out(asked: DecisionInput) -> Stop:
    """Stop at what reads like a wish to be left alone: a person decides. Who has opted out already is no question."""
    if asked.known.opted_out or asked.timer:
        return None
    wish = wish_of(asked.message, asked.bot, asked.spoken.words)
    return (MAY_OPT_OUT, f'the message reads like a wish to opt out ("{wish}"); a person decides') if wish else None


def wish_of(message: Inbound, bot: BotSettings, words: Phrase | None = None) -> str:
    """Return the words by which a message, or one of a burst, reads like a wish to opt out, or "" for none."""
    if not message.texts:
        return consent_words.wish_in(message.text, bot, message.channel, words)
    wishes = (consent_words.wish_in(text, bot, message.channel) for text in message.texts)
    return next(filter(None, wishes), "")


def _found_too_late(asked: DecisionInput) -> Stop:
    """Stop at a message that reconciliation found and that nobody waits to have answered; `_too_late` asks its age."""
    if not asked.message.found_late:
        return None
    if not asked.message.has_binding:
        return FOUND_LATE, "found by reconcile, and its author cannot be reached by phone number or address"
    if asked.message.before_start:
        return FOUND_LATE, "found by reconcile, and it was written before the first start with this database"
    if asked.known.answered_later:
        return FOUND_LATE, "found by reconcile, and something newer was answered"
    if asked.message.was_answered:
        return FOUND_LATE, "found by reconcile, and an answer of ours follows it at Twilio"
    return None


def _removed(asked: DecisionInput) -> Stop:
    return REMOVED if asked.message.was_removed else None


def _conversation_forbids(asked: DecisionInput) -> Stop:
    return _no_longer_wanted(asked.known, asked.now, asked.bot.timezone, asked.timer)


def _no_longer_wanted(known: ConversationFacts, now: datetime, zone: tzinfo | None, timer: timedelta | None) -> Stop:
    if known.opted_out:
        return "opted out", "the recipient has opted out"
    if known.may_opt_out:
        return MAY_OPT_OUT, "the recipient may want to opt out, and nobody has decided yet"
    if known.others_opted_out:
        return "opted out", "somebody else in this conversation has opted out, or may want to"
    if known.state == "closed":
        return "closed", "the conversation is closed"
    if timer and known.paused_by == "rule":
        return None  # handed over, and no human came: that is what a follow-up is for
    pause = _pause(known, now, zone)
    return ("paused", pause) if pause else None


def _pause(known: ConversationFacts, now: datetime, zone: tzinfo | None) -> str | None:
    until = known.paused_until
    if until is None or until <= now:
        return None
    because = f" because {known.paused_why}" if known.paused_why else ""
    if until.year == 9999:  # no time zone can be applied to the end of time
        return f"paused until resumed{because}"
    return f"paused until {_in_words(until.astimezone(zone))}{because}"


def _in_words(local: datetime) -> str:
    """Return a time with its day and zone: who reads it may do so later, and elsewhere."""
    return f"{local:%Y-%m-%d %H:%M} {local.tzname() or ''}".rstrip()


def _quiet_hours(asked: DecisionInput) -> Stop:
    return _quiet(asked.bot, asked.message.channel, asked.now)


def _quiet(bot: BotSettings, channel: str, now: datetime) -> Stop:
    end = quiet_until(bot, channel, now)
    return ("quiet hours", f"quiet hours until {_in_words(end)}") if end else None


def _nothing_to_answer(asked: DecisionInput) -> Stop:
    message = asked.message
    if message.text.strip() or message.has_media or message.channel_facts.button:
        return None
    return "empty", "the message has neither text nor media"


def _too_late(asked: DecisionInput) -> Stop:
    limit = asked.policy.max_reply_age
    if limit is None or asked.now - asked.due <= limit:
        return None
    if asked.timer:
        return "too old", f"the follow-up is late by more than {in_words(limit)}"
    return "too old", f"the message is older than {in_words(limit)}"


def _repeated_text(asked: DecisionInput) -> Stop:
    times, most = asked.known.same_texts + 1, asked.bot.repeated_text
    if not most or times < most or asked.timer or not asked.message.text.strip():
        return None
    return "repeated text", f"the same text came {times} times within {in_words(SAME_TEXT_WITHIN)}, as from another bot"


def _budget_spent(asked: DecisionInput) -> Stop:
    for budget in asked.bot.budgets:
        replies = sum(asked.now - replied_at < budget.per for replied_at in asked.known.reply_times)
        if replies >= budget.count:
            why = f"{replies} automatic replies within {in_words(budget.per)} are enough"
            machines = ", as when two machines talk (reply_budget)"
            return "reply budget", why + machines if budget is DAILY_BUDGET else why
    return None


def whatsapp_window(asked: DecisionInput) -> Stop:
    """Return that only a template may be sent by WhatsApp now, or None; a stop only if no rule has one."""
    message = asked.message
    last_inbound = max(asked.known.last_inbound_at or message.sent_at, message.sent_at)
    if message.channel == "whatsapp" and asked.now - last_inbound > WHATSAPP_WINDOW:
        return "whatsapp window", "the WhatsApp window closed 24 h after the customer's last message"
    return None


def in_words(duration: timedelta) -> str:
    """Return a duration as a person would round it up: "40 s", "4 min", "2 h", "3 d"."""
    seconds = math.ceil(duration.total_seconds())
    for unit, size, limit in (("s", 1, 60), ("min", 60, 3600), ("h", 3600, 86400)):
        if -(-seconds // size) * size < limit:
            return f"{-(-seconds // size)} {unit}"
    return f"{-(-seconds // 86400)} d"


GUARDS: tuple[Callable[[DecisionInput], Stop], ...] = (
    _of_another_account,
    _written_by_no_customer,
    _older_than_what_is_kept,
    _keyword_of_the_carrier,
    _wish_to_opt_out,
    _removed,
    _found_too_late,
    _conversation_forbids,
    _quiet_hours,
    _nothing_to_answer,
    _too_late,
    _repeated_text,
    _budget_spent,
)


def first_stop(asked: DecisionInput) -> Stop:
    """Return the code and reason of the first guard that forbids a reply, or None when all let it pass."""
    return next((stop for guard in GUARDS if (stop := guard(asked))), None)
