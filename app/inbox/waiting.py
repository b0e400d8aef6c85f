"""What is stored and not yet worked on beside the event that a worker has: later ones of its lane, and of one person.

It looks into no body; what somebody said there is for those who ask.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from typing import Any

from sqlalchemy import Connection, Select, bindparam, select, text, union_all

from app.db.database import Record
from app.db.tables import CLIENTS, inbox, participants
from app.inbox.queue import STORED, UNFINISHED, Claimed

# Built once: building a statement costs as much as running it.
_OF_TYPES = inbox.c.event_type.in_(bindparam("event_types", expanding=True))
_BEHIND = select(*STORED).where(*UNFINISHED, inbox.c.id > bindparam("an_id"), _OF_TYPES).limit(bindparam("most"))
_FROM_CLIENTS = _BEHIND.where(text(CLIENTS)).order_by(inbox.c.id.desc())  # in the words of its index, else unused
_FROM_ANYBODY = _BEHIND.order_by(inbox.c.id)
_SAID = (inbox.c.id, inbox.c.lane, inbox.c.event_type, inbox.c.method, inbox.c.target, inbox.c.body)
_OTHER_LANES = select(participants.c.conversation_sid).where(
    participants.c.address.in_(bindparam("addresses", expanding=True)),
    participants.c.conversation_sid != bindparam("a_lane"),
)
_ELSEWHERE = (
    select(*_SAID)
    .where(inbox.c.lane.in_(_OTHER_LANES), inbox.c.finished_at.is_(None), _OF_TYPES)
    .order_by(inbox.c.id.desc())
    .limit(bindparam("most"))
)
_NEWEST = union_all(
    select(_BEHIND.with_only_columns(*_SAID).order_by(inbox.c.id.desc()).subquery()), select(_ELSEWHERE.subquery())
)


def from_clients(tx: Connection, claimed: Claimed, *event_types: str, limit: int = 200) -> list[Claimed]:
    """Return newer unfinished events of the lane that did not come from a carrier, newest first.

    People who write through a chat client or the API are among them; this is how a reply finds out that
    a human has answered in the meantime.
    """
    return _behind(tx, _FROM_CLIENTS, claimed, event_types, limit)


def from_anybody(tx: Connection, claimed: Claimed, *event_types: str, limit: int = 200) -> list[Claimed]:
    """Return newer unfinished events of the lane, oldest first: what a burst consists of."""
    return _behind(tx, _FROM_ANYBODY, claimed, event_types, limit)


def newest(
    tx: Connection, claimed: Claimed, *event_types: str, addresses: Sequence[str], limit: int
) -> Sequence[Record]:
    """Return the newest unfinished events of the lane behind this one, and all of the other conversations of a person.

    That person is in them under one of these addresses. Rows: id, lane, event type, method, target and body, the
    newest first, at most `limit` from either.
    """
    asked = _asked(claimed, event_types, limit) | {"addresses": addresses or ["-"]}
    return sorted(tx.execute(_NEWEST, asked), key=attrgetter("id"), reverse=True)


def _behind(
    tx: Connection, query: Select[Any], claimed: Claimed, event_types: Sequence[str], limit: int
) -> list[Claimed]:
    found = tx.execute(query, _asked(claimed, event_types, limit))
    return [Claimed(claimed.instant, claimed.lease, *row) for row in found]


def _asked(claimed: Claimed, event_types: Sequence[str], limit: int) -> dict[str, object]:
    return {"a_lane": claimed.lane, "an_id": claimed.id, "event_types": event_types, "most": limit}
