"""Deletes what is older than BOT_RETENTION_DAYS, from every table that grows; a little at a time, beside the others.

Kept whatever their age: dead events (nobody has looked at them), replies not sent yet, who has opted out, and what is
known of conversations that are open. Numbers that only grow must not fall: what was counted in the rows is remembered.
Of a change of consent the details go; who, as a hash, what, by which word, where and when stays as evidence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    String,
    Table,
    and_,
    bindparam,
    cast,
    delete,
    false,
    func,
    or_,
    select,
)

from app.db.consent_tables import consent_ledger
from app.db.database import Database, insert_into
from app.db.maintenance_tables import purged_counts, purged_keys, receipt_looks, reconcile_cursors
from app.db.notify_tables import notifications
from app.db.page_tables import agent_answers, login_failures
from app.db.tables import (
    audit_log,
    conversations,
    decisions,
    deliveries,
    delivery_events,
    gate,
    inbox,
    lanes,
    messages,
    participants,
    replies,
    responder_calls,
    rule_actions,
)
from app.store import consent
from app.store import messages as stored_messages

TASK = "retention"
LOOKED_AT_ONCE = 2_000
DELETED_AT_ONCE = 500  # the disk is ours for some 10 ms; who answers Twilio waits no longer
PAUSE_SECONDS = 0.05

Wait = Callable[[float], bool]


@dataclass(frozen=True)
class Sweep:
    """A table, the first column of its key, and which of its rows are to go; behind one that `is_new` all are new."""

    table: Table
    key: Column[Any]
    is_old: ColumnElement[bool]
    is_new: ColumnElement[bool] = field(default_factory=false)


@dataclass(frozen=True)
class _Counted:
    """Rows of one table that are counted by a label; `metric` is the name of that number here."""

    metric: str
    label: ColumnElement[Any]
    those: ColumnElement[bool]


_COUNTED = {
    replies: _Counted("replies", replies.c.rule, replies.c.state == "sent"),
    deliveries: _Counted("deliveries", deliveries.c.status, deliveries.c.status != ""),
    delivery_events: _Counted(
        "failures", cast(delivery_events.c.error_code, String), delivery_events.c.status.in_(["failed", "undelivered"])
    ),
}


def _sweeps(before: datetime, now: datetime) -> Sequence[Sweep]:
    done = inbox.c.state.in_(["processed", "ignored"])
    unfinished = select(inbox.c.id).where(inbox.c.lane == lanes.c.lane, inbox.c.finished_at.is_(None)).exists()
    idle = and_(lanes.c.ready_at.is_(None), or_(lanes.c.lease_until.is_(None), lanes.c.lease_until < before))
    open_reply = replies.c.state.in_(["intended", "sending"])
    ended = or_(conversations.c.state == "closed", conversations.c.removed_at.is_not(None))
    last_seen = func.coalesce(conversations.c.last_message_at, conversations.c.state_at, conversations.c.dated)
    last_wrote = func.coalesce(participants.c.last_inbound_at, participants.c.dated)
    orphan = and_(last_wrote < before, ~_is_known(participants.c.conversation_sid))
    gone = or_(participants.c.removed_at < before, orphan)
    looked_at, forgotten_before = reconcile_cursors.c.looked_at, reconcile_cursors.c.forgotten_before
    told_at = notifications.c.created_at
    useless = and_(
        func.coalesce(looked_at, forgotten_before) < before, func.coalesce(forgotten_before, looked_at) < before
    )
    return (
        Sweep(inbox, inbox.c.id, and_(done, inbox.c.finished_at < before), inbox.c.received_at >= before),
        Sweep(lanes, lanes.c.lane, and_(idle, ~unfinished)),
        Sweep(messages, messages.c.message_sid, messages.c.noted_at < before),
        Sweep(decisions, decisions.c.message_sid, decisions.c.decided_at < before),
        Sweep(replies, replies.c.reply_to, and_(replies.c.intended_at < before, ~open_reply)),
        Sweep(deliveries, deliveries.c.delivery_receipt_sid, deliveries.c.updated_at < before),
        Sweep(delivery_events, delivery_events.c.inbox_id, delivery_events.c.received_at < before),
        Sweep(rule_actions, rule_actions.c.message_sid, rule_actions.c.intended_at < before),
        Sweep(responder_calls, responder_calls.c.message_sid, responder_calls.c.asked_at < before),
        Sweep(conversations, conversations.c.conversation_sid, and_(ended, last_seen < before)),
        Sweep(participants, participants.c.participant_sid, and_(gone, participants.c.opted_out_at.is_(None))),
        Sweep(audit_log, audit_log.c.id, audit_log.c.at < before, audit_log.c.at >= before),
        Sweep(agent_answers, agent_answers.c.form, agent_answers.c.tried_at < before),
        Sweep(notifications, notifications.c.id, told_at < before, told_at >= before),
        Sweep(login_failures, login_failures.c.id, login_failures.c.at < before),
        Sweep(receipt_looks, receipt_looks.c.message_sid, receipt_looks.c.looked_at < before),
        Sweep(reconcile_cursors, reconcile_cursors.c.conversation_sid, useless),
        Sweep(consent_ledger, consent_ledger.c.id, and_(consent_ledger.c.at < before, consent.SAYS_MORE)),
        Sweep(purged_keys, purged_keys.c.key_hash, purged_keys.c.purged_at < now - stored_messages.PURGED_KEPT_FOR),
        Sweep(gate, gate.c.scope, gate.c.not_before < now),
    )


def _is_known(conversation_sid: Column[Any]) -> ColumnElement[bool]:
    return select(conversations.c.conversation_sid).where(conversations.c.conversation_sid == conversation_sid).exists()


def purge(
    db: Database, before: datetime, *, wait: Wait, still_ours: Callable[[], None] = lambda: None
) -> dict[str, int]:
    """Delete or empty what is older than a time; return how many rows of each table, those without any left out.

    `wait` waits for seconds and returns whether to stop; `still_ours` is called between batches, and what it raises
    ends the purge. It may stop and begin anew at any time. Raises DatabaseUnavailable.
    """
    with db.read() as tx:
        now = db.now(tx)
    deleted: dict[str, int] = {}
    for sweep in _sweeps(before, now):
        for keys in _old_keys(db, sweep):
            with db.write() as tx:
                if counted := _COUNTED.get(sweep.table):
                    _remember(tx, counted, sweep.key.in_(keys), sweep.is_old)
                if sweep.table is inbox:
                    stored_messages.remember_purged(tx, and_(sweep.key.in_(keys), sweep.is_old), now)
                count = _remove(tx, sweep, keys)
            deleted[sweep.table.name] = deleted.get(sweep.table.name, 0) + count
            still_ours()
            if wait(PAUSE_SECONDS):
                return deleted
    return deleted


def _remove(tx: Connection, sweep: Sweep, keys: Sequence[Any]) -> int:
    these = (sweep.key.in_(keys), sweep.is_old)
    if sweep.table is consent_ledger:
        return consent.forget_details(tx, *these)
    return tx.execute(delete(sweep.table).where(*these)).rowcount


def _old_keys(db: Database, sweep: Sweep) -> Iterator[Sequence[Any]]:
    """Yield the keys of old rows, some at a time, going through the table once in the order of its key."""
    last: Any = None
    found: list[Any] = []
    while True:
        columns = (sweep.key, sweep.is_old.label("is_old"), sweep.is_new.label("is_new"))
        query = select(*columns).order_by(sweep.key).limit(LOOKED_AT_ONCE)
        with db.read() as tx:
            rows = tx.execute(query if last is None else query.where(sweep.key > last)).all()
        found += dict.fromkeys(row[0] for row in rows if row.is_old)
        while len(found) >= DELETED_AT_ONCE:
            yield found[:DELETED_AT_ONCE]
            found = found[DELETED_AT_ONCE:]
        if not rows or rows[-1].is_new:
            break
        last = rows[-1][0]
    if found:
        yield found


def _remember(tx: Connection, counted: _Counted, *these: ColumnElement[bool]) -> None:
    """Add what is counted in these rows to what is remembered; call it just before they are deleted."""
    label = counted.label.label("label")
    found = tx.execute(select(label, func.count().label("more")).where(*these, counted.those).group_by(label)).all()
    rows = [{"metric": counted.metric, "label": row.label, "more": row.more} for row in found]
    if rows:
        tx.execute(_add(tx.dialect.name), sorted(rows, key=lambda row: str(row["label"])))


@cache
def _add(dialect: str) -> Any:
    insert = insert_into(dialect, purged_counts).values(
        metric=bindparam("metric"), label=bindparam("label"), number=bindparam("more")
    )
    more = {"number": purged_counts.c.number + insert.excluded.number}
    return insert.on_conflict_do_update(index_elements=["metric", "label"], set_=more)
