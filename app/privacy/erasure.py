"""Erases what is known of one person: texts, names and numbers go, empty rows stay so that the counts still hold.

Nothing of it comes back: redelivered webhooks are still known, and reconciliation fetches nothing from before. That
they wanted silence stays, see silence.py.
Database.scrub() overwrites what an SQLite file still holds of it. What Twilio keeps is Twilio's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Table, and_, case, delete, or_, select, tuple_, update

from app.db.consent_tables import consent_ledger
from app.db.database import Database
from app.db.notify_tables import notifications
from app.db.page_tables import agent_answers
from app.db.tables import (
    audit_log,
    conversations,
    decisions,
    deliveries,
    inbox,
    messages,
    metadata,
    participants,
    replies,
    responder_calls,
    rule_actions,
)
from app.inbox.reservations import Report, Reservation, Wait, reserved
from app.privacy import silence
from app.privacy.subject import Subject
from app.privacy.subject_search import ERASED, Key, SubjectRows, find
from app.reconcile import progress as reconcile_cursors
from app.rules.schema import BotSettings
from app.store import audit, consent

AT_ONCE = 200
ROUNDS = 3  # for what comes in while we erase

Progress = Callable[[str, int], None]


@dataclass(frozen=True)
class Erased:
    """How many rows of each table were emptied, how many opt-outs outlive it, and how many workers did not end."""

    rows: Mapping[str, int]
    opt_outs: int = 0
    unfinished: int = 0


def erase(
    db: Database,
    subject: Subject,
    agents: Sequence[str],
    found: SubjectRows,
    *,
    actor: str,
    wait: Wait,
    bot: BotSettings | None = None,
    progress: Progress = lambda _table, _rows: None,
    waiting: Report = lambda _lanes, _seconds: None,
) -> Erased:
    """Erase what was found, then look again until nothing is left.

    What is being worked on in their conversations comes to its end before, so that nobody there is answered twice;
    `waiting` is told of it, and `wait` waits for seconds: PATIENCE_SECONDS in all, however often we look. Events of
    theirs that wait are not worked on any more; only that they wanted silence, in the words of `bot`, is heeded. Only
    the counts are written to the audit log.
    Raises DatabaseUnavailable; then call it again.
    """
    erasing = _Erasing(db, subject, bot or BotSettings())
    for _ in range(ROUNDS):
        if not found:
            break
        with reserved(db, _lanes_of(found), wait, waiting, waited=erasing.waited) as reservation:
            erasing.all_of(found, reservation, progress)
            found = find(db, subject, agents)
    with db.write() as tx:
        audit.record(tx, actor, "erase a person", db.now(tx), detail=erasing.counts)
        stays = sum(one.opted_out for one in consent.standings(tx, subject.people).values())
    return Erased(erasing.counts, stays, len(erasing.unfinished))


def _lanes_of(found: SubjectRows) -> list[str]:
    return [lane for sid in sorted(found.whole | found.shared) for lane in (sid, f"{sid}:receipts")]


class _Erasing:
    """One erasure under way: what was emptied, the lanes whose worker did not end, for how many seconds it waited."""

    def __init__(self, db: Database, subject: Subject, bot: BotSettings) -> None:
        self._db, self._subject, self._bot = db, subject, bot
        self.counts: dict[str, int] = {}
        self.unfinished: set[str] = set()
        self.waited = 0.0

    def all_of(self, found: SubjectRows, reservation: Reservation, progress: Progress) -> None:
        """Empty all these rows, while nobody works in their conversations, and let nothing older be fetched again."""
        self.unfinished |= reservation.unfinished
        self.waited = reservation.waited
        with self._db.write() as tx:
            for sid in sorted(found.whole | found.shared):
                reconcile_cursors.forget(tx, sid, self._db.now(tx))
        for name, keys in found.rows.items():
            for start in range(0, len(keys), AT_ONCE):
                some = keys[start : start + AT_ONCE]
                self.empty(metadata.tables[name], some)
                reservation.renew(self._db)
                self.counts[name] = self.counts.get(name, 0) + len(some)
                progress(name, len(some))

    def empty(self, table: Table, keys: Sequence[Key]) -> None:
        """Empty these rows of a table, all at once."""
        columns = list(table.primary_key)
        these = columns[0].in_([key[0] for key in keys]) if len(columns) == 1 else tuple_(*columns).in_(keys)
        with self._db.write() as tx:
            now = self._db.now(tx)
            if table is inbox:
                silence.heed_waiting(tx, these, self._subject, self._bot, now)
                _empty_inbox(tx, these, now)
            elif table is consent_ledger:
                consent.forget_details(tx, these)
            elif table is audit_log:
                _empty_audit_log(tx, these, self._subject)
            else:
                if table is participants:
                    silence.keep_stored(tx, these)
                _empty_rows(tx, table, these, now)


def _empty_rows(tx: Connection, table: Table, these: Any, now: datetime) -> None:
    if (undone := _UNDONE.get(table)) is not None:
        tx.execute(delete(table).where(these, undone))
    if (values := _EMPTY.get(table)) is not None:
        tx.execute(update(table).where(these).values(**values))
    if table in (messages, participants):
        tx.execute(update(table).where(these, table.c.removed_at.is_(None)).values(removed_at=now))


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
    notifications: notifications.c.state.in_(["unrouted", "waiting", "sending"]),
}
_EMPTY: Mapping[Table, Mapping[str, Any]] = {
    messages: {"author": "", "body": "", "attributes": {}, "media": []},
    replies: {"body": "", "content_variables": {}, "media": "", "reason": ""},
    decisions: {"reason": ERASED, "tried": []},
    rule_actions: {"arguments": {}, "reason": ""},
    conversations: {"friendly_name": "", "unique_name": "", "attributes": {}, "paused_why": ""},
    participants: {"address": "", "identity": "", "attributes": {}},
    agent_answers: {"author": ERASED},
    notifications: {"payload": {"title": ERASED, "text": "", "link": ""}, "reason": ""},
    deliveries: {"detail": "", "channel_message_sid": ""},
}
