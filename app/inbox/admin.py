"""Operators' queries and changes of the inbox: list, show, count, retry, purge. Workers use queue.py."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, case, delete, func, or_, select, update

from app.db.database import Record
from app.db.tables import deliveries, delivery_events, inbox, lanes
from app.db.wakeups import telling
from app.inbox import internal_events
from app.inbox.queue import wake
from app.store import messages

STATES = ("pending", "scheduled", "processing", "processed", "ignored", "dead")
FINISHED = ("processed", "ignored", "dead")
_PURGE_BATCH = 5000


def state_at(now: datetime) -> ColumnElement[str]:
    """Return the state that people see: pending is due now, scheduled is due later (back-offs, timers)."""
    later = and_(inbox.c.state == "pending", lanes.c.ready_at > now)
    return case((later, "scheduled"), else_=inbox.c.state).label("state")


def stats(tx: Connection, now: datetime) -> dict[str, int]:
    """Return the number of events in each state; every event is in exactly one."""
    return _count(tx, now, FINISHED)


def attention(tx: Connection, now: datetime) -> dict[str, int]:
    """Return the same without the events that are done: quick, however many those are."""
    counts = _count(tx, now, ("dead",))
    return {state: counts[state] for state in ("pending", "scheduled", "processing", "dead")}


def _count(tx: Connection, now: datetime, finished_states: Sequence[str]) -> dict[str, int]:
    joined = inbox.outerjoin(lanes, inbox.c.lane == lanes.c.lane)
    shown = state_at(now)
    open_rows = tx.execute(
        select(shown, func.count()).select_from(joined).where(inbox.c.finished_at.is_(None)).group_by(shown)
    )
    finished = select(inbox.c.state, func.count()).where(inbox.c.state.in_(finished_states))
    counts = {row[0]: row[1] for row in open_rows}
    for state, count in tx.execute(finished.group_by(inbox.c.state)):
        counts[state] = counts.get(state, 0) + count
    return {state: counts.get(state, 0) for state in STATES}


@dataclass(frozen=True, kw_only=True)
class EventFilter:
    """Which events are asked for; None and False: whichever.

    Types and conversations have no index: `from_id` bounds how far back they are looked for. `ids` narrows it to
    these events, `conversation_sid` to one conversation and its receipts, `webhooks_only` leaves out the events that
    we made ourselves.
    """

    state: str | None = None
    event_type: str | None = None
    after_id: int | None = None
    before_id: int | None = None
    from_id: int | None = None
    conversation_sid: str | None = None
    ids: Sequence[int] | None = None
    webhooks_only: bool = False


ALL_EVENTS = EventFilter()


def list_events(
    tx: Connection, now: datetime, wanted: EventFilter = ALL_EVENTS, *, limit: int = 20
) -> Sequence[Record]:
    """Return the newest events, newest first; where those after an id are wanted, the oldest of them, oldest first."""
    shown = state_at(now)
    columns = [column for column in inbox.c if column.name not in ("state", "body", "headers", "target")]
    query = select(*columns, shown, lanes.c.ready_at).select_from(inbox.outerjoin(lanes, inbox.c.lane == lanes.c.lane))
    query = query.where(*_conditions(wanted, shown)).limit(limit)
    return tx.execute(query.order_by(inbox.c.id.desc() if wanted.after_id is None else inbox.c.id)).all()


def _conditions(wanted: EventFilter, shown: ColumnElement[str]) -> Iterator[ColumnElement[bool]]:
    if wanted.state:
        yield from _in_state(wanted.state, shown)
    if wanted.before_id is not None:
        yield inbox.c.id < wanted.before_id
    if wanted.from_id is not None:
        yield inbox.c.id >= wanted.from_id
    if wanted.after_id is not None:
        yield inbox.c.id > wanted.after_id
    if wanted.event_type:
        yield inbox.c.event_type == wanted.event_type
    if wanted.conversation_sid:
        yield inbox.c.lane.in_([wanted.conversation_sid, f"{wanted.conversation_sid}:receipts"])
    if wanted.ids is not None:
        yield inbox.c.id.in_(wanted.ids)
    if wanted.webhooks_only:
        yield inbox.c.method != internal_events.METHOD


def _in_state(state: str, shown: ColumnElement[str]) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions for a state that people see, as the indexes know them."""
    if state in FINISHED:
        return (inbox.c.state == state,)
    return (inbox.c.finished_at.is_(None), shown == state)


def last_id(tx: Connection, *, before: datetime | None = None) -> int:
    """Return the id of the newest event, or of the newest that arrived before a time; 0 when there is none."""
    query = select(inbox.c.id).order_by(inbox.c.id.desc()).limit(1)
    return tx.scalar(query if before is None else query.where(inbox.c.received_at < before)) or 0


