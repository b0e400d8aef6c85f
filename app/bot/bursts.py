"""Waits until a person who writes several messages within seconds has finished, and makes one message of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from operator import itemgetter

from sqlalchemy import Connection

from app.bot import responder_pool
from app.bot.context import HandlerContext
from app.bot.facts_loader import is_agent, message_of, read_messages
from app.inbox import internal_events, waiting
from app.inbox.job import Reschedule
from app.inbox.queue import Claimed
from app.rules import facts
from app.store import messages
from app.twilio_api.events import MessageAdded, MessageEvent, MessageRemoved, MessageUpdated


@dataclass(frozen=True)
class Member:
    """A later message of a burst, and when it came."""

    event: MessageAdded
    received_at: datetime

    @property
    def message(self) -> facts.Inbound:
        return message_of(self.event, self.received_at)


@dataclass(frozen=True)
class Burst:
    """What is decided together: a message as it reads by now, and the later ones of its burst."""

    first: facts.Inbound
    members: Sequence[Member] = ()


def gather(tx: Connection, message: facts.Inbound, known: facts.ConversationFacts, context: HandlerContext) -> Burst:
    """Return the messages that are one burst with this one, which comes first; raises Reschedule to wait for more.

    A burst ends with the message after which nothing came for `coalesce`, at most `coalesce_most` after its first,
    and where a human agent joins in. Once the responder was asked it is what it was asked about. What was edited while
    it waited is answered as it reads now; what was removed is no part of it.
    """
    call = responder_pool.find_call(tx, message.message_sid) if context.responder is not None else None
    if call is not None and call.members is not None:
        return Burst(message, _asked_about(tx, call.members, context))
    quiet = context.rules.bot.coalesce
    if quiet is None or facts.writer_of(message, known, context.policy) != "customer":
        return Burst(message)
    stored = waiting.from_anybody(tx, context.job.claimed, *(one.event_type for one in _TOLD))
    added, changes = _read(stored)
    message = changes.applied_to(message)
    if message.was_removed:
        return Burst(message)
    first = message.sent_at if message.found_late else context.job.claimed.received_at
    members = _members(tx, added, message, known, first, context)
    if call is not None:  # by an earlier version
        return Burst(message, [one for one in members if one.received_at <= call.asked_at])
    last = max([first, *(one.received_at for one in members)])
    due_at = min(last + quiet, first + context.rules.bot.coalesce_most)
    if last <= context.now < due_at:  # what seems to come from the future came before the clock was set back
        raise Reschedule(due_at, "more messages may belong to it")
    return Burst(message, members)


_TOLD: tuple[type[MessageEvent], ...] = (MessageAdded, MessageUpdated, MessageRemoved)


@dataclass(frozen=True)
class _Changes:
    """What waits to be told of messages that are not answered yet: what they say now, and which were removed."""

    texts: Mapping[str, str]
    removed: Set[str]

    def applied_to(self, message: facts.Inbound) -> facts.Inbound:
        sid = message.message_sid
        was_removed = message.was_removed or sid in self.removed
        return replace(message, text=self.texts.get(sid, message.text), was_removed=was_removed)


def _read(stored: Sequence[Claimed]) -> tuple[list[tuple[MessageAdded, Claimed]], _Changes]:
    """Return the messages that wait behind the first, as they read by now, and what waits to be told of all."""
    told = [(internal_events.read(one.method, one.target, one.body), one) for one in stored]
    edits = [event for event, _ in told if isinstance(event, MessageUpdated) and "Body" in event.fields]
    texts = {event.message_sid: event.body for event in edits}  # the last one counts
    removed = {event.message_sid for event, _ in told if isinstance(event, MessageRemoved)}
    added = [
        (replace(event, body=texts.get(event.message_sid, event.body)), one)
        for event, one in told
        if isinstance(event, MessageAdded) and event.message_sid not in removed
    ]
    return added, _Changes(texts, removed)


def _asked_about(tx: Connection, message_sids: Sequence[str], context: HandlerContext) -> list[Member]:
    if not message_sids:
        return []
    stored = waiting.from_anybody(tx, context.job.claimed, MessageAdded.event_type)
    found = [Member(event, _came_at(event, one)) for one in stored for event in read_messages([one])]
    return _undecided(tx, [one for one in found if one.event.message_sid in message_sids])


def _members(
    tx: Connection,
    added: Sequence[tuple[MessageAdded, Claimed]],
    message: facts.Inbound,
    known: facts.ConversationFacts,
    first: datetime,
    context: HandlerContext,
) -> list[Member]:
    found: list[Member] = []
    customers = {message.author}
    for event, one in added:
        if event.author == message.author:
            found.append(Member(event, _came_at(event, one)))
        elif event.author not in customers and is_agent(tx, event, known, context):
            break
        customers.add(event.author)
    return _undecided(tx, _in_time(found, first, context))


def _in_time(members: Sequence[Member], first: datetime, context: HandlerContext) -> list[Member]:
    """Return the members up to the first pause: a worker that comes late must not find one burst in a whole hour."""
    last = first
    found: list[Member] = []
    for one in members:
        if one.received_at > min(
            last + (context.rules.bot.coalesce or timedelta()), first + context.rules.bot.coalesce_most
        ):
            break
        found.append(one)
        last = one.received_at
    return found


def _undecided(tx: Connection, members: Sequence[Member]) -> list[Member]:
    decided = messages.decided_among(tx, [one.event.message_sid for one in members])
    return [one for one in members if one.event.message_sid not in decided]


def _came_at(event: MessageAdded, stored: Claimed) -> datetime:
    """Return when a message came; those that reconciliation found all arrived at once, so then when it was sent."""
    found = message_of(event, stored.received_at)
    return found.sent_at if found.found_late else stored.received_at


def as_one(first: MessageAdded, message: facts.Inbound, members: Sequence[Member]) -> facts.Inbound:
    """Return a burst as one message, under the SID of the first that came: all texts in the order they were sent."""
    if not members:
        return message
    everyone = [(first.index or 0, message), *((one.event.index or 0, one.message) for one in members)]
    in_order = [one for _, one in sorted(everyone, key=itemgetter(0))]
    texts, newest = tuple(one.text for one in in_order), in_order[-1].channel_facts
    return replace(
        message,
        text="\n".join(text for text in texts if text),
        texts=texts,
        has_media=any(one.has_media for one in in_order),
        media_types=tuple(media_type for one in in_order for media_type in one.media_types),
        channel_facts=next((one.channel_facts for one in reversed(in_order) if one.channel_facts.button), newest),
        sent_at=max(one.sent_at for one in in_order),
        was_answered=in_order[-1].was_answered,
    )
