"""Shapes what the phone simulator shows: messages, ticks, and the bot's decision on each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, select

from app.dashboard.phone.customers import PhoneCustomer
from app.db.tables import decisions, messages
from app.inbox import admin, describe
from app.inbox.describe import Wording
from app.twilio_api import form, parsing

_ANSWERED = ("replied", "acted")
_WORDING = Wording(name=str, text=lambda text: f"“{text}”", title=str, sid=lambda sid: f"{sid[:2]}…{sid[-6:]}")
MOST_BUBBLES = 100
MOST_LINES = 40


@dataclass(frozen=True)
class BotVerdict:
    """What the bot thought of a message; `is_answer` whether it did something, `is_known` whether it has it at all."""

    text: str
    is_answer: bool = False
    is_known: bool = True


_NOT_RECEIVED = BotVerdict("Parley has not received it", is_known=False)


@dataclass(frozen=True)
class Bubble:
    """One message on the screen. `status` is what became of it on the way to this phone."""

    message_sid: str
    conversation_sid: str
    is_mine: bool
    author: str
    text: str
    media: tuple[str, ...]
    at: datetime | None
    is_template: bool = False
    status: str = ""
    error_code: int = 0
    verdict: BotVerdict | None = None


@dataclass(frozen=True)
class LogLine:
    """One event: what came in and what we did."""

    event_id: int
    at: datetime
    event_type: str
    came_in: str
    state: str
    went_out: str
    milliseconds: int | None


def bubbles(tx: Connection, me: PhoneCustomer, found: Sequence[Mapping[str, Any]]) -> list[Bubble]:
    """Return the newest of the emulator's messages as they look on this phone, oldest first."""
    shown = found[-MOST_BUBBLES:]
    mine = {message["participant_sid"] for message in found if message["author"] == me.address}
    verdicts = _verdicts(tx, [message["sid"] for message in shown if message["author"] == me.address])
    return [_bubble(message, me, mine, verdicts.get(message["sid"])) for message in shown]


def unseen(me: PhoneCustomer, shown: Sequence[Bubble]) -> str:
    """Return a mark of what a look would change, "" for nothing: WhatsApp's unread messages, a chat's newest."""
    others = [bubble for bubble in shown if not bubble.is_mine]
    if me.channel == "whatsapp":
        return " ".join(bubble.message_sid for bubble in others if bubble.status == "delivered")
    return others[-1].message_sid if others and me.channel == "chat" else ""


def log_lines(tx: Connection, now: datetime, conversation_sid: str) -> list[LogLine]:
    """Return the newest events of a conversation in two halves: in and out; oldest first."""
    rows = admin.list_events(tx, now, admin.EventFilter(conversation_sid=conversation_sid), limit=MOST_LINES)
    found = [(row, admin.get_event(tx, now, row.id)) for row in reversed(rows)]
    return [_log_line(tx, row, stored) for row, stored in found if stored]


def _bubble(message: Mapping[str, Any], me: PhoneCustomer, mine: set[str], verdict: BotVerdict | None) -> Bubble:
    is_mine = message["author"] == me.address
    receipts = [] if is_mine else [one for one in message["receipts"] if not mine or one["participant_sid"] in mine]
    status, error_code = (receipts[-1]["status"] or "queued", receipts[-1]["error_code"]) if receipts else ("", 0)
    return Bubble(
        message_sid=message["sid"],
        conversation_sid=message["conversation_sid"],
        is_mine=is_mine,
        author=message["author"],
        text=message["body"] or "",
        media=tuple(file["filename"] or file["content_type"] for file in message["media"]),
        at=_moment(message["date_created"]),
        is_template=bool(message["content_sid"]),
        status=status,
        error_code=error_code,
        verdict=(verdict or _NOT_RECEIVED) if is_mine else None,
    )


def _verdicts(tx: Connection, sids: Sequence[str]) -> dict[str, BotVerdict]:
    """Return what we know of these messages: the decision, or that it is still to be made."""
    noted = tx.scalars(select(messages.c.message_sid).where(messages.c.message_sid.in_(sids)))
    known = dict.fromkeys(noted, BotVerdict("not decided yet"))
    query = select(decisions).where(decisions.c.message_sid.in_(sids)).order_by(decisions.c.timer_seconds.desc())
    for row in tx.execute(query):  # that of the arrival comes last and stays
        known[row.message_sid] = BotVerdict(row.reason, is_answer=row.code in _ANSWERED)
    return known


def _log_line(tx: Connection, row: Any, stored: Any) -> LogLine:
    event = parsing.parse(form.read_form(stored.method, stored.target, stored.body))
    is_finished = row.state in admin.FINISHED
    took = round((row.finished_at - row.received_at).total_seconds() * 1000) if row.finished_at else None
    return LogLine(
        event_id=row.id,
        at=row.received_at,
        event_type=row.event_type,
        came_in=describe.came_in(event, _WORDING),
        state=row.state,
        went_out=describe.went_out(tx, row, event, _WORDING) if is_finished else describe.waits(row),
        milliseconds=took,
    )


def _moment(text: str | None) -> datetime | None:
    """Return a time as Twilio's REST API writes it."""
    return datetime.fromisoformat(text).astimezone(UTC) if text else None
