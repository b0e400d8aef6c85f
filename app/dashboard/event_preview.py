"""Previews what a retry of an event would do now, without doing it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, cast

from sqlalchemy import Connection

from app.bot import follow_ups
from app.bot.context import HandlerContext
from app.bot.facts_loader import ReplyContext, add_history, load_facts, message_of
from app.bot.handlers import HANDLERS
from app.bot.recheck import recheck_guards
from app.bot.replying import decide_follow_up
from app.db.database import Instant, Record
from app.inbox import internal_events
from app.inbox.internal_events import FollowUpDue
from app.inbox.leases import Lease
from app.inbox.queue import Claimed
from app.rules import engine
from app.rules.engine import Decision
from app.rules.facts import Policy
from app.rules.schema import Rules
from app.store import conversations, messages
from app.store import replies as delivery_log
from app.store.messages import DecisionKey
from app.twilio_api.events import MessageAdded


@dataclass(frozen=True)
class EventPreview:
    """What working on an event would bring: in words, with the decision on a message and the replies to it so far."""

    lines: tuple[str, ...]
    tried: tuple[tuple[str, str], ...] = ()
    would_send: str = ""
    replies: Sequence[Record] = ()


@dataclass(frozen=True)
class _Looking:
    """Stands where the work on an event would: it has a transaction to read in and the time, and can do nothing."""

    claimed: Claimed
    tx: Connection
    at: datetime

    def now(self) -> datetime:
        return self.at

    @contextmanager
    def read(self) -> Iterator[Connection]:
        yield self.tx


def preview_event(
    tx: Connection, row: Record, now: datetime, rules_in_force: Rules, policy: Policy, *, responder: str = ""
) -> EventPreview:
    """Return what would happen to an event of the inbox; `responder` names who is asked where no rule matches."""
    event = internal_events.read(row.method, row.target, row.body)
    bot = _bot(tx, row, now, rules_in_force, policy)
    if isinstance(event, MessageAdded):
        return _of_message(tx, event, row, bot, responder)
    if isinstance(event, FollowUpDue):
        return _of_follow_up(tx, event, bot)
    handler = HANDLERS.get(type(event))
    if handler is None:
        return EventPreview((f"Nothing: {row.event_type} is only kept.",))
    return EventPreview(((handler.__doc__ or "").partition("\n")[0],))


def _bot(tx: Connection, row: Record, now: datetime, rules_in_force: Rules, policy: Policy) -> HandlerContext:
    claimed = Claimed(
        id=row.id,
        event_type=row.event_type,
        lane=row.lane,
        method=row.method,
        target=row.target,
        body=row.body,
        received_at=row.received_at,
        instant=Instant(now, 0.0, None),
        attempts=row.attempts,
        lease=Lease(row.lane, "", 0.0),
    )
    work: Any = _Looking(claimed, tx, now)
    return HandlerContext(work, twilio=cast(Any, None), rules=rules_in_force, policy=policy, folder=Path())


def _of_message(tx: Connection, event: MessageAdded, row: Record, bot: HandlerContext, responder: str) -> EventPreview:
    message = message_of(event, row.received_at)
    known = load_facts(tx, message, bot)
    key = DecisionKey(event.message_sid)
    occasion = ReplyContext(key, message, known, event.chat_service_sid)
    if earlier := messages.decision(tx, key):
        return _decided(tx, earlier, occasion, bot)
    known = add_history(tx, message, known, bot, index=event.index)
    return _not_decided(engine.decide(message, known, bot.rules, bot.policy, bot.now), responder)


def _of_follow_up(tx: Connection, event: FollowUpDue, bot: HandlerContext) -> EventPreview:
    earlier = messages.decision(tx, event.decision_key)
    occasion = follow_ups.occasion_of(tx, event, bot, decided=earlier is not None)
    if occasion is None:
        return EventPreview((f"Nothing: {follow_ups.over(conversations.conversation(tx, event.conversation_sid))}.",))
    if earlier:
        return _decided(tx, earlier, occasion, bot)
    return _not_decided(decide_follow_up(event, occasion, bot), "")


def _decided(tx: Connection, earlier: Record, occasion: ReplyContext, bot: HandlerContext) -> EventPreview:
    """Return what becomes of an answer that is decided: what is not sent yet is looked for, then sent if it may be."""
    found = delivery_log.replies_of(tx, occasion.key)
    lines = [f"It was decided already, and stays so: {earlier.reason}."]
    unsent = [reply for reply in found if reply.state in delivery_log.OPEN]
    if not unsent:
        lines.append("Nothing is left to be sent.")
    elif stop := recheck_guards(occasion, bot):
        lines.append(f"If it is not at Twilio already, it is not sent any more: {stop.reason}.")
    else:
        lines.append("It is looked for at Twilio first, and sent only if it is not there: nobody gets it twice.")
    tried = tuple((str(name), str(failed)) for name, failed in earlier.tried)
    return EventPreview(tuple(lines), tried, replies=found)


def _not_decided(decision: Decision, responder: str) -> EventPreview:
    lines = [f"It is decided now, by the rules in force: {decision.reason}."]
    if decision.code == "no rule" and responder:
        lines.append(f"Then {responder} is asked.")
    elif not decision.says_something:
        lines.append("No reply is sent.")
    if decision.actions:
        lines.append("The rule also acts on the conversation.")
    template = f"template {decision.template.content_sid}" if decision.template else ""
    would_send = decision.reply or template or (f"file {decision.media}" if decision.media else "")
    return EventPreview(tuple(lines), tuple(decision.tried), would_send)
