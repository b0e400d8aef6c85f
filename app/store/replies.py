"""The ledger of replies: intended, sending, sent, failed, suppressed. It sends none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import Connection, Select, Update, bindparam, or_, select, update

from app.db.database import Record, insert_into
from app.db.tables import conversations, messages, replies
from app.store.messages import DecisionKey

OPEN = ("intended", "sending", "failed")
_BEFORE_ALL = datetime(2000, 1, 1, tzinfo=UTC)  # when it was tried, for all we know after the clock was set back
# Twilio may store a message long after we have stopped to wait for its answer (seen: 25 s). So long after a try, and
# twice as long after each further one, nothing is sent again but looked for.
LATE_STORE, LATEST_STORE = timedelta(seconds=30), timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Content:
    """What one message of ours says: a text, a file (by name or media SID) with or without text, or a template."""

    body: str = ""
    media: str = ""
    content_sid: str = ""
    content_variables: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StoredReply:
    """One reply of ours: the n-th part (from 0) of the answer to the inbound message `reply_to`.

    `timer_seconds` is 0 for the answer on arrival; else it is the follow-up after so many seconds without a human.
    """

    reply_to: str
    timer_seconds: int
    n: int
    conversation_sid: str
    rule: str
    body: str
    media: str
    content_sid: str
    content_variables: Mapping[str, str]
    state: str
    author: str | None
    first_tried_at: datetime | None
    tried_at: datetime | None
    tries: int
    not_again_before: datetime | None
    message_sid: str | None

    @property
    def key(self) -> DecisionKey:
        """The decision that it carries out."""
        return DecisionKey(self.reply_to, self.timer_seconds)


_THIS = (replies.c.reply_to == bindparam("sid"), replies.c.timer_seconds == bindparam("after"))  # see _named
_OPEN_REPLIES = (
    select(*(replies.c[name] for name in StoredReply.__dataclass_fields__))
    .where(*_THIS, replies.c.state.in_(OPEN))
    .order_by(replies.c.n)
)
_SENT_AS = select(replies).where(replies.c.message_sid == bindparam("sid"))
_ANSWERED_AT = (
    select(replies.c.intended_at)
    .where(replies.c.conversation_sid == bindparam("sid"), replies.c.n == 0, replies.c.state != "suppressed")
    .order_by(replies.c.intended_at.desc())
)
_REPLY_TIMES = _ANSWERED_AT.where(replies.c.intended_at > bindparam("since")).limit(bindparam("most"))


_LAST_WRITTEN = (
    update(conversations)
    .where(conversations.c.conversation_sid == bindparam("sid"))
    .where(or_(conversations.c.last_message_at.is_(None), conversations.c.last_message_at < bindparam("at")))
    .values(last_message_at=bindparam("at"))
)


def intend(
    tx: Connection,
    key: DecisionKey,
    conversation_sid: str,
    rule: str,
    contents: Sequence[Content],
    now: datetime,
) -> None:
    """Write down the replies that we are about to send; the same message twice changes nothing."""
    rows = [
        {
            "reply_to": key.message_sid,
            "timer_seconds": key.timer_seconds,
            "n": n,
            "conversation_sid": conversation_sid,
            "rule": rule,
            "body": one.body,
            "media": one.media,
            "content_sid": one.content_sid,
            "content_variables": dict(one.content_variables),
            "state": "intended",
            "intended_at": now,
        }
        for n, one in enumerate(contents)
    ]
    if rows:
        tx.execute(_intend(tx.dialect.name), rows)


@cache
def _intend(dialect: str) -> Any:
    return insert_into(dialect, replies).on_conflict_do_nothing()


def open_replies(tx: Connection, key: DecisionKey) -> list[StoredReply]:
    """Return the replies of a decision that are neither sent nor suppressed, in their order."""
    return [StoredReply(*row) for row in tx.execute(_OPEN_REPLIES, _named(key))]


def replies_of(tx: Connection, key: DecisionKey) -> Sequence[Record]:
    """Return the replies of a decision, whatever became of them, in their order."""
    return tx.execute(select(replies).where(*_THIS).order_by(replies.c.n), _named(key)).all()


def replies_to(tx: Connection, message_sid: str) -> Sequence[Record]:
    """Return all replies to an inbound message, whatever became of them: on its arrival first, then follow-ups."""
    query = select(replies).where(replies.c.reply_to == message_sid)
    return tx.execute(query.order_by(replies.c.timer_seconds, replies.c.n)).all()


def reply_sent_as(tx: Connection, message_sid: str) -> Record | None:
    """Return the reply that became this message; None for a message we never sent."""
    return tx.execute(_SENT_AS, {"sid": message_sid}).first()


def sent_as(tx: Connection, message_sids: Sequence[str]) -> set[str]:
    """Return which of these messages are replies of ours that are known as sent."""
    return set(tx.scalars(select(replies.c.message_sid).where(replies.c.message_sid.in_(message_sids))))


def record_uploaded(tx: Connection, reply: StoredReply, media_sid: str) -> None:
    """Write down where the file of a reply is at Twilio, so that it is uploaded once."""
    _set(tx, reply, media=media_sid)


def record_try(tx: Connection, reply: StoredReply, now: datetime, *, author: str) -> None:
    """Write down that a request may be on its way to Twilio, under which name, and what must wait for it."""
    this_try = {"tried_at": now, "first_tried_at": reply.first_tried_at or now, "tries": reply.tries + 1}
    _set(tx, reply, state="sending", author=author, not_again_before=now + _longest_store(reply.tries), **this_try)


def _longest_store(tries: int) -> timedelta:
    """Return for how long Twilio may be storing what was sent after so many tries that it never answered."""
    return min(LATE_STORE * int(2 ** min(tries, 10)), LATEST_STORE)


def record_refused(tx: Connection, reply: StoredReply) -> None:
    """Write down that the try has ended, and that Twilio stores nothing of it any more."""
    _set(tx, reply, tries=reply.tries, not_again_before=None)


def record_clock_set_back(tx: Connection, reply: StoredReply, now: datetime) -> None:
    """Let the waits after the last try begin now: by the clock it lies in the future."""
    again = now + _longest_store(max(0, reply.tries - 1)) if reply.not_again_before else None
    _set(tx, reply, tried_at=now, first_tried_at=_BEFORE_ALL, not_again_before=again)


def record_sent(tx: Connection, reply: StoredReply, message_sid: str, now: datetime) -> None:
    """Write down the message that a reply became."""
    _set(tx, reply, state="sent", message_sid=message_sid, sent_at=now, reason="")
    tx.execute(_LAST_WRITTEN, {"sid": reply.conversation_sid, "at": now})


def record_failed(tx: Connection, reply: StoredReply, reason: str) -> None:
    """Write down why a reply could not be sent; `inbox retry` tries it again."""
    _set(tx, reply, state="failed", reason=reason)


def suppress(tx: Connection, reply: StoredReply, reason: str) -> None:
    """Write down why a reply must not be sent; this is final."""
    _set(tx, reply, state="suppressed", reason=reason)


def _named(key: DecisionKey) -> dict[str, str | int]:
    return {"sid": key.message_sid, "after": key.timer_seconds}


def _set(tx: Connection, reply: StoredReply, **values: Any) -> None:
    this = _named(reply.key) | {"part": reply.n}
    tx.execute(_change(tuple(values)), {**this, **{f"new_{name}": value for name, value in values.items()}})


@cache
def _change(columns: tuple[str, ...]) -> Update:
    this = (*_THIS, replies.c.n == bindparam("part"))
    return update(replies).where(*this).values({name: bindparam(f"new_{name}") for name in columns})


def answered_after(tx: Connection, conversation_sid: str, index: int | None, sent_at: datetime) -> bool:
    """Return whether we, or a human agent, have answered a message that is newer than the one with this index."""
    newer = messages.c.message_index > index if index is not None else messages.c.created_at > sent_at
    ours = (
        select(replies.c.n)
        .join(messages, messages.c.message_sid == replies.c.reply_to)
        .where(replies.c.conversation_sid == conversation_sid, replies.c.timer_seconds == 0, newer)
        .where(replies.c.state.in_(["intended", "sending", "sent"]))
    )
    here = conversations.c.conversation_sid == conversation_sid
    agents = select(conversations.c.conversation_sid).where(here, conversations.c.last_agent_at > sent_at)
    return tx.scalar(ours.limit(1)) is not None or tx.scalar(agents) is not None


def reply_times(tx: Connection, conversation_sid: str, since: datetime, *, most: int) -> tuple[datetime, ...]:
    """Return when we have answered in a conversation since a time, newest first; the parts of one reply count once."""
    return tuple(tx.scalars(_REPLY_TIMES, {"sid": conversation_sid, "since": since, "most": most}))


def has_replied(tx: Connection, conversation_sid: str, limits: Sequence[tuple[int, datetime]]) -> tuple[bool, ...]:
    """Return for each (count, since) whether we have answered in a conversation so often since that time.

    One statement, that goes through no more replies than are counted.
    """
    asked: dict[str, Any] = {"sid": conversation_sid}
    for n, (count, since) in enumerate(limits):
        asked |= {f"before_{n}": count - 1, f"since_{n}": since}
    return tuple(at is not None for at in tx.execute(_nth_replies(len(limits)), asked).one())


@cache
def _nth_replies(number: int) -> Select[Any]:
    return select(
        *(
            _ANSWERED_AT.where(replies.c.intended_at > bindparam(f"since_{n}"))
            .offset(bindparam(f"before_{n}"))
            .limit(1)
            .scalar_subquery()
            for n in range(number)
        )
    )
