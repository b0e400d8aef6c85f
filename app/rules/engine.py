"""Decides what to answer: message, conversation facts and rules in, a decision with its trace out.

Pure: no network, no database, no clock. What may never be answered is in guards.py, when a rule applies in
conditions.py, what a rules file may say in rules_schema.py.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from app.rules.business_hours import is_open, next_opening, silence_ends
from app.rules.conditions import first_failure
from app.rules.facts import ConversationFacts, DecisionInput, Inbound, Policy
from app.rules.guards import first_stop, whatsapp_window
from app.rules.notices import Notice
from app.rules.schema import BotSettings, ContentTemplate, Rule, Rules
from app.rules.templates import ReplyError, render_reply

PUT_OFF = "put off"


class TraceStep(NamedTuple):
    """A guard or rule that was asked, and the first condition that failed; empty: it decided."""

    name: str
    failed: str


@dataclass(frozen=True)
class Template:
    """A WhatsApp template with its variables filled in."""

    content_sid: str
    variables: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Actions:
    """What a rule does besides speaking; false when that is nothing."""

    set_attributes: Mapping[str, object] = field(default_factory=dict)
    add_participant: Mapping[str, str] = field(default_factory=dict)
    pause: timedelta | None = None
    hand_over: bool = False
    close: bool = False
    notify: Notice | None = None

    def __bool__(self) -> bool:
        actions = (self.set_attributes, self.add_participant, self.pause, self.hand_over, self.close, self.notify)
        return any(map(bool, actions))


@dataclass(frozen=True)
class Decision:
    """The reply, or None with the reason; `code` is the short stable word for it ("replied", "paused", ...).

    A `template` is sent alone; otherwise `reply` and `media` belong to one message, and either may be missing.
    """

    reply: str | None
    rule: str
    reason: str
    tried: tuple[TraceStep, ...]
    code: str
    media: str = ""
    template: Template | None = None
    actions: Actions = field(default_factory=Actions)
    observed: tuple[str, ...] = ()  # rules in mode "observe" that would have decided
    again_at: datetime | None = None  # when a follow-up that is put off is tried again

    @property
    def says_something(self) -> bool:
        """Whether a message is to be sent."""
        return self.reply is not None or bool(self.media) or self.template is not None


def decide(
    message: Inbound,
    known: ConversationFacts,
    rules: Rules,
    policy: Policy,
    now: datetime,
    *,
    timer: timedelta | None = None,
    due_at: datetime | None = None,
) -> Decision:
    """Return the one reply to a message, or None with the reason: guards first, then the rules in file order.

    `now` is aware. The guards stop a reply whatever the rules say; the first rule whose conditions hold and
    whose cool-down and quota allow it decides. With `timer` this is a follow-up on that much silence: only rules
    whose `unanswered_for` it is are tried, and outside their hours it is put off; `due_at` is then until when.
    """
    asked = DecisionInput(message, known, rules.bot, policy, now.astimezone(UTC), timer, due_at)
    decision = _decided(rules, asked)
    put_off = _put_off(rules, asked, decision) if timer else None
    if put_off and put_off.again_at and put_off.again_at <= asked.now:  # nobody was at work then
        return decide(message, known, rules, policy, now, timer=timer, due_at=put_off.again_at)
    return put_off or decision


def _decided(rules: Rules, asked: DecisionInput) -> Decision:
    if stop := first_stop(asked):
        code, reason = stop
        return Decision(None, "", reason, (TraceStep(code, ""),), code)
    return _first_rule(rules_asked(rules, asked.timer), asked)


def _put_off(rules: Rules, asked: DecisionInput, decision: Decision) -> Decision | None:
    """Return that a follow-up which falls due while we are closed, or in quiet hours, is tried again after that.

    None where no rule would apply then, or one that asks for no hours: what else stops it now is no matter of hours.
    """
    if decision.code not in ("no rule", "quiet hours", "too old"):
        return None
    # One that is late was perhaps due while we were closed: from then on, not from now on.
    start = asked.due if decision.code == "too old" else asked.now
    reasons: list[str] = []
    for at, reason in silence_ends(asked.bot, asked.message.channel, start):
        reasons.append(reason)
        then = _decided(rules, replace(asked, now=at, due_at=at))
        if rule := next((rule for rule in rules.rules if rule.name == then.rule), None):
            if not rule.when.depends_on_hours and "quiet hours" not in reasons:
                return None
            when = f"{at.astimezone(asked.bot.timezone):%A %Y-%m-%d at %H:%M (%Z)}"
            return replace(decision, reason=f"{reasons[0]}; tried again on {when}", code=PUT_OFF, again_at=at)
    return None


def _first_rule(rules: tuple[Rule, ...], asked: DecisionInput) -> Decision:
    """Return what the first rule that applies decides; rules that only observe are noted on the way."""
    window = whatsapp_window(asked)
    tried: list[TraceStep] = []
    observed: list[str] = []
    for rule in rules:
        failed = first_failure(rule, asked) or (_lacks_template(rule) if window else "")
        if failed:
            tried.append(TraceStep(rule.name, failed))
            continue
        outcome = _outcome(rule, asked, by_template=window is not None)
        if rule.mode != "observe":
            return replace(outcome, tried=(*tried, TraceStep(rule.name, "")), observed=tuple(observed))
        tried.append(TraceStep(rule.name, f"observed only: {outcome.reason}"))
        observed += [rule.name] if outcome.code in ("replied", "acted", "stopped") else []
    code, reason = window or ("no rule", "no rule matched")
    last = (TraceStep(code, ""),) if window else ()
    return Decision(None, "", reason, (*tried, *last), code, observed=tuple(observed))


def rules_asked(rules: Rules, timer: timedelta | None = None) -> tuple[Rule, ...]:
    """Return the rules that a message goes through, or those of a follow-up after that much silence."""
    return tuple(rule for rule in rules.rules if timer is None or rule.when.unanswered_for == timer)


def timers_of(rules: Rules) -> tuple[timedelta, ...]:
    """Return after how much silence there are follow-ups, shortest first."""
    return tuple(sorted({rule.when.unanswered_for for rule in rules.rules if rule.when.unanswered_for}))


def _outcome(rule: Rule, asked: DecisionInput, *, by_template: bool) -> Decision:
    """Return what a rule whose conditions hold says and does; its trace is left to the caller."""
    if rule.stop:
        return Decision(
            None, rule.name, f'rule "{rule.name}" stays silent', (), "stopped", actions=Actions(notify=rule.notify)
        )
    values = template_values(asked.message, asked.known, asked.bot, asked.now)
    try:
        reply, media, template = _words(rule, values, by_template=by_template)
        actions = _actions(rule, values)
    except ReplyError as error:
        reason = f'reply template of rule "{rule.name}" failed: {error}'
        return Decision(None, rule.name, reason, (), "template failed")
    decision = Decision(reply, rule.name, f'rule "{rule.name}" matched', (), "replied", media, template, actions)
    if decision.says_something:
        return decision
    if actions:
        return replace(decision, reason=f'rule "{rule.name}" acts without words', code="acted")
    return replace(decision, reason=f'rule "{rule.name}" says nothing here', code="empty reply")


def _words(rule: Rule, values: Mapping[str, object], *, by_template: bool) -> tuple[str | None, str, Template | None]:
    """Return a rule's reply, media and template; the template alone when only that may be sent or there is no other."""
    if rule.template and (by_template or not (rule.reply or rule.media)):
        return None, "", _filled_in(rule.template, values)
    reply = render_reply(rule.reply, values) if rule.reply else ""
    return reply or None, rule.media or "", None