def get_event(tx: Connection, now: datetime, event_id: int) -> Record | None:
    """Return one event with its raw request, or None."""
    columns = [column for column in inbox.c if column.name != "state"]
    joined = inbox.outerjoin(lanes, inbox.c.lane == lanes.c.lane)
    query = select(*columns, state_at(now), lanes.c.ready_at, lanes.c.lease_until).select_from(joined)
    return tx.execute(query.where(inbox.c.id == event_id)).first()


def ids_about_message(tx: Connection, message_sid: str) -> list[int]:
    """Return the ids of the events about one message, oldest first: added, edited, removed, and its receipts."""
    key = inbox.c.event_key
    about = or_(
        key == f"onMessageAdded:{message_sid}",
        key.startswith(f"onMessageUpdated:{message_sid}:"),
        key.startswith(f"onMessageRemoved:{message_sid}:"),
    )
    receipts = (
        select(delivery_events.c.inbox_id)
        .join(deliveries, deliveries.c.delivery_receipt_sid == delivery_events.c.delivery_receipt_sid)
        .where(deliveries.c.message_sid == message_sid)
    )
    return list(tx.scalars(select(inbox.c.id).where(or_(about, inbox.c.id.in_(receipts))).order_by(inbox.c.id)))


def dead_events(tx: Connection, *, reason: str = "", since: datetime | None = None) -> Sequence[Record]:
    """Return the dead events, oldest first, that died since a time, and whose outcome contains `reason` in any case."""
    query = select(inbox.c.id, inbox.c.event_type, inbox.c.finished_at, inbox.c.outcome).where(inbox.c.state == "dead")
    if reason:
        query = query.where(func.lower(inbox.c.outcome).contains(reason.lower(), autoescape=True))
    if since is not None:
        query = query.where(inbox.c.finished_at >= since)
    return tx.execute(query.order_by(inbox.c.id)).all()


def retry(tx: Connection, now: datetime, ids: Sequence[int]) -> list[int]:
    """Put those of these events that are dead back to work with all their attempts; return their ids.

    A reply that an earlier attempt may have sent is looked for at Twilio first, so nobody is answered twice.
    """
    rows: list[Record] = []
    for start in range(0, len(ids), 500):
        these = (inbox.c.state == "dead", inbox.c.id.in_(ids[start : start + 500]))
        rows += tx.execute(select(inbox.c.id, inbox.c.lane).where(*these).order_by(inbox.c.id)).all()
    return _put_back(tx, rows, now)


def make_due(tx: Connection, now: datetime, outcomes: Sequence[str]) -> int:
    """Let the conversations that wait with one of these reasons be due now; return how many."""
    waiting = select(inbox.c.lane).where(inbox.c.finished_at.is_(None), inbox.c.outcome.in_(outcomes))
    this = update(lanes).where(lanes.c.ready_at > now, lanes.c.lane.in_(waiting))
    return tx.execute(telling(tx.dialect.name, this.values(ready_at=now, ready_set_at=now))).rowcount


def work_again(tx: Connection, now: datetime, event_key: str) -> bool:
    """Put a finished event back to work, also one that was processed; return False when there is none to put back."""
    this = (inbox.c.event_key == event_key, inbox.c.finished_at.is_not(None))
    return bool(_put_back(tx, tx.execute(select(inbox.c.id, inbox.c.lane).where(*this)).all(), now))


def _put_back(tx: Connection, rows: Sequence[Record], now: datetime) -> list[int]:
    revived = [row.id for row in rows]
    values = {"state": "pending", "attempts": 0, "finished_at": None}
    for start in range(0, len(revived), 500):
        tx.execute(update(inbox).where(inbox.c.id.in_(revived[start : start + 500])).values(**values))
    wake(tx, {row.lane for row in rows}, now, now)
    return revived


def count_older(tx: Connection, before: datetime) -> int:
    """Return how many finished events purge() would delete."""
    return tx.scalar(select(func.count()).where(_purgeable(before))) or 0


def purge(tx: Connection, before: datetime, now: datetime) -> int:
    """Delete up to 5,000 events that were finished before a time, and lanes without events; return how many events.

    Dead events stay: nobody has looked at them. Call it until it returns 0, each time in a transaction of its own.
    """
    batch = tx.scalars(select(inbox.c.id).where(_purgeable(before)).limit(_PURGE_BATCH)).all()
    messages.remember_purged(tx, inbox.c.id.in_(batch), now)
    deleted = tx.execute(delete(inbox).where(inbox.c.id.in_(batch))).rowcount
    if deleted == 0:
        used = select(inbox.c.lane).where(inbox.c.lane == lanes.c.lane).exists()
        idle = and_(lanes.c.ready_at.is_(None), or_(lanes.c.lease_until.is_(None), lanes.c.lease_until < before))
        tx.execute(delete(lanes).where(idle, ~used))
    return deleted


def _purgeable(before: datetime) -> ColumnElement[bool]:
    return and_(inbox.c.finished_at < before, inbox.c.state.in_(["processed", "ignored"]))
