"""Says who wrote a message and whether anything forbids a reply to it, whatever the rules say.

The guards have an order, each its own code and stored reason; they know nothing of keywords in rules.
"""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from fnmatch import fnmatchcase
from typing import Literal

from app.rules_file import Bot, keyword_words, words_of

OWN_MARKER = "parley"
# Source: docs/conversations-classic/using-whatsapp-conversations and api/errors/63016 (read 2026-11-22)
WHATSAPP_WINDOW = timedelta(hours=24)
CHANNEL_OF_SOURCE = {"mms": "sms"} | {
    name: name for name in ("sms", "whatsapp", "messenger", "rcs", "gbm", "email", "apple", "viber", "line")
}
CONSENT_WORDS = {words_of("yes")}  # an ordinary answer, unless the writer had opted out

Writer = Literal["bot", "agent", "system", "api", "customer"]
Stop = tuple[str, str] | None  # the code and the reason


@dataclass(frozen=True)
class Message:
    """One message as it arrived; `channel` comes from channel_of, `sent_at` is aware."""

    message_sid: str
    conversation_sid: str
    author: str
    text: str
    channel: str
    source: str
    sent_at: datetime
    attributes: Mapping[str, object] = field(default_factory=dict)
    client_identity: str = ""
    participant_sid: str = ""
    has_media: bool = False


@dataclass(frozen=True)
class Known:
    """What is known of the conversation, and of the writer in it, at the moment of deciding."""

    state: str = ""
    friendly_name: str = ""
    attributes: Mapping[str, object] = field(default_factory=dict)
    paused_until: datetime | None = None  # the year 9999: until somebody resumes the bot
    paused_why: str = ""
    first_contact: bool = True
    opted_out: bool = False
    has_messaging_participant: bool = False
    author_role: str = ""
    last_inbound_at: datetime | None = None
    recent_replies: int = 0  # automatic replies here within the period of the budget
    rule_fired_at: Mapping[str, datetime] = field(default_factory=dict)


@dataclass(frozen=True)
class Policy:
    """Who is who, and how old a message may be; these come from the settings, not from the rules."""

    bot_author: str
    agents: tuple[str, ...] = ()
    max_reply_age: timedelta | None = None


@dataclass(frozen=True)
class Asked:
    """Everything one decision is made from; `now` is in UTC, because local times must not be subtracted."""

    message: Message
    known: Known
    bot: Bot
    policy: Policy
    now: datetime
    words: tuple[str, ...]


def channel_of(author: str, source: str) -> str:
    """Return the channel a message came by: "sms", "whatsapp", "chat", "messenger", ...

    The address decides (`whatsapp:+1555...`, `+1555...`), then Source, an open set. A chat client's identity is
    never an address, whatever it looks like.
    Source: docs/conversations-classic/conversations-webhooks, values of Source (read 2026-11-22)
    """
    if source.upper() == "SDK":
        return "chat"
    if _is_phone_number(author):
        return "sms"
    prefix = re.match(r"([A-Za-z][A-Za-z0-9_-]*):.", author)
    return prefix[1].lower() if prefix else CHANNEL_OF_SOURCE.get(source.lower(), "chat")


def _is_phone_number(author: str) -> bool:
    return re.fullmatch(r"\+[0-9]{2,15}", author) is not None


def writer_of(message: Message, known: Known, policy: Policy) -> Writer:
    """Return who wrote a message: the bot itself, a human agent, the system, another program, or a customer."""
    if message.author == policy.bot_author or OWN_MARKER in message.attributes:
        return "bot"
    if _is_agent(message, known, policy):
        return "agent"
    if message.source.upper() == "API":
        return "api"
    return "system" if message.author == "system" else "customer"


def _is_agent(message: Message, known: Known, policy: Policy) -> bool:
    if known.author_role == "agent":
        return True
    if message.channel != "chat" or not message.author or _is_phone_number(message.author):
        return False
    names = {message.author, message.client_identity} - {""}
    if any(fnmatchcase(name, pattern) for name in names for pattern in policy.agents):
        return True
    return known.has_messaging_participant and message.author != "system"


