"""Erases what is known of one person: texts, names and numbers go, empty rows stay so that the counts still hold.

Nothing of it comes back: redelivered webhooks are still known, and reconciliation fetches nothing from before.
Database.scrub() overwrites what an SQLite file still holds of it. What Twilio keeps is Twilio's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Table, and_, case, delete, or_, select, tuple_, update

from app.db.database import Database
from app.db.page_tables import agent_answers
from app.db.tables import (
    audit_log,
    conversations,
    decisions,
    deliveries,
    inbox,
    lanes,
    messages,
    metadata,
    participants,
    replies,
    responder_calls,
    rule_actions,
)
from app.privacy.subject_search import ERASED, Found, Key, Subject, find
from app.reconcile import progress as reconcile_cursors
from app.store import audit

AT_ONCE = 200
ROUNDS = 3  # for what comes in while we erase

Progress = Callable[[str, int], None]


def erase(
    db: Database,
    subject: Subject,
    agents: Sequence[str],
    found: Found,
    *,
    actor: str,
    progress: Progress = lambda _table, _rows: None,
) -> dict[str, int]:
    """Erase what was found, then look again until nothing is left; return how many rows of each table were emptied.

    Events of theirs that wait are not worked on any more, and a worker that is at one has to leave it. Only the counts
    are written to the log of actions. Raises DatabaseUnavailable; then call it again.
    """
    counts: dict[str, int] = {}
    for _ in range(ROUNDS):
        if not found:
            break
        _stop_work(db, found)
        for name, keys in found.rows.items():
            for start in range(0, len(keys), AT_ONCE):
                with db.write() as tx:
                    _empty(tx, metadata.tables[name], keys[start : start + AT_ONCE], subject, db.now(tx))
                progress(name, len(keys[start : start + AT_ONCE]))
            counts[name] = counts.get(name, 0) + len(keys)
        found = find(db, subject, agents)
    counts = {name: count for name, count in counts.items() if count}
    with db.write() as tx:
        audit.note(tx, actor, "erase a person", db.now(tx), detail=counts)
    return counts


def _stop_work(db: Database, found: Found) -> None:
    """Take the lanes of their conversations from whoever works there, and let nothing older be fetched again."""
    for sid in sorted(found.whole | found.shared):
        with db.write() as tx:
            now = db.now(tx)
            theirs = or_(lanes.c.lane == sid, lanes.c.lane == f"{sid}:receipts")
            free = {"lease_until": None, "lease_token": None, "ready_at": now, "ready_set_at": now}
            tx.execute(update(lanes).where(theirs).values(**free))
            if sid in found.whole:
                waiting = (inbox.c.lane.in_([sid, f"{sid}:receipts"]), inbox.c.finished_at.is_(None))
                tx.execute(update(inbox).where(*waiting).values(state="ignored", outcome=ERASED, finished_at=now))
            reconcile_cursors.forget(tx, sid, now)


def _empty(tx: Connection, table: Table, keys: Sequence[Key], subject: Subject, now: datetime) -> None:
    columns = list(table.primary_key)
    these = columns[0].in_([key[0] for key in keys]) if len(columns) == 1 else tuple_(*columns).in_(keys)
    if table is inbox:
        return _empty_inbox(tx, these, now)
    if table is audit_log:
        return _empty_audit_log(tx, these, subject)
    if (undone := _UNDONE.get(table)) is not None:
        tx.execute(delete(table).where(these, undone))
    if (values := _EMPTY.get(table)) is not None:
        tx.execute(update(table).where(these).values(**values))
    if table in (messages, participants):
        tx.execute(update(table).where(these, table.c.removed_at.is_(None)).values(removed_at=now))
    return None


def _empty_inbox(tx: Connection, these: Any, now: datetime) -> None:
    """Empty raw webhooks; their keys stay, so that a redelivery is known. What was to be done is done with."""
    for row in tx.execute(select(inbox.c.id, inbox.c.target).where(these)).all():
        emptied = {"body": b"", "headers": {}, "target": row.target.partition("?")[0]}
        tx.execute(update(inbox).where(inbox.c.id == row.id).values(**emptied))
    open_or_dead = and_(these, or_(inbox.c.finished_at.is_(None), inbox.c.state == "dead"))
    ended = {
        "state": "ignored",
        "outcome": ERASED,
        "finished_at": case((inbox.c.finished_at.is_(None), now), else_=inbox.c.finished_at),
    }
    tx.execute(update(inbox).where(open_or_dead).values(**ended))


def _empty_audit_log(tx: Connection, these: Any, subject: Subject) -> None:
    for row in tx.execute(select(audit_log).where(these)).all():
        named = {name: ERASED for name in ("actor", "subject") if subject.is_name(getattr(row, name))}
        tx.execute(update(audit_log).where(audit_log.c.id == row.id).values(detail={}, **named))


_UNDONE = {
    replies: replies.c.state != "sent",
    rule_actions: rule_actions.c.state.in_(["intended", "failed"]),
    responder_calls: responder_calls.c.message_sid.is_not(None),
}
_EMPTY: Mapping[Table, Mapping[str, Any]] = {
    messages: {"author": "", "body": "", "attributes": {}, "media": []},
    replies: {"body": "", "content_variables": {}, "media": "", "reason": ""},
    decisions: {"reason": ERASED, "tried": []},
    rule_actions: {"arguments": {}, "reason": ""},
    conversations: {"friendly_name": "", "unique_name": "", "attributes": {}, "paused_why": ""},
    participants: {"address": "", "identity": "", "attributes": {}},
    agent_answers: {"author": ERASED},
    deliveries: {"detail": "", "channel_message_sid": ""},
}