def _filled_in(template: ContentTemplate, values: Mapping[str, object]) -> Template:
    """Return the template with its variables, each on one line: WhatsApp refuses line breaks and empty ones."""
    variables = {name: " ".join(render_reply(text, values).split()) for name, text in template.variables.items()}
    for name, text in variables.items():
        if not text:
            raise ReplyError(f"variable {name} of the WhatsApp template is empty")
    return Template(template.content_sid, variables)


def _actions(rule: Rule, values: Mapping[str, object]) -> Actions:
    added = rule.add_participant
    return Actions(
        set_attributes={name: _rendered(value, values) for name, value in rule.set_attributes.items()},
        add_participant=added.model_dump(exclude_none=True) if added else {},
        pause=rule.pause,
        hand_over=rule.hand_over,
        close=rule.close,
        notify=rule.notify,
    )


def _rendered(value: object, values: Mapping[str, object]) -> object:
    if isinstance(value, str):
        return render_reply(value, values)
    if isinstance(value, Mapping):
        return {name: _rendered(one, values) for name, one in value.items()}
    return [_rendered(one, values) for one in value] if isinstance(value, tuple) else value


def _lacks_template(rule: Rule) -> str:
    """Return why a rule cannot answer outside of the WhatsApp window, or "" if it can or has nothing to say."""
    has_words = rule.reply or rule.media
    return "no template, and the WhatsApp window is closed" if has_words and not rule.template else ""


def template_values(message: Inbound, known: ConversationFacts, bot: BotSettings, now: datetime) -> dict[str, object]:
    """Return what the templates of the rules may name; of the same moment as the decision."""
    return {
        "author": message.author,
        "text": message.text,
        "channel": message.channel,
        "button": message.channel_facts.button,
        "button_payload": message.channel_facts.button_payload,
        "profile_name": message.channel_facts.profile_name,
        "channel_metadata": message.channel_facts.channel_metadata,
        "media_type": next(iter(message.media_types), ""),
        "first_contact": known.first_contact,
        "hours": "open" if is_open(bot, now) else "closed",
        "friendly_name": known.friendly_name,
        "attributes": known.attributes,
        "participant_attributes": known.participant_attributes,
        "now": now.astimezone(bot.timezone),
        "next_opening": next_opening(bot, now),
    }
