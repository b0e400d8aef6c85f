"""The schema of rules files: pydantic models of the tables, each key validated by itself.

What may not stand together is in loader.py, how a problem is reported in fault_words.py; single values are
checked in values.py.
"""

from collections.abc import Mapping
from datetime import timedelta
from functools import cached_property
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr, StrictBool, StrictInt, model_validator

from app.rules.notices import NOTHING, NoticeOfMessage, Notify
from app.rules.templates import checked_reply
from app.rules.text_matching import Phrase, without_accents, words_of
from app.rules.values import (
    Channels,
    Day,
    Duration,
    MediaType,
    Pattern,
    Positive,
    Scalar,
    Span,
    Week,
    Words,
    attribute,
    compared,
    one_or_more,
    spans,
    time_zone,
    week,
)
from app.twilio_api.form import SID_DIGITS

Count = Annotated[StrictInt, Field(ge=1)]
Text = Annotated[str, Field(min_length=1)]
Texts = Annotated[tuple[Text, ...], Field(min_length=1), BeforeValidator(one_or_more)]
MediaTypes = Annotated[tuple[MediaType, ...], Field(min_length=1), BeforeValidator(one_or_more)]
Patterns = Annotated[tuple[Pattern, ...], Field(min_length=1), BeforeValidator(one_or_more)]
SomeWords = Annotated[Words, Field(min_length=1)]
SomeChannels = Annotated[Channels, Field(min_length=1)]
Reply = Annotated[str, BeforeValidator(checked_reply)]
ReplyOrNothing = Annotated[str, BeforeValidator(lambda source: checked_reply(source, may_be_empty=True))]
Compared = Annotated[Mapping[str, tuple[Scalar, ...]], BeforeValidator(compared)]
# Source: contract of ContentSid in api/conversation-message-resource, "^HX[0-9a-fA-F]{32}$" (read 2026-11-22)
ContentSid = Annotated[str, Field(pattern=f"^HX{SID_DIGITS}$")]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


class Budget(_Table):
    """How many automatic replies one conversation may get within a time."""

    count: Count = 5
    per: Positive = timedelta(minutes=10)


# Two machines that talk slowly, with texts that differ, pass any budget for minutes; this one they do not pass.
DAILY_BUDGET = Budget.model_validate({"count": 30, "per": "1d"})


class QuietHours(_Table):
    """When nothing automatic is sent; without `channel` on none at all."""

    between: Annotated[tuple[Span, ...], BeforeValidator(spans)]
    channel: SomeChannels | None = None


# Source: docs/messaging/tutorials/advanced-opt-out (read 2026-11-22)
TWILIO_OPT_OUT_WORDS = ("STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT")
# Where Twilio itself answers these words and blocks what we would send. Source: the same, and Twilio's changelog of
# 2026-03-16 for RCS (read 2026-11-22); on WhatsApp nobody has seen it act.
TWILIO_ACTS_ON = ("sms", "rcs")


class BotSettings(_Table):
    """What holds for every rule: opening hours, pause, budgets and the words by which people opt out and in.

    `opt_out_words` are added to Twilio's own; `no_opt_out_words` are taken away where Twilio does not act on them.
    """

    timezone: Annotated[ZoneInfo, BeforeValidator(time_zone)] = ZoneInfo("UTC")
    hours: Annotated[Week | None, BeforeValidator(week)] = None
    holidays: tuple[Day, ...] = ()
    quiet_hours: QuietHours | None = None
    pause_after_agent: Duration = timedelta(minutes=30)
    reply_budget: Annotated[tuple[Budget, ...], Field(min_length=1), BeforeValidator(one_or_more)] = (Budget(),)
    repeated_text: Annotated[StrictInt, Field(ge=0)] = 3
    coalesce: Positive | None = None
    coalesce_most: Positive = timedelta(seconds=10)
    responder_wait: Positive = timedelta(seconds=8)
    responder_fallback: ReplyOrNothing = "Thank you, we have your message and answer here as soon as we can."
    opt_out_words: Words = ()
    no_opt_out_words: Words = ()
    opt_out_sentences: StrictBool = True
    opt_out_per_channel: StrictBool = False
    help_words: Words = ("HELP", "INFO")
    opt_in_words: Words = ("START", "UNSTOP", "YES")

    @cached_property
    def budgets(self) -> tuple[Budget, ...]:
        """The budgets for automatic replies: those given, and that for a day unless one is for as long."""
        has_daily = any(one.per >= DAILY_BUDGET.per for one in self.reply_budget)
        return self.reply_budget if has_daily else (*self.reply_budget, DAILY_BUDGET)

    def opt_outs(self, channel: str) -> Mapping[Phrase, str]:
        """Return the words that opt somebody out on a channel, as they are compared, each with how it is written."""
        return self._all_opt_outs if channel in TWILIO_ACTS_ON else self._opt_outs_without_twilio

    @cached_property
    def _all_opt_outs(self) -> dict[Phrase, str]:
        return {words_of(word): word for word in (*self.opt_out_words, *TWILIO_OPT_OUT_WORDS)}

    @cached_property
    def _opt_outs_without_twilio(self) -> dict[Phrase, str]:
        return {words: word for words, word in self._all_opt_outs.items() if words not in self._taken_away}

    def taken_away(self, channel: str) -> frozenset[Phrase]:
        """Return the words that opt nobody out on a channel, although they do elsewhere."""
        return frozenset() if channel in TWILIO_ACTS_ON else self._taken_away

    @cached_property
    def _taken_away(self) -> frozenset[Phrase]:
        return frozenset(map(words_of, self.no_opt_out_words))

    @cached_property
    def opt_out_beginnings(self) -> frozenset[str]:
        """The first words of what opts somebody out anywhere, without accents."""
        return frozenset(without_accents(words)[0] for words in self._all_opt_outs)

    @cached_property
    def opt_ins(self) -> Mapping[Phrase, str]:
        """The words that opt somebody in again, as they are compared, each with how it is written."""
        return {words_of(word): word for word in self.opt_in_words}

    @cached_property
    def helps(self) -> frozenset[Phrase]:
        """The words that ask for help, as they are compared."""
        return frozenset(map(words_of, self.help_words))

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if self.repeated_text == 1:
            raise ValueError("repeated_text: 1 would silence every message; write 2 or more, or 0 for off")
        if self.coalesce and self.coalesce_most < self.coalesce:
            raise ValueError("coalesce_most: is shorter than coalesce; make it longer")
        return self


