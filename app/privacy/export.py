"""Gathers what is known of one person, as JSON can hold it, and names the files of their messages; changes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Table, select, tuple_

from app.db.consent_tables import consent_ledger
from app.db.database import Database, Record
from app.db.tables import conversations, inbox, messages, metadata
from app.privacy.subject import Subject
from app.privacy.subject_search import Key, SubjectRows, find, parameters_of
from app.store import audit, consent

AT_ONCE = 200
_CONSENT = ("at", "change", "word", "channel", "actor", "why", "message_sid", "conversation_sid")


@dataclass(frozen=True)
class MediaOf:
    """A file of a message: what Twilio says of it, and the service that keeps it, "" where that is not known."""

    media: Mapping[str, Any]
    message_sid: str
    conversation_sid: str
    chat_service_sid: str = ""


@dataclass(frozen=True)
class Export:
    """What is known of a person: rows by table, their consent, the files, and how many rows of others mention them."""

    rows: Mapping[str, Sequence[Mapping[str, Any]]]
    consent: Sequence[Mapping[str, Any]]
    opted_out: bool
    files: Sequence[MediaOf] = field(default_factory=tuple)
    mentions: int = 0

    def __bool__(self) -> bool:
        return bool(self.rows or self.consent)


def gather(db: Database, subject: Subject, agents: Sequence[str]) -> Export:
    """Return what is known of the subject: the conversations that are theirs as a whole, of others what is theirs.

    What other people say of them in conversations of their own is counted and left out. Raises DatabaseUnavailable.
    """
    found = find(db, subject, agents, only_theirs=True)
    found.rows.pop(consent_ledger.name, None)
    known = {name: [_said(metadata.tables[name], row) for row in _rows(db, name, found)] for name in found.counts}
    with db.read() as tx:
        changes = [row for person in subject.people for row in consent.history(tx, person)]
        opted_out = any(one.opted_out for one in consent.standings(tx, subject.people).values())
    changes_told = [{name: _plain(getattr(row, name)) for name in _CONSENT} for row in changes]
    return Export(known, changes_told, opted_out, tuple(_files(db, found)), found.mentions)


def record(db: Database, actor: str, counts: Mapping[str, int]) -> None:
    """Write into the audit log that somebody's data was given away, not whose. Raises DatabaseUnavailable."""
    with db.write() as tx:
        audit.record(tx, actor, "export a person", db.now(tx), detail=dict(counts))


def _rows(db: Database, name: str, found: SubjectRows) -> Iterator[Record]:
    table, keys = metadata.tables[name], found.rows[name]
    for start in range(0, len(keys), AT_ONCE):
        some = keys[start : start + AT_ONCE]
        with db.read() as tx:
            yield from tx.execute(select(table).where(_is_one_of(table, some)).order_by(*table.primary_key)).all()


def _is_one_of(table: Table, keys: Sequence[Key]) -> Any:
    columns = list(table.primary_key)
    return columns[0].in_([key[0] for key in keys]) if len(columns) == 1 else tuple_(*columns).in_(keys)


def _said(table: Table, row: Record) -> Mapping[str, Any]:
    """Return a row as JSON can hold it; of a webhook what it said, not how it was signed."""
    if table is inbox:
        names = ("event_type", "received_at", "state", "outcome", "finished_at")
        return {name: _plain(getattr(row, name)) for name in names} | {"parameters": dict(parameters_of(row))}
    return {name: _plain(value) for name, value in row._mapping.items()}


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def _files(db: Database, found: SubjectRows) -> Iterator[MediaOf]:
    """Yield the files of the messages that were found."""
    with db.read() as tx:
        columns = conversations.c.conversation_sid, conversations.c.chat_service_sid
        services = {row.conversation_sid: row.chat_service_sid for row in tx.execute(select(*columns))}
    for row in _rows(db, messages.name, found):
        for media in row.media:
            sid = row.conversation_sid
            yield MediaOf(media, row.message_sid, sid, services.get(sid, ""))
