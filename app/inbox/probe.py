"""Checks whether events can be stored, by inserting some and rolling back."""

from __future__ import annotations

import os
import secrets
from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import Connection, delete, insert, update

from app.db.database import Database
from app.db.tables import inbox, lanes
from app.inbox import queue
from app.inbox.queue import NewEvent

_AN_EVENT = NewEvent("", "probe", "probe", "", "POST", "", bytes(1_000))  # about as long as an SMS


def try_to_store(db: Database, tx: Connection, like: Sequence[NewEvent] = ()) -> None:
    """Write as much as these events would, or one of usual size. Raises what storing them would raise."""
    now = db.now(tx)
    rows = [
        queue.row_of(_disguised(event), now) | {"id": -1 - secrets.randbelow(2**62)} for event in like or [_AN_EVENT]
    ]
    tx.execute(update(lanes).where(lanes.c.lane == "").values(lease_token=None))  # no row: is the table locked?
    tx.execute(insert(inbox), rows)
    tx.execute(delete(inbox).where(inbox.c.id.in_([row["id"] for row in rows])))


def _disguised(event: NewEvent) -> NewEvent:
    """Return an event as long as another, with nothing of it; not all zeros, which would be made short."""
    return replace(
        _AN_EVENT,
        event_key=f"probe:{secrets.token_hex(16)}",
        target="/" * len(event.target),
        body=os.urandom(len(event.body)),
    )
