"""Queries the rows of one conversation for the page: a bounded number, however long it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BindParameter, Connection, Select, bindparam, select, text

from app.dashboard.participants import PERSON, who_is
from app.db.database import Record
from app.db.tables import conversations, decisions, deliveries, inbox, messages, participants, replies, rule_actions
from app.inbox import internal_events
from app.store import consent
from app.store.consent import Standing
from app.twilio_api import events

MOST_NOT_DECIDED = 50
_SIDS: BindParameter[Any] = bindparam("sids", expanding=True)
_HERE: BindParameter[Any] = bindparam("sid")


def _newest(table: Any, at: Any, *, before: bool) -> Select[Any]:
    """Return the statement, built once: building it costs more than running it."""
    left_out = ("attributes", "participant_sid", "tried_at")
    query = select(*(column for column in table.c if column.name not in left_out))
    query = query.where(table.c.conversation_sid == _HERE).order_by(at.desc()).limit(bindparam("most"))
    return query.where(at < bindparam("before")) if before else query


_CONVERSATION = select(conversations).where(conversations.c.conversation_sid == _HERE)
_PEOPLE = (
    select(*(participants.c[name] for name in PERSON))
    .where(participants.c.conversation_sid == _HERE)
    .order_by(participants.c.participant_sid)
)
_MESSAGES = {before: _newest(messages, messages.c.noted_at, before=before) for before in (False, True)}
_REPLIES = {before: _newest(replies, replies.c.intended_at, before=before) for before in (False, True)}
_DELIVERIES = (
    select(deliveries.c.message_sid, deliveries.c.participant_sid, deliveries.c.status, deliveries.c.error_code)
    .where(deliveries.c.message_sid.in_(_SIDS))
    .order_by(deliveries.c.first_at, deliveries.c.delivery_receipt_sid)
)
_DECISIONS = select(decisions).where(decisions.c.message_sid.in_(_SIDS)).order_by(decisions.c.timer_seconds)
_ACTIONS = select(rule_actions).where(rule_actions.c.message_sid.in_(_SIDS)).order_by(rule_actions.c.n)
_EVENTS = (
    select(
        inbox.c.id,
        inbox.c.method,
        inbox.c.target,
        inbox.c.body,
        inbox.c.received_at,
        inbox.c.finished_at,
        inbox.c.outcome,
    )
    .where(inbox.c.lane == _HERE, inbox.c.event_type == events.MessageAdded.event_type)
    .limit(MOST_NOT_DECIDED)
)
_NOT_FINISHED = _EVENTS.where(inbox.c.finished_at.is_(None)).order_by(inbox.c.id)
_DEAD = _EVENTS.where(text("state = 'dead'")).order_by(inbox.c.id.desc())
_KNOWN = select(messages.c.message_sid).where(messages.c.message_sid.in_(_SIDS))


@dataclass(frozen=True, slots=True)
class ThreadRows:
    """What is stored of some lines of a conversation; `older_than` is set where there are more.

    `written` came as webhooks, `answers` are ours: Twilio tells nobody of those. `undecided` are the events of
    messages of which the bot has not made up its mind, or could not, each with what it says.
    """

    conversation: Record
    people: Sequence[Record]
    standings: Mapping[str, Standing]  # by ParticipantSid: who has opted out, or may want to
    written: Sequence[Record]
    answers: Sequence[Record]
    deliveries: Sequence[Record]
    decisions: Sequence[Record]
    actions: Sequence[Record]
    undecided: Sequence[tuple[Record, events.MessageAdded]]
    older_than: datetime | None

    @property
    def fingerprint(self) -> tuple[Any, ...]:
        """Return all of it, to be compared with what was there before: plain tuples, the repr of a row is cut."""
        several = (self.people, self.written, self.answers, self.deliveries, self.decisions, self.actions)
        return (
            tuple(self.conversation),
            [list(map(tuple, rows)) for rows in several],
            list(self.standings.items()),
            [tuple(row) for row, _ in self.undecided],
            self.older_than,
        )


def read(
    tx: Connection, sid: str, *, before: datetime | None, limit: int, per_channel: bool = False
) -> ThreadRows | None:
    """Return the newest lines of a conversation, those noted before a time if given; None when it is not known.

    With `per_channel` an opt-out holds on its own channel only.
    """
    here = tx.execute(_CONVERSATION, {"sid": sid}).first()
    if here is None:
        return None
    asked = {"sid": sid, "most": limit + 1} | ({"before": before} if before else {})
    written = tx.execute(_MESSAGES[before is not None], asked).all()
    answers = tx.execute(_REPLIES[before is not None], asked).all()
    since, is_cut = _start(written, answers, limit)
    written = [row for row in written if since is None or row.noted_at >= since]
    answers = [row for row in answers if since is None or row.intended_at >= since]
    people = people_of(tx, sid)
    sids = {"sids": [row.message_sid for row in (*written, *answers) if row.message_sid]}
    return ThreadRows(
        conversation=here,
        people=people,
        standings=standings_of(tx, people, per_channel=per_channel),
        written=written,
        answers=answers,
        deliveries=tx.execute(_DELIVERIES, sids).all(),
        decisions=tx.execute(_DECISIONS, sids).all(),
        actions=tx.execute(_ACTIONS, sids).all(),
        undecided=_undecided(tx, sid) if before is None else (),
        older_than=since if is_cut else None,
    )


def people_of(tx: Connection, sid: str) -> Sequence[Record]:
    """Return who is and was in a conversation: rows of `participants`."""
    return tx.execute(_PEOPLE, {"sid": sid}).all()


def standings_of(tx: Connection, people: Sequence[Record], *, per_channel: bool) -> dict[str, Standing]:
    """Return by ParticipantSid what is known of the consent of each of them."""
    who = {row.participant_sid: who_is(row) for row in people}
    found = consent.standings(tx, who.values(), per_channel=per_channel)
    return {sid: found[one] for sid, one in who.items()}


def place_of(tx: Connection, message_sid: str) -> tuple[str, datetime] | None:
    """Return where a message or reply is, and when it was noted; None for an unknown one."""
    said = select(messages.c.conversation_sid, messages.c.noted_at).where(messages.c.message_sid == message_sid)
    ours = select(replies.c.conversation_sid, replies.c.intended_at).where(replies.c.message_sid == message_sid)
    found = tx.execute(said).first() or tx.execute(ours).first()
    return (found[0], found[1]) if found else None


def _undecided(tx: Connection, sid: str) -> list[tuple[Record, events.MessageAdded]]:
    rows = [*tx.execute(_NOT_FINISHED, {"sid": sid}), *tx.execute(_DEAD, {"sid": sid})]
    fingerprint = [
        (row, internal_events.read(row.method, row.target, row.body)) for row in sorted(rows, key=lambda row: row.id)
    ]
    added = [(row, event) for row, event in fingerprint if isinstance(event, events.MessageAdded)]
    known = set(tx.scalars(_KNOWN, {"sids": [event.message_sid for _, event in added]})) if added else set()
    return [(row, event) for row, event in added if event.message_sid not in known]


def _start(written: Sequence[Record], answers: Sequence[Record], limit: int) -> tuple[datetime | None, bool]:
    """Return from when on rows are shown, so that there are at most `limit`, and whether there are others.

    Rows of one moment are never parted, unless there are more of them than can be shown.
    """
    times = sorted([row.noted_at for row in written] + [row.intended_at for row in answers], reverse=True)
    if len(times) <= limit:
        return None, False
    whole = [at for at in times[:limit] if at > times[limit]]
    return (whole or times)[-1], True