class Condition(_Table):
    """Conditions of a rule, or of a part of `any`, `all` or `not`; all that are given must hold."""

    keywords: SomeWords | None = None
    channel: SomeChannels | None = None
    hours: Literal["open", "closed"] | None = None
    first_contact: StrictBool | None = None
    media: StrictBool | None = None
    media_type: MediaTypes | None = None
    button: Texts | None = None
    button_payload: Texts | None = None
    profile_name: Texts | None = None
    channel_metadata: Compared | None = None
    role: Texts | None = None
    attributes: Compared | None = None
    participant_attributes: Compared | None = None
    regex: Patterns | None = None
    any_: Annotated[tuple["Part", ...], Field(min_length=1)] | None = Field(None, alias="any")
    all_: Annotated[tuple["Part", ...], Field(min_length=1)] | None = Field(None, alias="all")
    not_: "Part | None" = Field(None, alias="not")
    _ignores_accents: bool = PrivateAttr(False)  # as its rule says

    @cached_property
    def given(self) -> tuple[str, ...]:
        """The conditions that are given, cheapest first."""
        return tuple(name for name in Condition.model_fields if getattr(self, name) is not None)

    @cached_property
    def phrases(self) -> tuple[Phrase, ...]:
        """The keywords as they are compared."""
        phrases = tuple(words_of(keyword) for keyword in self.keywords or ())
        return tuple(map(without_accents, phrases)) if self.ignores_accents else phrases

    @property
    def depends_on_hours(self) -> bool:
        """Whether it asks for open or closed, here or in `any`, `all` or `not`."""
        return self.hours is not None or any(part.depends_on_hours for part in self._parts)

    @property
    def ignores_accents(self) -> bool:
        """Whether its keywords are found with other accents as well."""
        return self._ignores_accents

    def ignore_accents(self) -> None:
        """Let the keywords here and in `any`, `all` and `not` be found with other accents as well."""
        self._ignores_accents = True
        for part in self._parts:
            part.ignore_accents()

    @property
    def _parts(self) -> tuple["Condition", ...]:
        return (*(self.any_ or ()), *(self.all_ or ()), *((self.not_,) if self.not_ else ()))


def _something(value: Any) -> Any:
    if value == {}:
        raise ValueError("is empty; write at least one condition")
    return value


Part = Annotated[Condition, BeforeValidator(_something)]


class When(Condition):
    """The conditions of one rule; `unanswered_for` makes it a follow-up on silence."""

    unanswered_for: Positive | None = None


ALWAYS = When.model_validate({})


class ContentTemplate(_Table):
    """A WhatsApp template: sent instead of the reply when the 24 h window is closed."""

    content_sid: ContentSid
    variables: Mapping[str, Reply] = {}


class NewParticipant(_Table):
    """Who is added to the conversation: a chat identity, or an address and our own number that it talks to."""

    identity: Text | None = None
    address: Text | None = None
    proxy_address: Text | None = None


class Quota(_Table):
    """How often a rule may answer in one conversation; without `per`, ever."""

    count: Count
    per: Positive | None = None


def _quota(value: Any) -> Any:
    return value if isinstance(value, dict) else {"count": value}


class Rule(_Table):
    """One `[[rule]]`: when it applies, what it says and does, and how often."""

    name: Text
    when: When = ALWAYS
    reply: Reply | None = None
    media: Text | None = None
    template: ContentTemplate | None = None
    set_attributes: Mapping[str, Annotated[Any, BeforeValidator(attribute)]] = {}
    hand_over: StrictBool = False
    pause: Positive | None = None
    add_participant: NewParticipant | None = None
    close: StrictBool = False
    notify: NoticeOfMessage = None
    stop: StrictBool = False
    ignore_accents: StrictBool = False
    mode: Literal["observe"] | None = None
    cooldown: Duration | None = None
    quota: Annotated[Quota | None, BeforeValidator(_quota)] = None

    @model_validator(mode="after")
    def _tell_conditions(self) -> Self:
        if self.ignore_accents and self.when is not ALWAYS:
            self.when.ignore_accents()
        return self


class Rules(_Table):
    """A whole rules file, checked; `rules` are in file order."""

    bot: BotSettings = BotSettings()
    notify: Notify = NOTHING
    rules: Annotated[tuple[Rule, ...], Field(alias="rule")] = ()
