"""Finds every row that speaks of one person: who they are, where they wrote and what; it changes nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Any

from sqlalchemy import Table, literal, select, tuple_

from app.db.consent_tables import consent_ledger
from app.db.database import Database, Record
from app.db.notify_tables import notifications
from app.db.page_tables import agent_answers
from app.db.tables import (
    audit_log,
    conversations,
    decisions,
    deliveries,
    inbox,
    messages,
    participants,
    replies,
    responder_calls,
    rule_actions,
)
from app.privacy.subject import Subject, is_address
from app.store import consent
from app.store.consent import name_in_audit_log
from app.twilio_api.form import read_form

AT_ONCE = 2_000
ERASED = "erased"
_NAMES = (
    *("Author", "Identity", "ClientIdentity"),
    *("MessagingBinding.Address", "MessagingBinding.AuthorAddress"),
)
Key = tuple[Any, ...]


@dataclass
class SubjectRows:
    """The rows that speak of somebody: their keys by table, and where they wrote.

    In the conversations that are `whole` there is no other customer: everything in them is theirs.
    """

    whole: set[str] = field(default_factory=set)
    shared: set[str] = field(default_factory=set)
    participant_sids: set[str] = field(default_factory=set)
    message_sids: set[str] = field(default_factory=set)
    persons: frozenset[str] = frozenset()  # the hashes of who it may be
    mentions: int = 0  # rows of others that only mention who it is, where those are left out
    rows: dict[str, list[Key]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return any(self.rows.values())

    @cached_property
    def audit_names(self) -> frozenset[str]:
        """How the audit log names who it is, where consent was changed."""
        return frozenset(map(name_in_audit_log, self.persons))

    @property
    def counts(self) -> dict[str, int]:
        """Return how many rows of each table."""
        return {name: len(keys) for name, keys in self.rows.items() if keys}


def find(db: Database, subject: Subject, agents: Sequence[str], *, only_theirs: bool = False) -> SubjectRows:
    """Return every row that speaks of the subject. Raises DatabaseUnavailable.

    Goes through every table, a page at a time. What an agent wrote is theirs, their customers' conversations are not.
    `only_theirs`: what others say of them is counted and left out.
    """
    with db.read() as tx:
        found = SubjectRows(persons=frozenset(consent.hash_of(tx, person) for person in subject.people))
    _find_conversations(db, subject, agents, found)
    _find_messages(db, subject, found)
    for table in _TESTS:
        found.rows[table.name] = list(_keys(db, table, subject, found, only_theirs))
    return found


def _keys(db: Database, table: Table, subject: Subject, found: SubjectRows, only_theirs: bool) -> Iterator[Key]:
    for row in pages(db, table):
        if _is_empty(table, row):
            continue
        if _TESTS[table](row, subject, found):
            yield key_of(table, row)
        elif subject.is_in(texts_of(row)):
            found.mentions += only_theirs
            if not only_theirs:
                yield key_of(table, row)


def _find_conversations(db: Database, subject: Subject, agents: Sequence[str], found: SubjectRows) -> None:
    """Record who the subject is and where, and which of these conversations have another customer.

    Beside a phone every chat user is one of ours.
    """
    people: dict[str, set[str]] = {}
    for row in pages(db, participants):
        name = row.address or row.identity
        if subject.is_name(name):
            found.participant_sids.add(row.participant_sid)
            found.shared.add(row.conversation_sid)
        elif row.address or not (subject.is_number or _is_agent(row.identity, agents)):
            people.setdefault(row.conversation_sid, set()).add(name)
    for row in pages(db, messages):
        if subject.is_name(row.author):
            found.shared.add(row.conversation_sid)
        elif is_address(row.author):
            people.setdefault(row.conversation_sid, set()).add(row.author)
    for row in pages(db, inbox):
        _record_webhook(parameters_of(row), subject, people, found)
    if not _is_agent(subject.text, agents):
        found.whole = {sid for sid in found.shared if not people.get(sid, set()) - {""}}
    found.shared -= found.whole | {""}


def _record_webhook(
    posted: Mapping[str, str], subject: Subject, people: dict[str, set[str]], found: SubjectRows
) -> None:
    """Record what a raw webhook says of who is where; it may wait to be worked on still, and then no table says it."""
    sid = posted.get("ConversationSid", "")
    names = {posted[name] for name in _NAMES if posted.get(name)}
    if any(subject.is_name(name) for name in names):
        found.shared.add(sid)
        if subject.is_name(posted.get("Author", "")):
            found.message_sids.add(posted.get("MessageSid", ""))
    people.setdefault(sid, set()).update(name for name in names if not subject.is_name(name) and is_address(name))


def _is_agent(identity: str, agents: Sequence[str]) -> bool:
    return any(fnmatchcase(identity, pattern) for pattern in agents)


def _find_messages(db: Database, subject: Subject, found: SubjectRows) -> None:
    for row in pages(db, messages):
        if row.conversation_sid in found.whole or subject.is_name(row.author):
            found.message_sids.add(row.message_sid)
    found.message_sids.discard("")


def pages(db: Database, table: Table) -> Iterator[Record]:
    """Yield all rows of a table in the order of its key, read a page at a time."""
    keys = list(table.primary_key)
    last: Key | None = None
    while True:
        query = select(table).order_by(*keys).limit(AT_ONCE)
        if last is not None:
            query = query.where(tuple_(*keys) > tuple_(*(literal(part) for part in last)))
        with db.read() as tx:
            rows = tx.execute(query).all()
        yield from rows
        if len(rows) < AT_ONCE:
            return
        last = key_of(table, rows[-1])


def key_of(table: Table, row: Record) -> Key:
    """Return the primary key of a row."""
    return tuple(getattr(row, column.name) for column in table.primary_key)


def texts_of(row: Record) -> str:
    """Return all that a row says, as one text; a webhook decoded."""
    said = row._mapping
    parts: Iterable[str] = (_text(value) for name, value in said.items() if name not in ("body", "target", "headers"))
    if "event_key" in said:
        return "\n".join([*parts, *parameters_of(row).values(), json.dumps(row.headers)])
    return "\n".join([*parts, _text(said.get("body", "")), _text(said.get("headers", ""))])


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else ""


def parameters_of(row: Record) -> Mapping[str, str]:
    """Return what a stored webhook says, by Twilio's names."""
    form = read_form(row.method, row.target, row.body)
    return {**dict(read_form("GET", row.target, b"")), **dict(form)}


