"""The input of a decision: message, conversation facts, policy (who is who), time."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Literal

from app.rules.business_hours import is_open
from app.rules.schema import BotSettings
from app.rules.text_matching import Search, Spoken, words_of
from app.twilio_api.addresses import NOTHING, ChannelFacts, is_phone_number
from app.twilio_api.look_up import MARKER

SAME_TEXT_WITHIN = timedelta(minutes=10)

Writer = Literal["bot", "agent", "system", "api", "customer"]


@dataclass(frozen=True)
class Inbound:
    """One message as it arrived; `channel` comes from channel_of, `sent_at` is aware.

    A burst of messages of one person is one message: `texts` are theirs, `text` all of them, line by line.
    """

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
    media_types: tuple[str, ...] = ()  # of its files, in small letters, without parameters: "audio/ogg"
    channel_facts: ChannelFacts = NOTHING  # what the channel tells beside the text
    texts: tuple[str, ...] = ()
    found_late: bool = False  # by reconciliation: its webhook never came
    was_answered: bool = False  # of one that was found late: an answer of ours stood behind it at Twilio
    account_sid: str = ""
    before_start: bool = False  # of one that was found late: nobody had started us yet, so others were to answer it
    was_removed: bool = False  # by whoever wrote it or by us, before it was decided
    has_binding: bool = True  # of the author of one that was found late: an address that can be answered


@dataclass(frozen=True)
class ConversationFacts:
    """What is known of the conversation, and of the writer in it, at the moment of deciding."""

    state: str = ""
    friendly_name: str = ""
    attributes: Mapping[str, object] = field(default_factory=dict)
    paused_until: datetime | None = None  # the year 9999: until somebody resumes the bot
    paused_why: str = ""
    paused_by: str = ""  # "agent", "rule", "operator" or "attribute"
    first_contact: bool = True
    opted_out: bool = False
    may_opt_out: bool = False  # the author has asked for silence in words that are no opt-out word; nobody has decided
    wished_before: bool = False  # the same, but they have written again since
    others_opted_out: bool = False  # somebody else here, who would get the reply too, has opted out or may want to
    has_messaging_participant: bool = False
    author_role: str = ""
    roles: tuple[str, ...] = ()  # of the author: the attribute "role" and the role SID
    participant_attributes: Mapping[str, object] = field(default_factory=dict)
    last_inbound_at: datetime | None = None
    reply_times: tuple[datetime, ...] = ()  # of automatic replies here, newest first
    fired: Mapping[str, tuple[datetime, ...]] = field(default_factory=dict)  # when each rule decided here, newest first
    answered_later: bool = False  # something newer was answered; asked only for a message that was found late
    same_texts: int = 0  # how often the author has sent this very text within SAME_TEXT_WITHIN before


@dataclass(frozen=True)
class Policy:
    """Who is who, and how old a message may be; these come from the settings, not from the rules."""

    bot_author: str
    agents: tuple[str, ...] = ()
    max_reply_age: timedelta | None = None
    kept_for: timedelta | None = None  # who was answered longer ago than this may be known no more
    account_sid: str = ""  # whose conversations our credentials reach; "": not compared

    def is_of_another_account(self, account_sid: str) -> bool:
        """Return whether an event is of an account that our credentials do not reach."""
        return account_sid not in ("", self.account_sid or account_sid)


@dataclass(frozen=True)
class DecisionInput:
    """Everything one decision is made from; `now` is in UTC, because local times must not be subtracted.

    `timer` is set for a follow-up: that much time has passed since the message, and no human has answered. `due_at`
    is set for one that was put off: when it was to be tried again.
    """

    message: Inbound
    known: ConversationFacts
    bot: BotSettings
    policy: Policy
    now: datetime
    timer: timedelta | None = None
    due_at: datetime | None = None

    @property
    def due(self) -> datetime:
        """When this was to be decided: at once, after the timer, or when it was put off to."""
        return self.due_at or self.message.sent_at + (self.timer or timedelta())

    @cached_property
    def spoken(self) -> Spoken:
        """The words of the message."""
        return Spoken(words_of(self.message.text))

    @cached_property
    def search(self) -> Search:
        """What regular expressions find in the message."""
        return Search(self.message.text)

    @cached_property
    def hours(self) -> str:
        """Either "open" or "closed"."""
        return "open" if is_open(self.bot, self.now) else "closed"


def writer_of(message: Inbound, known: ConversationFacts, policy: Policy) -> Writer:
    """Return who wrote a message: the bot itself, a human agent, the system, another program, or a customer.

    A conversation's new webhook gets messages from before with Source=API (ReplayAfter): what came from the phone of
    a participant is the customer's all the same. A message without an author is nobody's, as the system's are.
    """
    if message.author == policy.bot_author or MARKER in message.attributes:
        return "bot"
    if _is_agent(message, known, policy):
        return "agent"
    if message.source.upper() == "API" and not (message.participant_sid and message.channel != "chat"):
        return "api"
    return "system" if message.author in ("", "system") else "customer"


def _is_agent(message: Inbound, known: ConversationFacts, policy: Policy) -> bool:
    if known.author_role == "agent" or "agent" in known.roles:
        return True
    if message.channel != "chat" or not message.author or is_phone_number(message.author):
        return False
    names = {message.author, message.client_identity} - {""}
    if any(fnmatchcase(name, pattern) for name in names for pattern in policy.agents):
        return True
    return known.has_messaging_participant and message.author != "system"
