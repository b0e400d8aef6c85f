"""Queries the list of conversations: newest first, filtered, searched. It only reads."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, Connection, Select, and_, bindparam, func, or_, select, text, union

from app.dashboard.participants import PERSON, ShownPerson, channels_of, people_of, plain_name, title_of
from app.db.consent_tables import consent_ledger
from app.db.database import Record
from app.db.tables import FAILED, conversations, deliveries, messages, participants, replies
from app.store.consent import UNDECIDED_IN

FILTERS = ("waiting", "failed", "paused", "undecided")
FAILED_WITHIN = timedelta(days=7)  # what failed before that, nobody needs to look at any more
COUNTED = 100

_SIDS: BindParameter[Any] = bindparam("sids", expanding=True)
_NOW: BindParameter[Any] = bindparam("now")
_SINCE: BindParameter[Any] = bindparam("since")
_HERE = conversations.c.conversation_sid
_LAST_MESSAGE = (
    select(messages.c.message_sid)
    .where(messages.c.conversation_sid == _HERE)
    .order_by(messages.c.noted_at.desc(), messages.c.message_index.desc())
    .limit(1)
    .scalar_subquery()
)
_LAST_REPLY = (
    select(replies.c.message_sid)
    .where(replies.c.conversation_sid == _HERE, replies.c.state == "sent")
    .order_by(replies.c.intended_at.desc(), replies.c.n.desc())
    .limit(1)
    .scalar_subquery()
)
_NAMES = (
    "conversation_sid",
    "friendly_name",
    "unique_name",
    "state",
    "waiting_since",
    "paused_until",
    "last_message_at",
)
_LIST = (
    select(*(conversations.c[name] for name in _NAMES), _LAST_MESSAGE.label("message"), _LAST_REPLY.label("reply"))
    .where(conversations.c.last_message_at.is_not(None))
    .order_by(conversations.c.last_message_at.desc())
    .limit(bindparam("most"))
)
_PEOPLE = (
    select(*(participants.c[name] for name in PERSON))
    .where(participants.c.conversation_sid.in_(_SIDS))
    .order_by(participants.c.conversation_sid, participants.c.participant_sid)
)
_SAID = ("conversation_sid", "author", "body", "media", "removed_at", "noted_at")
_MESSAGES = select(*(messages.c[name] for name in _SAID)).where(messages.c.message_sid.in_(_SIDS))
_ANSWERED = ("conversation_sid", "body", "content_sid", "intended_at")
_REPLIES = select(*(replies.c[name] for name in _ANSWERED)).where(replies.c.message_sid.in_(_SIDS))
_RECEIPTS = select(deliveries.c.conversation_sid).where(text(FAILED), deliveries.c.updated_at > _SINCE)
_NOT_SENT = select(replies.c.conversation_sid).where(text("state = 'failed'"), replies.c.intended_at > _SINCE)
_FAILED_HERE = union(
    _RECEIPTS.where(deliveries.c.conversation_sid.in_(_SIDS)), _NOT_SENT.where(replies.c.conversation_sid.in_(_SIDS))
)
_UNDECIDED_HERE = UNDECIDED_IN.where(consent_ledger.c.conversation_sid.in_(_SIDS))
_CONDITIONS: dict[str, ColumnElement[bool]] = {
    "waiting": and_(conversations.c.waiting_since.is_not(None), conversations.c.state != "closed"),
    "failed": or_(_HERE.in_(_RECEIPTS), _HERE.in_(_NOT_SENT)),
    "paused": conversations.c.paused_until > _NOW,
    "undecided": _HERE.in_(UNDECIDED_IN),
}


@dataclass(frozen=True, slots=True)
class ListRows:
    """What is stored of the conversations in the list, the one with the newest message first, and how many others.

    `counts` says how many each filter would show, counted up to 100.
    """

    conversations: Sequence[Record]
    people: Sequence[Record]
    messages: Sequence[Record]
    replies: Sequence[Record]
    failed: frozenset[str]
    paused: frozenset[str]
    undecided: frozenset[str]  # somebody there may want to opt out
    counts: dict[str, int]

    @property
    def fingerprint(self) -> tuple[Any, ...]:
        """Return all of it, to be compared with what was there before: plain tuples, the repr of a row is cut."""
        rows = [list(map(tuple, some)) for some in (self.conversations, self.people, self.messages, self.replies)]
        return rows, sorted(self.failed), sorted(self.paused), sorted(self.undecided), self.counts


@dataclass(frozen=True, slots=True)
class Summary:
    """One conversation in the list; `author` is "" where its customer has the last word, unless it is the bot."""

    conversation_sid: str
    title: str
    channels: tuple[str, ...]
    text: str
    author: str
    by_bot: bool
    last_at: datetime | None
    waiting_since: datetime | None
    is_paused: bool
    state: str
    failed: bool
    may_opt_out: bool


@dataclass(frozen=True, slots=True)
class _Said:
    author: str
    text: str
    noted_at: datetime
    by_bot: bool = False


def read(tx: Connection, now: datetime, *, only: str = "", search: str = "", limit: int = 30) -> ListRows:
    """Return so many conversations; `only` is one of FILTERS or "" for all."""
    query = _list(only)
    if search:
        query = query.where(_matches(tx.dialect.name, search))
    times = {"now": now, "since": now - FAILED_WITHIN}
    rows = tx.execute(query, {"most": limit, **times}).all()
    here = {"sids": [row.conversation_sid for row in rows]}
    return ListRows(
        conversations=rows,
        people=tx.execute(_PEOPLE, here).all(),
        messages=tx.execute(_MESSAGES, {"sids": [row.message for row in rows if row.message]}).all(),
        replies=tx.execute(_REPLIES, {"sids": [row.reply for row in rows if row.reply]}).all(),
        failed=frozenset(tx.scalars(_FAILED_HERE, here | times)),
        paused=frozenset(row.conversation_sid for row in rows if row.paused_until and row.paused_until > now),
        undecided=frozenset(tx.scalars(_UNDECIDED_HERE, here)),
        counts=dict(tx.execute(_counts(), times).one()._mapping),
    )


@cache
def _list(only: str) -> Select[Any]:
    """Return the statement once built: building it costs more than running it."""
    return _LIST.where(_CONDITIONS[only]) if only else _LIST


@cache
def _counts() -> Select[Any]:
    found = {name: select(_HERE).where(_CONDITIONS[name]).limit(COUNTED).subquery() for name in FILTERS}
    return select(*(select(func.count()).select_from(one).scalar_subquery().label(name) for name, one in found.items()))


def arrange(rows: ListRows) -> list[Summary]:
    """Return the conversations as people read them."""
    people, said = people_of(rows.people), _said(rows)
    return [
        _summary(row, people.get(row.conversation_sid, ()), said.get(row.conversation_sid), rows)
        for row in rows.conversations
    ]


def _said(rows: ListRows) -> dict[str, _Said]:
    """Return what was said last in each conversation."""
    found = {row.conversation_sid: _Said(plain_name(row.author), _words_of(row), row.noted_at) for row in rows.messages}
    for row in rows.replies:
        before = found.get(row.conversation_sid)
        if before is None or row.intended_at >= before.noted_at:
            words = row.body or ("(template)" if row.content_sid else "(media)")
            found[row.conversation_sid] = _Said("", words, row.intended_at, by_bot=True)
    return found


def _words_of(row: Record) -> str:
    if row.removed_at:
        return "(removed)"
    return row.body or ("(media)" if row.media else "(empty)")


def _summary(row: Record, people: Sequence[ShownPerson], said: _Said | None, rows: ListRows) -> Summary:
    customer = next((person.name for person in people if not person.has_left), "")
    return Summary(
        conversation_sid=row.conversation_sid,
        title=title_of(row, people),
        channels=channels_of(people),
        text=said.text if said else "",
        author=said.author if said and said.author != customer else "",
        by_bot=bool(said and said.by_bot),
        last_at=row.last_message_at,
        waiting_since=row.waiting_since,
        is_paused=row.conversation_sid in rows.paused,
        state=row.state,
        failed=row.conversation_sid in rows.failed,
        may_opt_out=row.conversation_sid in rows.undecided,
    )


def _matches(dialect: str, search: str) -> ColumnElement[bool]:
    """Return the condition that a name, an address, or something that was said in a conversation holds the text."""
    here = conversations.c.conversation_sid
    names = [_holds(dialect, column, search) for column in (conversations.c.friendly_name, conversations.c.unique_name)]
    people = [_holds(dialect, column, search) for column in (participants.c.address, participants.c.identity)]
    if digits := _digits(search):
        people.append(participants.c.address.contains(digits))
    by_bot = select(replies.c.conversation_sid).where(replies.c.state == "sent")
    return or_(
        here.in_([search]),
        *names,
        here.in_(select(participants.c.conversation_sid).where(or_(*people))),
        here.in_(select(messages.c.conversation_sid).where(_holds(dialect, messages.c.body, search))),
        here.in_(by_bot.where(_holds(dialect, replies.c.body, search))),
    )


def _holds(dialect: str, column: Any, search: str) -> ColumnElement[bool]:
    """Return the condition that a column holds the text, in any case; % and _ mean themselves.

    SQLite knows upper and lower case of A to Z only; for other letters it is asked for the usual spellings.
    """
    if dialect != "sqlite":
        found: ColumnElement[bool] = column.icontains(search, autoescape=True)
        return found
    spellings = [search] if search.isascii() else [search, search.lower(), search.upper(), search.title()]
    return or_(*(column.contains(one, autoescape=True) for one in dict.fromkeys(spellings)))


def _digits(search: str) -> str:
    """Return the digits of what looks like a telephone number in any writing, or ""."""
    digits = re.sub(r"[\s()./-]", "", search)
    return digits if re.fullmatch(r"\+?[0-9]{3,}", digits) else ""
