"""Gates: until when nothing is sent to a conversation or from the account, and why.

Twilio closes one by asking to wait (429, 503). When it fails again and again the account's gate is closed, too: then
one request at a time tries whether it works again. A gate is closed for 15 minutes at most; one that seems to be
closed for longer is not believed: the clock was set back, or an earlier version took Twilio's word for years.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, delete, func, or_, select, update

from app.db.database import Record, insert_into, insert_new
from app.db.tables import gate

ACCOUNT = "account"
ASKED = "Twilio asked us to wait"
LONGEST = timedelta(minutes=15)
FAILURES = 5  # of Twilio's within FAILING, with nothing that succeeded between them: then it is out of order
FAILING = timedelta(minutes=15)  # a single reply that is tried again and again must close the gate, too
FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=5), timedelta(seconds=60)  # between two requests that try
PROBE = timedelta(seconds=20)  # as long as one request may take; then another tries

_CLOSED = (gate.c.not_before > bindparam("now"), gate.c.not_before <= bindparam("latest"))
_HERE = gate.c.scope.in_(bindparam("scopes", expanding=True))
_OPENS_AT = select(func.max(gate.c.not_before)).where(_HERE, *_CLOSED)
_GATES = select(gate).where(_HERE)


@dataclass(frozen=True, slots=True)
class Passage:
    """Whether a request may go now: `opens_at` says when if not. `failures` and `probes` are for what comes of it."""

    opens_at: datetime | None = None
    reason: str = ""
    failures: int = 0
    probes: bool = False
    failing_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class ClosedGate:
    """A gate that is closed; `failing_since` is set where Twilio is out of order: at `opens_at` one request tries."""

    scope: str
    opens_at: datetime
    reason: str
    failing_since: datetime | None


def close(tx: Connection, scope: str, wait: timedelta, now: datetime, reason: str = "") -> None:
    """Let nobody send to `scope` (a ConversationSid, or ACCOUNT for all) for a time; never shortens a wait."""
    not_before = now + min(wait, LONGEST)
    values = {"not_before": not_before, "set_at": now, "reason": reason}
    insert = insert_into(tx.dialect.name, gate).values(scope=scope, **values)
    later = or_(insert.excluded.not_before > gate.c.not_before, gate.c.not_before > now + LONGEST)
    tx.execute(insert.on_conflict_do_update(index_elements=["scope"], set_=values, where=later))


def opens_at(tx: Connection, conversation_sid: str, now: datetime) -> datetime | None:
    """Return until when nothing may be sent to this conversation; None when it may."""
    asked = {"scopes": [ACCOUNT, conversation_sid], "now": now, "latest": now + LONGEST}
    at: datetime | None = tx.scalar(_OPENS_AT, asked)
    return at


def enter(tx: Connection, conversation_sid: str, now: datetime) -> Passage:
    """Ask to make a request. While Twilio is out of order one at a time may: it probes, the others wait for it."""
    rows = tx.execute(_GATES, {"scopes": [ACCOUNT, conversation_sid]}).all()
    closed = [row for row in rows if _is_closed(row, now)]
    if closed:
        last = max(closed, key=lambda row: row.not_before)
        return Passage(last.not_before, reason_of(last))
    account = next((row for row in rows if row.scope == ACCOUNT), None)
    if account is None or not _is_out_of_order(account, now):
        return Passage(failures=account.failures if account else 0)
    this = (gate.c.scope == ACCOUNT, gate.c.not_before == account.not_before)
    if tx.execute(update(gate).where(*this).values(not_before=now + PROBE, set_at=now)).rowcount:
        return Passage(failures=account.failures, probes=True, failing_since=account.failing_since)
    return Passage(now + PROBE, reason_of(account))  # another was faster


def _is_closed(row: Record, now: datetime) -> bool:
    return bool(now < row.not_before <= now + LONGEST)


def _is_out_of_order(account: Record, now: datetime) -> bool:
    """Return whether requests must try one at a time; what nobody has tried for long is forgotten."""
    return bool(account.failures >= FAILURES and now <= account.not_before + LONGEST)


def record_failure(tx: Connection, passage: Passage, reason: str, now: datetime) -> Passage:
    """Count that Twilio failed; return until when the account's gate is closed because of it, if it is, and why."""
    insert_new(tx, gate, {"scope": ACCOUNT, "not_before": now, "set_at": now})
    this = gate.c.scope == ACCOUNT
    row = tx.execute(select(gate).where(this).with_for_update()).one()
    if _is_closed(row, now) and not passage.probes:
        return Passage(row.not_before, reason_of(row)) if row.failures >= FAILURES else Passage()
    failures = row.failures + 1 if _goes_on(row, now) else 1
    values = {"failures": failures, "failing_since": row.failing_since if failures > 1 else now}
    if failures >= FAILURES:
        pause = min(FIRST_PAUSE * int(2 ** min(failures - FAILURES, 10)), LONGEST_PAUSE)
        values |= {"not_before": now + pause, "set_at": now, "reason": reason}
    closed = tx.execute(update(gate).where(this).values(**values).returning(gate)).one()
    if failures < FAILURES:
        return Passage()
    return Passage(closed.not_before, reason_of(closed), failures, failing_since=closed.failing_since)


def _goes_on(row: Record, now: datetime) -> bool:
    """Return whether a failure belongs to those before: nothing succeeded between them, and they are not far apart."""
    if row.failing_since is None:
        return False
    return _is_out_of_order(row, now) or bool(row.failing_since <= now <= row.failing_since + FAILING)


def record_success(tx: Connection, now: datetime, *, only_read: bool = False) -> None:
    """Record that Twilio works: a gate that was closed because it did not is open, its failures are forgotten.

    `only_read`: that it takes something is not shown yet, so the next request tries too, and at once.
    """
    this = update(gate).where(gate.c.scope == ACCOUNT)
    closed = this.where(gate.c.failures >= FAILURES)
    if only_read:
        tx.execute(closed.values(not_before=now, set_at=now))
        return
    failed = {"failures": 0, "failing_since": None}
    tx.execute(closed.values(not_before=now, set_at=now, reason="", **failed))
    tx.execute(this.where(gate.c.failures > 0).values(**failed))


def reason_of(row: Record) -> str:
    """Return why a gate is closed; the events that wait for it say the same."""
    if row.failures >= FAILURES:
        return f"{row.reason}, again and again: all wait, and one request at a time tries"
    return f"{ASKED}: {row.reason}" if row.reason else ASKED


def closed_gates(tx: Connection, now: datetime) -> list[ClosedGate]:
    """Return the gates that are closed now, the account's first; one that lets a single request try is closed, too."""
    this = or_(gate.c.failures >= FAILURES, gate.c.not_before > now)
    rows = tx.execute(select(gate).where(this).order_by(gate.c.scope != ACCOUNT, gate.c.scope)).all()
    return [_closed(row) for row in rows if _is_out_of_order(row, now) or _is_closed(row, now)]


def _closed(row: Record) -> ClosedGate:
    failing_since = row.failing_since if row.failures >= FAILURES else None
    return ClosedGate(row.scope, row.not_before, reason_of(row), failing_since)


def lift(tx: Connection, scope: str) -> bool:
    """Open a gate, whatever it was closed for; return False when there is none."""
    return tx.execute(delete(gate).where(gate.c.scope == scope)).rowcount > 0