def _is_empty(table: Table, row: Record) -> bool:
    """Return whether a row has been erased already."""
    if table is inbox:
        return row.body == b"" and "?" not in row.target and bool(row.finished_at)
    if table is participants:
        return not (row.address or row.identity or row.attributes)
    if table is messages:
        return row.removed_at is not None and not (row.author or row.body or row.attributes or row.media)
    if table is replies:
        return row.state == "sent" and not (row.body or row.content_variables)
    if table is decisions:
        return bool(row.reason == ERASED)
    return False


Speaks = Callable[[Record, Subject, SubjectRows], bool]


def _inbox_speaks(row: Record, subject: Subject, found: SubjectRows) -> bool:
    if row.lane.partition(":")[0] in found.whole:
        return True
    posted = parameters_of(row)
    return posted.get("MessageSid") in found.message_sids or any(
        subject.is_name(posted.get(name, "")) for name in _NAMES
    )


_TESTS: dict[Table, Speaks] = {
    inbox: _inbox_speaks,
    messages: lambda row, _subject, found: row.message_sid in found.message_sids,
    decisions: lambda row, _subject, found: (
        row.message_sid in found.message_sids or row.conversation_sid in found.whole
    ),
    replies: lambda row, _subject, found: row.reply_to in found.message_sids or row.conversation_sid in found.whole,
    rule_actions: lambda row, _subject, found: (
        bool(row.arguments or row.reason or row.state in ("intended", "failed"))
        and (row.message_sid in found.message_sids or row.conversation_sid in found.whole)
    ),
    responder_calls: lambda row, _subject, found: row.message_sid in found.message_sids or row.lane in found.whole,
    conversations: lambda row, _subject, found: (
        row.conversation_sid in found.whole and bool(row.friendly_name or row.unique_name or row.attributes)
    ),
    participants: lambda row, _subject, found: row.participant_sid in found.participant_sids,
    deliveries: lambda row, _subject, found: (
        bool(row.detail or row.channel_message_sid)
        and (row.participant_sid in found.participant_sids or row.conversation_sid in found.whole)
    ),
    consent_ledger: lambda row, _subject, found: (
        row.person in found.persons and bool(row.actor or row.why or row.message_sid or row.conversation_sid)
    ),
    notifications: lambda row, _subject, found: (
        row.conversation_sid in found.whole and row.payload.get("title") != ERASED
    ),
    agent_answers: lambda row, subject, _found: subject.is_name(row.author),
    audit_log: lambda row, subject, found: (
        (bool(row.detail) and (row.conversation_sid in found.whole or row.subject in found.audit_names))
        or subject.is_name(row.actor)
        or subject.is_name(row.subject)
    ),
}
