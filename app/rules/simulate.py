"""Simulates a message: what the rules would answer, and which follow-ups would come. Nothing is sent or stored."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from app.common.quoting import quoted
from app.config import FOREVER
from app.rules.business_hours import is_open
from app.rules.engine import Decision, decide, timers_of
from app.rules.facts import ConversationFacts, Inbound, Policy, writer_of
from app.rules.guards import MAY_OPT_OUT
from app.rules.near_misses import near_misses
from app.rules.reply_length import parts
from app.rules.schema import Rules
from app.twilio_api.addresses import ChannelFacts, channel_of

AUTHORS = {"sms": "+15550100001", "whatsapp": "whatsapp:+15550100001"}


@dataclass(frozen=True)
class SimulatedMessage:
    """What is said, by whom, and what is known when it comes; several `texts` are the messages of one burst."""

    texts: Sequence[str]
    channel: str = ""  # empty: as the author's address says, SMS without one
    author: str = ""  # empty: somebody of that channel
    attributes: Mapping[str, Any] = field(default_factory=dict)
    participant_attributes: Mapping[str, Any] = field(default_factory=dict)
    roles: tuple[str, ...] = ()
    first_contact: bool = True
    media: bool = False
    media_type: str = ""
    button: str = ""
    button_payload: str = ""
    profile_name: str = ""
    channel_metadata: Mapping[str, Any] = field(default_factory=dict)
    paused: bool = False
    opted_out: bool = False


@dataclass(frozen=True)
class Trial:
    """One message, all that is known when it comes, and the rules; `now` is in the bot's time zone.

    `decision` is the one on its arrival, `follow_ups` are those after each time of silence that a rule waits for.
    """

    message: Inbound
    known: ConversationFacts
    rules: Rules
    now: datetime
    decision: Decision
    follow_ups: tuple[tuple[timedelta, Decision], ...]

    @property
    def hours(self) -> str:
        return "open" if is_open(self.rules.bot, self.now) else "closed"

    def parts(self, decision: Decision) -> list[str]:
        """Return the messages in which a reply would be sent."""
        if not decision.reply:
            return []
        return [decision.reply] if self.message.channel == "chat" else parts(decision.reply)

    def hints(self, decision: Decision) -> dict[str, str]:
        """Return, by the names of rules that lacked their keywords, which words of the message are near to one."""
        return near_misses(decision, self.message, self.rules)


def tried_out(simulated: SimulatedMessage, rules: Rules, policy: Policy, now: datetime) -> Trial:
    """Return what would be decided on a message that comes now."""
    message, known = _message(simulated, now), _known(simulated, now)
    decision = decide(message, known, rules, policy, now)
    follow_ups: tuple[tuple[timedelta, Decision], ...] = ()
    if writer_of(message, known, policy) == "customer":
        follow_ups = tuple(_follow_ups(message, _afterwards(known, decision, now), rules, policy, now))
    return Trial(message, known, rules, now, decision, follow_ups)


def actions_of(decision: Decision) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield what is done beside answering, each with what it is done with."""
    actions = decision.actions
    if actions.set_attributes:
        yield "set_attributes", dict(actions.set_attributes)
    if actions.add_participant:
        yield "add_participant", dict(actions.add_participant)
    if actions.pause:
        yield "pause", {"seconds": int(actions.pause.total_seconds())}
    for kind in ("hand_over", "close"):
        if getattr(actions, kind):
            yield kind, {}
    if actions.notify:
        yield "notify", {"to": list(actions.notify.to)}


def _message(simulated: SimulatedMessage, now: datetime) -> Inbound:
    channel, texts = _channel(simulated), tuple(simulated.texts)
    return Inbound(
        message_sid="IM",
        conversation_sid="CH",
        author=simulated.author or AUTHORS.get(channel, "alice"),
        text="\n".join(texts),
        channel=channel,
        source="",
        sent_at=now,
        has_media=simulated.media or bool(simulated.media_type),
        media_types=tuple(filter(None, [simulated.media_type.partition(";")[0].strip().lower()])),
        channel_facts=ChannelFacts(
            simulated.button, simulated.button_payload, simulated.profile_name, simulated.channel_metadata
        ),
        texts=texts if len(texts) > 1 else (),
    )


