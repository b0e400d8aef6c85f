"""Rows of outgoing notifications: written with their cause, claimed by whoever sends them, and how that ended.

A row that is being sent says until when; if its process has died by then, it is sent again, or, where the target cannot
know it again by its id, is uncertain for good. It knows no network and no words.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, or_, select, text, update

from app.db.database import Record, insert_new
from app.db.notify_tables import LOST, OPEN, notifications
from app.db.sqlite import Moment

UNROUTED, WAITING, SENDING = "unrouted", "waiting", "sending"
SENT, FAILED, UNCERTAIN, GATHERED = "sent", "failed", "uncertain", "gathered"
STATES = (UNROUTED, WAITING, SENDING, SENT, FAILED, UNCERTAIN, GATHERED)
LEASE = timedelta(seconds=30)  # an attempt takes 10 s at most
GATHERED_FOR = timedelta(minutes=5)
LONGEST_WAIT = timedelta(hours=1)  # a row that seems to wait for longer is due: the clock was set back
DIED = "the process that sent it ended meanwhile: it may have been sent, and is not repeated"

_ROW = notifications.c
_NOW = bindparam("now", type_=Moment())
_HERE = _ROW.target == bindparam("name")
_DUE = or_(_ROW.due_at <= _NOW, _ROW.due_at > bindparam("latest", type_=Moment()))
_SOMETHING_DUE = select(_ROW.id).where(text(OPEN), _HERE, _DUE).limit(1)
_OLDEST = select(_ROW.id).where(text(OPEN), _HERE, _DUE).order_by(_ROW.due_at, _ROW.id).limit(1)
_BEGIN: Mapping[str, Any] = {
    "state": SENDING,
    "attempts": _ROW.attempts + 1,
    "tried_at": _NOW,
    "due_at": bindparam("lease_until", type_=Moment()),
    "token": bindparam("new_token"),
}
_CLAIM = (
    update(notifications)
    .where(_ROW.id == _OLDEST.with_for_update(skip_locked=True).scalar_subquery())
    .values(_BEGIN)
    .returning(notifications)
)


@dataclass(frozen=True, slots=True)
class Notification:
    """One notification that is ours to send; `others` are the payloads of those that are told with it."""

    id: int
    token: str
    webhook_id: str
    kind: str
    payload: Mapping[str, Any]
    attempts: int
    created_at: datetime
    others: tuple[Mapping[str, Any], ...] = ()


def webhook_id(cause: str, target: str) -> str:
    """Return the id under which a target gets to know of a cause: the same at every attempt, in every process."""
    return f"msg_{hashlib.sha256(f'{target} {cause}'.encode(errors='surrogatepass')).hexdigest()[:32]}"


def record(
    tx: Connection,
    cause: str,
    target: str,
    kind: str,
    payload: Mapping[str, Any],
    now: datetime,
    *,
    conversation_sid: str = "",
) -> bool:
    """Write down that a target is to be told of a cause; return False where that is known already.

    Without a target whoever sends looks up who is to be told.
    """
    row = {
        "webhook_id": webhook_id(cause, target),
        "target": target,
        "kind": kind,
        "conversation_sid": conversation_sid,
        "payload": dict(payload),
        "state": WAITING if target else UNROUTED,
        "created_at": now,
        "due_at": now,
    }
    return insert_new(tx, notifications, row)


def is_anything_due(tx: Connection, target: str, now: datetime) -> bool:
    """Return whether there is something to do for a target; "": something of which nobody knows yet whom to tell."""
    return tx.scalar(_SOMETHING_DUE, _at(target, now)) is not None


def take_unrouted(tx: Connection) -> Sequence[Record]:
    """Return, and delete, what was written down without a target; the caller writes it down anew for its targets."""
    found = tx.execute(
        select(notifications).where(text(OPEN), _ROW.target == "").order_by(_ROW.id).limit(100).with_for_update()
    ).all()
    if found:
        tx.execute(delete(notifications).where(_ROW.id.in_([row.id for row in found])))
    return found


def claim(tx: Connection, target: str, token: str, now: datetime) -> Notification | None:
    """Return what a target is to be told next, ours once it is committed; each by itself, and again after a crash."""
    row = tx.execute(_CLAIM, _at(target, now) | {"new_token": token, "lease_until": now + LEASE}).first()
    return _notification(row) if row else None


def claim_group(tx: Connection, target: str, token: str, now: datetime) -> Notification | None:
    """Return the same for a target that is told at most once: with it all that waits of its kind.

    What follows on one of its kind within five minutes is held until they are over.
    """
    _give_up_the_dead(tx, target, now)
    while (kind := _kind_due(tx, target, now)) is not None:
        this = (text(OPEN), _ROW.target == target, _ROW.kind == kind, _ROW.state == WAITING)
        # Locked first: of two processes the second then sees what the first has begun.
        rows = tx.execute(select(notifications).where(*this).order_by(_ROW.id).with_for_update()).all()
        if not rows:
            continue
        begun = _last_begun(tx, target, kind, now)
        if begun is None:
            return _gathered(tx, rows, token, now)
        tx.execute(update(notifications).where(*this).values(due_at=begun + GATHERED_FOR))
    return None


def _give_up_the_dead(tx: Connection, target: str, now: datetime) -> None:
    dead = (text(OPEN), _ROW.target == target, _ROW.state == SENDING)
    ended = {"state": UNCERTAIN, "reason": DIED, "ended_at": now}
    tx.execute(update(notifications).where(*dead, _DUE).values(**ended), _at(target, now))


def _kind_due(tx: Connection, target: str, now: datetime) -> str | None:
    waiting = select(_ROW.kind).where(text(OPEN), _HERE, _ROW.state == WAITING, _DUE)
    found: str | None = tx.scalar(waiting.order_by(_ROW.due_at, _ROW.id).limit(1), _at(target, now))
    return found


def _last_begun(tx: Connection, target: str, kind: str, now: datetime) -> datetime | None:
    """Return when this kind was told last, if the five minutes after that are not over."""
    told = (_ROW.target == target, _ROW.kind == kind, _ROW.state.in_([SENDING, SENT, UNCERTAIN]))
    lately = (_ROW.tried_at > now - GATHERED_FOR, _ROW.tried_at <= now)
    begun: datetime | None = tx.scalar(select(func.max(_ROW.tried_at)).where(*told, *lately))
    return begun


def _gathered(tx: Connection, rows: Sequence[Record], token: str, now: datetime) -> Notification:
    first, *rest = rows
    if rest:
        told = {"state": GATHERED, "gathered_into": first.id, "ended_at": now}
        tx.execute(update(notifications).where(_ROW.id.in_([row.id for row in rest])).values(**told))
    values = {"now": now, "lease_until": now + LEASE, "new_token": token}
    row = tx.execute(update(notifications).where(_ROW.id == first.id).values(_BEGIN).returning(notifications), values)
    return _notification(row.one(), tuple(one.payload for one in rest))


def _notification(row: Record, others: tuple[Mapping[str, Any], ...] = ()) -> Notification:
    return Notification(row.id, row.token, row.webhook_id, row.kind, row.payload, row.attempts, row.created_at, others)


def _at(target: str, now: datetime) -> dict[str, Any]:
    return {"name": target, "now": now, "latest": now + LONGEST_WAIT}


def record_end(tx: Connection, sent: Notification, state: str, reason: str, now: datetime) -> bool:
    """Write down how an attempt ended for good; return False where another process has taken it meanwhile."""
    return _set(tx, sent, state=state, reason=reason, ended_at=now)


def postpone(tx: Connection, failed: Notification, reason: str, due_at: datetime) -> bool:
    """Try it again later; return False where another process has taken it meanwhile."""
    return _set(tx, failed, state=WAITING, reason=reason, due_at=due_at)


def release_gathered(tx: Connection, failed: Notification, reason: str, due_at: datetime) -> None:
    """Let what was to be told with one that has not arrived wait by itself: that one may be given up, or erased.

    Call it before postpone() and record_end().
    """
    head = tx.execute(select(_ROW.state, _ROW.token).where(_ROW.id == failed.id)).first()
    if head is not None and (head.state, head.token) != (SENDING, failed.token):  # for another it may have arrived
        return
    gathered = (_ROW.gathered_into == failed.id, _ROW.state == GATHERED)
    waits = {"state": WAITING, "reason": reason, "due_at": due_at, "ended_at": None, "gathered_into": None}
    tx.execute(update(notifications).where(*gathered).values(**waits))


def _set(tx: Connection, ours: Notification, **values: Any) -> bool:
    this = (_ROW.id == ours.id, _ROW.token == ours.token, _ROW.state == SENDING)
    return tx.execute(update(notifications).where(*this).values(token=None, **values)).rowcount > 0


def end_those_without(tx: Connection, targets: Collection[str], before: datetime, now: datetime) -> int:
    """Give up what older processes wrote down for targets that are no more; return how much that was."""
    lost = (text(OPEN), _ROW.target.not_in(["", *targets]), _ROW.created_at < before)
    ended = {"state": FAILED, "reason": "BOT_NOTIFY names no such target any more", "ended_at": now}
    return tx.execute(update(notifications).where(*lost).values(**ended)).rowcount


@dataclass(frozen=True, slots=True)
class TargetState:
    """How it is with one target; `failing_since`: nothing has reached it since its oldest failed attempt."""

    target: str
    waiting: int
    failed: int
    uncertain: int
    failing_since: datetime | None
    reason: str


def standings(tx: Connection, targets: Collection[str]) -> list[TargetState]:
    """Return how it is with each of these targets, and with others for which something is open or lost."""
    counts: dict[str, dict[str, int]] = {name: {} for name in targets}
    for condition in (OPEN, LOST):
        unsent = select(_ROW.target, _ROW.state, func.count()).where(text(condition), _ROW.target != "")
        for name, state, number in tx.execute(unsent.group_by(_ROW.target, _ROW.state)):
            counts.setdefault(name, {})[state] = number
    return [_standing(tx, name, counts[name]) for name in sorted(counts)]


def _standing(tx: Connection, name: str, counts: Mapping[str, int]) -> TargetState:
    waiting = counts.get(WAITING, 0) + counts.get(SENDING, 0)
    here = (waiting, counts.get(FAILED, 0), counts.get(UNCERTAIN, 0))
    found = _failures_since_it_was_reached(tx, name) if counts else []
    if not found:
        return TargetState(name, *here, None, "")
    return TargetState(name, *here, min(row.tried_at for row in found), max(found, key=lambda row: row.tried_at).reason)


def _failures_since_it_was_reached(tx: Connection, name: str) -> list[Record]:
    sent = select(_ROW.tried_at).where(_ROW.target == name, _ROW.state == SENT).order_by(_ROW.tried_at.desc()).limit(1)
    reached_at = tx.scalar(sent)
    found: list[Record] = []
    for condition in (OPEN, LOST):
        tried = select(_ROW.tried_at, _ROW.reason).where(text(condition), _ROW.target == name, _ROW.reason != "")
        since = _ROW.tried_at > reached_at if reached_at else _ROW.tried_at.is_not(None)
        found += tx.execute(tried.where(since)).all()
    return found


def listed(tx: Connection, states: Collection[str], *, limit: int = 100) -> Sequence[Record]:
    """Return notifications in these states, the newest first."""
    query = select(notifications).where(_ROW.state.in_(list(states)))
    return tx.execute(query.order_by(_ROW.id.desc()).limit(limit)).all()
