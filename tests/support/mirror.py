"""Compares what the bot knows of conversations and participants with what Twilio has."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import select

from app.db.database import Database
from app.db.tables import conversations, participants
from app.twilio_api.resources import conversation_of, participant_of


def differences(db: Database, client: Any) -> list[str]:
    """Return a line for each fact that is not the same; rows of what is gone must say so."""
    with db.read() as tx:
        known = {row.conversation_sid: row._mapping for row in tx.execute(select(conversations))}
        people = {row.participant_sid: row._mapping for row in tx.execute(select(participants))}
    found: list[str] = []
    sids: set[str] = set()
    for shown in _conversations(client):
        here = conversation_of(vars(shown))
        sids.add(here.conversation_sid)
        wanted = {**here.facts, "state": here.state, "removed_at": None}
        found += _differences(here.conversation_sid, wanted, known.get(here.conversation_sid))
        for person in map(participant_of, map(vars, shown.participants.list())):
            sids.add(person.participant_sid)
            wanted = {**person.facts, "conversation_sid": person.conversation_sid, "removed_at": None}
            found += _differences(person.participant_sid, wanted, people.get(person.participant_sid))
    gone_with_all = {sid for sid, row in known.items() if row["removed_at"]}
    left = {**known, **{sid: row for sid, row in people.items() if row["conversation_sid"] not in gone_with_all}}
    return found + [f"{sid}: is gone" for sid, row in left.items() if sid not in sids and not row["removed_at"]]


def _conversations(client: Any) -> Iterator[Any]:
    """Yield the conversations of every service, as the SDK's resources of that service."""
    v1 = client.conversations.v1
    for service in v1.services.list():
        yield from v1.services(service.sid).conversations.list()


def _differences(sid: str, wanted: dict[str, Any], row: Any) -> Iterator[str]:
    if row is None:
        yield f"{sid}: is not known"
        return
    for name, value in wanted.items():
        if row[name] != value:
            yield f"{sid}: {name} is {value!r}, known as {row[name]!r}"