def _channel(simulated: SimulatedMessage) -> str:
    return simulated.channel.lower() or (channel_of(simulated.author, "") if simulated.author else "sms")


def _known(simulated: SimulatedMessage, now: datetime) -> ConversationFacts:
    return ConversationFacts(
        attributes=simulated.attributes,
        participant_attributes=simulated.participant_attributes,
        roles=simulated.roles,
        first_contact=simulated.first_contact,
        opted_out=simulated.opted_out,
        last_inbound_at=now,
        paused_until=FOREVER if simulated.paused else None,
        paused_by="operator" if simulated.paused else "",
        has_messaging_participant=_channel(simulated) != "chat",
    )


def _follow_ups(
    message: Inbound, known: ConversationFacts, rules: Rules, policy: Policy, now: datetime
) -> Iterator[tuple[timedelta, Decision]]:
    for timer in timers_of(rules):
        decision = decide(message, known, rules, policy, now + timer, timer=timer)
        yield timer, decision
        if decision.again_at:
            again_at = decision.again_at
            decision = decide(message, known, rules, policy, again_at, timer=timer, due_at=again_at)
            yield again_at - now, decision
        known = _afterwards(known, decision, now + timer)


def _afterwards(known: ConversationFacts, decision: Decision, now: datetime) -> ConversationFacts:
    """Return what is known when the decision has been carried out."""
    fired = {**known.fired, decision.rule: (now, *known.fired.get(decision.rule, ()))} if decision.rule else known.fired
    times = (now, *known.reply_times) if decision.says_something else known.reply_times
    known = replace(known, fired=fired, reply_times=times)
    if decision.code == "opt-out word":
        known = replace(known, opted_out=True)
    if decision.code == MAY_OPT_OUT:
        known = replace(known, may_opt_out=True)
    if decision.actions.hand_over or decision.actions.pause:
        until = now + decision.actions.pause if decision.actions.pause else FOREVER
        known = replace(known, paused_until=until, paused_by="rule")
    return replace(known, state="closed") if decision.actions.close else known


DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
FIRST_YEAR, LAST_YEAR = 2000, 2999  # so that nothing counted from a moment leaves what dates can say
FORMS = '"2026-11-28 22:00", "Sat 22:00" or "22:00"'


def moment(text: str, now: datetime, zone: tzinfo) -> datetime:
    """Return the moment that `text` names in a time zone, aware; a weekday is the next one, today included.

    Raises ValueError with what may be written.
    """
    here = now.astimezone(zone)
    found = re.fullmatch(r"(?:([A-Za-z]{3,9})\s+)?(\d{1,2}):(\d{2})", text.strip())
    try:
        local = _on_a_day(found, here) if found else datetime.fromisoformat(text.strip())
    except ValueError:
        raise ValueError(f"{quoted(text)} is no time; write {FORMS}") from None
    if not FIRST_YEAR <= local.year <= LAST_YEAR:
        raise ValueError(f"{quoted(text)} is too far away; write a year from {FIRST_YEAR} to {LAST_YEAR}")
    aware = local if local.tzinfo else local.replace(tzinfo=zone)
    return aware.astimezone(UTC).astimezone(zone)  # a time that the clock skips in spring is the one after it


def _on_a_day(found: re.Match[str], here: datetime) -> datetime:
    day, hour, minute = found.groups()
    at = here.replace(hour=int(hour), minute=int(minute), second=0, microsecond=0, tzinfo=None)
    return at + timedelta(days=(_weekday(day) - at.weekday()) % 7) if day else at


def _weekday(name: str) -> int:
    number = next((n for n, day in enumerate(DAYS) if day.startswith(name.lower())), None)
    if number is None:
        raise ValueError(name)
    return number
