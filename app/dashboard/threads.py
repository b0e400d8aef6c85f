"""Builds the chat view of one conversation from rows: lines in order, with ticks and reasons. It only shapes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from app.dashboard.participants import ShownPerson, channels_of, in_order, person_of, plain_name, title_of
from app.dashboard.thread_queries import ThreadRows
from app.db.database import Record
from app.store.messages import DecisionKey
from app.twilio_api.addresses import channel_of
from app.twilio_api.events import MessageAdded

# Codes of decisions that tell who wrote a message; all others are about a customer's.
SIDES = {"agent": "agent", "own author": "bot", "own marker": "bot", "system": "system", "api": "system"}
NO_INDEX = -1
ANSWERED = ("replied", "acted")


@dataclass(frozen=True, slots=True)
class Tick:
    """What became of a message at one recipient; `name` is "" where the recipient is not known."""

    name: str
    status: str
    error_code: int


@dataclass(frozen=True, slots=True)
class ActionState:
    """What a rule did beside answering."""

    kind: str
    state: str
    reason: str


@dataclass(frozen=True, slots=True)
class Why:
    """Why the bot did or did not answer: one decision, with every rule tried and what failed first.

    `timer_seconds` is 0 for the decision on arrival; else it is about a follow-up after so long without a human.
    `burst_of` names the message together with which this one was answered; `together` counts those of this one.
    """

    has_answered: bool
    code: str
    reason: str
    rule: str
    tried: tuple[tuple[str, str], ...]
    observed: tuple[str, ...]
    timer_seconds: int
    burst_of: str
    actions: tuple[ActionState, ...] = ()
    together: int = 0


@dataclass(frozen=True, slots=True)
class ThreadLine:
    """One message of a thread; `side` is customer, bot, agent or system. A reply not sent yet has no `message_sid`."""

    message_sid: str
    side: str
    author: str
    channel: str
    text: str
    at: datetime
    noted_at: datetime
    order: int = 0
    media: tuple[Mapping[str, Any], ...] = ()
    edited: bool = False
    removed: bool = False
    state: str = ""  # of a reply: intended, sending, sent, failed, suppressed; of a message: waiting, dead
    reason: str = ""
    rule: str = ""
    reply_to: str = ""  # the message that this one of ours answers
    timer_seconds: int = 0
    template: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)
    event_id: int = 0  # of the event that tells of a message not decided yet
    ticks: tuple[Tick, ...] = ()
    whys: tuple[Why, ...] = ()

    @property
    def anchor(self) -> str:
        """Return what an address may point at."""
        return f"m-{self.message_sid}" if self.message_sid else f"r-{self.reply_to}-{self.timer_seconds}-{self.order}"


@dataclass(frozen=True, slots=True)
class Thread:
    """A conversation: who is in it, and some of its lines, oldest first; `older_than` is set where there are more."""

    conversation: Record
    title: str
    people: tuple[ShownPerson, ...]
    channels: tuple[str, ...]
    lines: tuple[ThreadLine, ...]
    older_than: datetime | None


def arrange(rows: ThreadRows) -> Thread:
    """Return the rows of a conversation as people read them."""
    people = tuple(
        person_of(row, rows.standings[row.participant_sid]) for row in rows.people if row.address or row.identity
    )
    lines = _explained(_in_order(_merged(rows)), rows, people)
    lines += [_undecided_line(row, event) for row, event in rows.undecided]
    present = in_order(person for person in people if not person.has_left)
    title, channels = title_of(rows.conversation, present), channels_of(people)
    return Thread(rows.conversation, title, present, channels, tuple(lines), rows.older_than)


def _merged(rows: ThreadRows) -> list[ThreadLine]:
    """Put a reply of ours that also came as a webhook into one line: what the ledger knows, with the text of today."""
    said = {row.message_sid: _line(row) for row in rows.written}
    ours = [_reply_line(row) for row in rows.answers]
    both = [
        replace(line, text=seen.text, edited=seen.edited, removed=seen.removed)
        if (seen := said.pop(line.message_sid, None))
        else line
        for line in ours
    ]
    return [*said.values(), *both]


def _in_order(lines: Sequence[ThreadLine]) -> list[ThreadLine]:
    """Return lines as they were said: by time, but messages that arrived out of order by their index.

    A message counts as noted no later than those with a higher index. What the bot said comes after what it had
    noted at that moment.
    """
    placed = [(line.noted_at, 1, line.order, line) for line in lines if line.reply_to]
    at: datetime | None = None
    for line in sorted((one for one in lines if not one.reply_to), key=lambda one: one.order, reverse=True):
        at = line.noted_at if at is None or line.order == NO_INDEX else min(at, line.noted_at)
        placed.append((at, 0, line.order, line))
    return [line for *_, line in sorted(placed, key=lambda one: one[:3])]


def _line(row: Record) -> ThreadLine:
    return ThreadLine(
        message_sid=row.message_sid,
        side="customer",
        author=plain_name(row.author),
        channel=channel_of(row.author, row.source),
        text=row.body,
        media=tuple(row.media or ()),
        at=row.created_at or row.noted_at,
        noted_at=row.noted_at,
        order=NO_INDEX if row.message_index is None else row.message_index,
        edited=bool(row.updated_at and row.created_at and row.updated_at > row.created_at and not row.removed_at),
        removed=row.removed_at is not None,
    )


def _reply_line(row: Record) -> ThreadLine:
    return ThreadLine(
        message_sid=row.message_sid or "",
        side="bot",
        author="",
        channel="",
        text=row.body,
        media=({"filename": row.media},) if row.media else (),
        at=row.sent_at or row.intended_at,
        noted_at=row.intended_at,
        order=row.n,
        state=row.state,
        reason=row.reason,
        rule=row.rule,
        reply_to=row.reply_to,
        timer_seconds=row.timer_seconds,
        template=row.content_sid,
        variables=row.content_variables or {},
    )


def _explained(lines: Sequence[ThreadLine], rows: ThreadRows, people: Sequence[ShownPerson]) -> list[ThreadLine]:
    """Add to each line its ticks, its decisions, and with them whose it is."""
    answered = {DecisionKey(line.reply_to, line.timer_seconds) for line in lines if line.reply_to}
    ticks = _ticks_of(rows.deliveries, {person.participant_sid: person.name for person in people})
    whys = _whys_of(rows.decisions, rows.actions, answered)
    return [_with(line, ticks.get(line.message_sid, ()), whys.get(line.message_sid, ())) for line in lines]


def _with(line: ThreadLine, ticks: tuple[Tick, ...], whys: tuple[Why, ...]) -> ThreadLine:
    if line.reply_to:
        return replace(line, ticks=ticks)
    side = SIDES.get(whys[0].code, "customer") if whys else "customer"
    return replace(line, ticks=ticks, side=side, whys=whys if side == "customer" else ())


def _undecided_line(row: Record, event: MessageAdded) -> ThreadLine:
    return ThreadLine(
        message_sid=event.message_sid,
        side="customer",
        author=plain_name(event.author),
        channel=channel_of(event.author, event.source),
        text=event.body,
        media=tuple(
            {"filename": one.filename, "content_type": one.content_type, "size": one.size} for one in event.media
        ),
        at=event.date_created or row.received_at,
        noted_at=row.received_at,
        state="dead" if row.finished_at else "waiting",
        reason=row.outcome,
        event_id=row.id,
    )


def _ticks_of(deliveries: Iterable[Record], names: Mapping[str, str]) -> dict[str, tuple[Tick, ...]]:
    """Return for each message what became of it, recipient by recipient; `names` by ParticipantSid."""
    return _grouped(
        (row.message_sid, Tick(names.get(row.participant_sid, ""), row.status, row.error_code)) for row in deliveries
    )


def _whys_of(
    decisions: Sequence[Record], actions: Iterable[Record], answered: Collection[DecisionKey]
) -> dict[str, tuple[Why, ...]]:
    """Return the decisions on each message: that on its arrival first, then its follow-ups.

    `answered` are those that have replies.
    """
    states = _grouped((_key_of(row), ActionState(row.kind, row.state, row.reason)) for row in actions)
    bursts = Counter(row.burst_of for row in decisions if row.burst_of)
    return _grouped(
        (row.message_sid, _why(row, answered, states, 0 if row.timer_seconds else bursts[row.message_sid]))
        for row in decisions
    )


def _key_of(row: Record) -> DecisionKey:
    return DecisionKey(row.message_sid, row.timer_seconds)


def _why(
    row: Record, answered: Collection[DecisionKey], actions: Mapping[Any, tuple[ActionState, ...]], together: int
) -> Why:
    this = _key_of(row)
    return Why(
        has_answered=row.code in ANSWERED or this in answered,
        code=row.code,
        reason=row.reason,
        rule=row.rule,
        tried=tuple((str(name), str(failed)) for name, failed in row.tried),
        observed=tuple(str(name) for name in row.observed or ()),
        timer_seconds=row.timer_seconds,
        burst_of=row.burst_of,
        actions=actions.get(this, ()),
        together=together,
    )


def _grouped(pairs: Iterable[tuple[Any, Any]]) -> dict[Any, tuple[Any, ...]]:
    found: dict[Any, list[Any]] = {}
    for key, value in pairs:
        found.setdefault(key, []).append(value)
    return {key: tuple(values) for key, values in found.items()}