def changed_guards(message: Message, known: Known, policy: Policy, now: datetime, human_wrote: bool) -> str | None:
    """Return why a decided reply must not be sent after all, or None: asked again just before sending."""
    if human_wrote:
        return "a human wrote in the meantime"
    stop = _no_longer_wanted(known, now.astimezone(UTC), now.tzinfo)
    return stop[1] if stop else None


def _written_by_no_customer(asked: Asked) -> Stop:
    if asked.message.author == asked.policy.bot_author:
        return "own author", "the bot wrote this message itself"
    stops: dict[Writer, Stop] = {
        "bot": ("own marker", "the message carries the bot's own marker"),
        "agent": ("agent", "a human agent wrote"),
        "api": ("api", "a program wrote this message (Source=API)"),
        "system": ("system", 'the author is "system"'),
    }
    return stops.get(writer_of(asked.message, asked.known, asked.policy))


def _keyword_of_the_carrier(asked: Asked) -> Stop:
    if _is_one_of(asked.bot.opt_out_words, asked):
        return "opt-out word", "the message is an opt-out word"
    if _is_one_of(asked.bot.help_words, asked) and asked.message.channel != "chat":
        return "help word", "the message is a help word, which Twilio answers"
    if _is_one_of(asked.bot.opt_in_words, asked) and (asked.known.opted_out or asked.words not in CONSENT_WORDS):
        return "opt-in word", "the message is an opt-in word, which Twilio answers"
    return None


def _is_one_of(listed: tuple[str, ...], asked: Asked) -> bool:
    return asked.words in map(keyword_words, listed)


def _conversation_forbids(asked: Asked) -> Stop:
    return _no_longer_wanted(asked.known, asked.now, asked.bot.timezone)


def _no_longer_wanted(known: Known, now: datetime, zone: tzinfo | None) -> Stop:
    if known.opted_out:
        return "opted out", "the recipient has opted out"
    if known.state == "closed":
        return "closed", "the conversation is closed"
    pause = _pause(known, now, zone)
    return ("paused", pause) if pause else None


def _pause(known: Known, now: datetime, zone: tzinfo | None) -> str | None:
    until = known.paused_until
    if until is None or until <= now:
        return None
    because = f" because {known.paused_why}" if known.paused_why else ""
    if until.year == 9999:  # no time zone can be applied to the end of time
        return f"paused until resumed{because}"
    end = until.astimezone(zone)
    shape = "%H:%M" if end.date() == now.astimezone(zone).date() else "%Y-%m-%d %H:%M"
    return f"paused until {end:{shape}}{because}"


def _nothing_to_answer(asked: Asked) -> Stop:
    if asked.message.text.strip() or asked.message.has_media:
        return None
    return "empty", "the message has neither text nor media"


def _too_late(asked: Asked) -> Stop:
    message, limit = asked.message, asked.policy.max_reply_age
    if limit is not None and asked.now - message.sent_at > limit:
        return "too old", f"the message is older than {in_words(limit)}"
    last_inbound = max(asked.known.last_inbound_at or message.sent_at, message.sent_at)
    if message.channel == "whatsapp" and asked.now - last_inbound > WHATSAPP_WINDOW:
        return "whatsapp window", "the WhatsApp window closed 24 h after the customer's last message"
    return None


def _budget_spent(asked: Asked) -> Stop:
    budget = asked.bot.reply_budget
    if asked.known.recent_replies < budget.count:
        return None
    spent = f"{asked.known.recent_replies} automatic replies within {in_words(budget.per)}"
    return "reply budget", f"{spent} are enough"


def in_words(duration: timedelta) -> str:
    """Return a duration as a person would round it up: "40 s", "4 min", "2 h", "3 d"."""
    seconds = math.ceil(duration.total_seconds())
    for unit, size, limit in (("s", 1, 60), ("min", 60, 3600), ("h", 3600, 86400)):
        if -(-seconds // size) * size < limit:
            return f"{-(-seconds // size)} {unit}"
    return f"{-(-seconds // 86400)} d"


GUARDS: tuple[Callable[[Asked], Stop], ...] = (
    _written_by_no_customer,
    _keyword_of_the_carrier,
    _conversation_forbids,
    _nothing_to_answer,
    _too_late,
    _budget_spent,
)


def first_stop(asked: Asked) -> Stop:
    """Return the code and reason of the first guard that forbids a reply, or None when all let it pass."""
    return next((stop for guard in GUARDS if (stop := guard(asked))), None)
