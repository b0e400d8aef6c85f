"""Loads the facts a decision is made from: the message as the rules see it, and what is stored of its conversation."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from app.bot import consents
from app.bot.context import HandlerContext
from app.db.database import Record
from app.inbox import internal_events, queue
from app.inbox.queue import Claimed
from app.rules import facts
from app.store import conversations, messages, replies, rule_usage
from app.store.messages import DecisionKey
from app.twilio_api.addresses import channel_facts, channel_of
from app.twilio_api.events import MessageAdded, MessageEvent
from app.twilio_api.form import read_form
from app.twilio_api.parsing import message_key


@dataclass(frozen=True)
class ReplyContext:
    """What the bot may answer: a message, what was known when it was decided, and where.

    `key` has a timer where nobody has answered for so long, `waiting_since`.
    """

    key: DecisionKey

    message: facts.Inbound
    known: facts.ConversationFacts
    chat_service_sid: str
    waiting_since: datetime | None = None

    @property
    def conversation_sid(self) -> str:
        return self.message.conversation_sid

    @property
    def timer(self) -> timedelta | None:
        return timedelta(seconds=self.key.timer_seconds) if self.key.timer_seconds else None


def message_of(event: MessageEvent, received_at: datetime) -> facts.Inbound:
    """Return the message of an event as the rules see it."""
    return facts.Inbound(
        message_sid=event.message_sid,
        conversation_sid=event.conversation_sid,
        author=event.author,
        text=event.body,
        channel=channel_of(event.author, event.source),
        source=event.source,
        attributes=event.attributes,
        client_identity=event.client_identity,
        participant_sid=event.participant_sid,
        has_media=bool(event.media),
        media_types=_types(one.content_type for one in event.media),
        channel_facts=channel_facts(event.fields),
        sent_at=event.date_created or received_at,
        account_sid=event.account_sid,
        found_late=bool(internal_events.found_at(event)),
        was_answered=internal_events.was_answered(event),
        before_start=internal_events.was_before_start(event),
        has_binding=internal_events.has_binding(event),
    )


def stored_message(row: Record) -> facts.Inbound:
    """Return a message as the rules see it, from its row."""
    return facts.Inbound(
        message_sid=row.message_sid,
        conversation_sid=row.conversation_sid,
        author=row.author,
        text=row.body,
        channel=channel_of(row.author, row.source),
        source=row.source,
        attributes=row.attributes,
        participant_sid=row.participant_sid,
        has_media=bool(row.media),
        media_types=_types(str(one.get("content_type", "")) for one in row.media),
        sent_at=row.created_at or row.noted_at,
    )


def _types(content_types: Iterable[str]) -> tuple[str, ...]:
    """Return content types without their parameters: "audio/ogg; codecs=opus" is "audio/ogg"."""
    return tuple(one.partition(";")[0].strip().lower() for one in content_types)


def with_channel_facts(tx: Connection, message: facts.Inbound) -> facts.Inbound:
    """Return a stored message with its channel facts, as long as its webhook is kept."""
    stored = queue.stored_request(tx, message_key(message.message_sid))
    if stored is None:
        return message
    parameters = dict(reversed(read_form(stored.method, stored.target, stored.body)))
    return replace(message, channel_facts=channel_facts(parameters))


@dataclass(frozen=True)
class Rows:
    """What is stored of the conversation of a message and of its author; None for what is not."""

    conversation: Record | None
    author: Record | None

    @property
    def lack_conversation(self) -> bool:
        """Whether Twilio is to be asked: no event has described the conversation, nor is a message of it stored."""
        row = self.conversation
        if row is None or row.fetch_due:
            return row is None or row.removed_at is None
        return row.dated is None and row.last_message_at is None and row.removed_at is None

    @property
    def lack_author(self) -> bool:
        """Whether the same is so of the author, of whom a message tells address or identity."""
        row = self.author
        if row is None or row.fetch_due:
            return row is None or row.removed_at is None
        return row.dated is None and not (row.identity or row.address) and row.removed_at is None


def rows_of(tx: Connection, message: facts.Inbound) -> Rows:
    """Return the rows that a decision about a message is made from."""
    author = conversations.participant(tx, message.participant_sid)
    return Rows(conversations.conversation(tx, message.conversation_sid), author)


def was_removed_before(tx: Connection, message: facts.Inbound, rows: Rows) -> bool:
    """Return whether the removal of a message came before the message; asks only where something as new has come."""
    said_at = rows.conversation.last_message_at if rows.conversation else None
    if said_at is None or said_at < message.sent_at:
        return False
    stored = messages.message(tx, message.message_sid)
    return stored is not None and stored.removed_at is not None


def load_facts(
    tx: Connection, message: facts.Inbound, context: HandlerContext, rows: Rows | None = None
) -> facts.ConversationFacts:
    """Return what is known of the conversation and the author now; `rows` where they are read already."""
    rows = rows or rows_of(tx, message)
    author = rows.author
    known = facts.ConversationFacts(
        roles=_roles(author),
        author_role=_role(author, context),
        participant_attributes=author.attributes if author else {},
        last_inbound_at=max(filter(None, [message.sent_at, author and author.last_inbound_at])),
    )
    return as_of_now(tx, message, known, context, context.now, rows.conversation)


def add_history(
    tx: Connection,
    message: facts.Inbound,
    known: facts.ConversationFacts,
    context: HandlerContext,
    *,
    index: int | None = None,
) -> facts.ConversationFacts:
    """Return the same with what the bot has done here before, and how often the author said the same.

    Every query is bounded by what the rules ask for, however long the conversation is.
    """
    limited = [rule for rule in context.rules.rules if rule.cooldown or rule.quota]
    most = max((rule.quota.count for rule in limited if rule.quota), default=1)
    sid = message.conversation_sid
    return replace(
        known,
        reply_times=_reply_times(tx, sid, context),
        fired=rule_usage.fired(tx, sid, [rule.name for rule in limited], most=most) if limited else {},
        answered_later=message.found_late and replies.answered_after(tx, sid, index, message.sent_at),
        same_texts=_same_texts(tx, message, index) if context.rules.bot.repeated_text else 0,
    )


def _reply_times(tx: Connection, conversation_sid: str, context: HandlerContext) -> tuple[datetime, ...]:
    """Return when we have answered here, as far back as a reply budget that is spent; () while none is."""
    budgets = context.rules.bot.budgets
    limits = [(one.count, context.now - one.per) for one in budgets]
    is_spent = replies.has_replied(tx, conversation_sid, limits)
    spent = [one for one, is_so in zip(budgets, is_spent, strict=True) if is_so]
    if not spent:
        return ()
    since, most = context.now - max(one.per for one in spent), max(one.count for one in spent)
    return replies.reply_times(tx, conversation_sid, since, most=most)


def _same_texts(tx: Connection, message: facts.Inbound, index: int | None) -> int:
    *before, last = message.texts or (message.text,)
    if not last.strip():
        return 0
    since = message.sent_at - facts.SAME_TEXT_WITHIN
    known = messages.count_same_texts(
        tx, message.conversation_sid, message.author, last, before_index=index, since=since
    )
    return known + before.count(last)


def as_of_now(
    tx: Connection,
    message: facts.Inbound,
    known: facts.ConversationFacts,
    context: HandlerContext,
    now: datetime,
    here: Record | None,
) -> facts.ConversationFacts:
    """Return the same with what may have changed: who is here and wants silence, state, pause; `here` is a row."""
    known = consents.with_people(tx, message, known, context)
    if here is None:
        return known
    return replace(
        known,
        state="closed" if here.removed_at else here.state,
        friendly_name=here.friendly_name,
        attributes=here.attributes,
        paused_until=here.paused_until,
        paused_why=here.paused_why,
        paused_by=_paused_by(here, context, now),
        first_contact=here.last_inbound_at is None,
    )


def _paused_by(here: Record, context: HandlerContext, now: datetime) -> str:
    """Return whose pause it is; a conversation that a rule handed over is an agent's while one writes in it."""
    wrote_at: datetime | None = here.last_agent_at
    if here.paused_by == "rule" and wrote_at and wrote_at + context.rules.bot.pause_after_agent > now:
        return "agent"
    return str(here.paused_by)


def _roles(author: Record | None) -> tuple[str, ...]:
    """Return what the roles of a participant are called: its attribute "role" and its role SID."""
    found = (author.attributes.get("role"), author.role_sid) if author else ()
    return tuple(one for one in found if isinstance(one, str) and one)


def _role(author: Record | None, context: HandlerContext) -> str:
    """Return "agent" for a participant whose attributes or role SID say so."""
    if author is None:
        return ""
    return "agent" if author.attributes.get("role") == "agent" or author.role_sid in context.policy.agents else ""


def read_messages(stored: Iterable[Claimed]) -> list[MessageAdded]:
    """Return the messages that these events tell of."""
    read = (internal_events.read(one.method, one.target, one.body) for one in stored)
    return [one for one in read if isinstance(one, MessageAdded)]


def is_agent(tx: Connection, event: MessageAdded, known: facts.ConversationFacts, context: HandlerContext) -> bool:
    """Return whether a human agent wrote a message in the conversation that `known` is about."""
    author = conversations.participant(tx, event.participant_sid)
    about_author = replace(known, author_role=_role(author, context), roles=_roles(author))
    return facts.writer_of(message_of(event, context.now), about_author, context.policy) == "agent"
