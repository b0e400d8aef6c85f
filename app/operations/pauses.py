"""Pauses and resumes the bot in one conversation, in our database only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from app.config import FOREVER
from app.operations import validation
from app.store import conversations

WHY, BY = "paused by an operator", "operator"


@dataclass(frozen=True)
class BotPause:
    """Whether the bot is silent in a conversation: `paused_until` is None when it is not, FOREVER without an end.

    `was_known`: a webhook had mentioned the conversation before.
    """

    conversation_sid: str
    paused_until: datetime | None
    paused_why: str
    was_known: bool

    @property
    def until(self) -> str:
        """Return until when, in words."""
        if self.paused_until is None:
            return "not paused"
        if self.paused_until >= FOREVER:
            return "until `flask conversations resume`"
        return f"until {self.paused_until:%Y-%m-%d %H:%M:%S} UTC"


def pause(tx: Connection, conversation_sid: str, length: timedelta | None, *, now: datetime) -> BotPause:
    """Silence the bot for a time, None for no end, and return what holds now. Raises Refused.

    A longer pause that is in force already stays. A conversation that no webhook has mentioned gets a row.
    """
    sid = validation.sid("CH", conversation_sid)
    known = conversations.conversation(tx, sid) is not None
    conversations.record_conversation(tx, sid, {})
    conversations.pause(tx, sid, now + length if length else FOREVER, WHY, by=BY)
    return _state(tx, sid, now, known)


def resume(tx: Connection, conversation_sid: str, *, now: datetime) -> BotPause:
    """Let the bot speak again, whoever paused it, and return what held before. Raises Refused."""
    sid = validation.sid("CH", conversation_sid)
    before = state(tx, sid, now=now)
    conversations.resume(tx, sid)
    return before


def state(tx: Connection, conversation_sid: str, *, now: datetime) -> BotPause:
    """Return whether the bot is silent in a conversation. Raises Refused."""
    sid = validation.sid("CH", conversation_sid)
    return _state(tx, sid, now, conversations.conversation(tx, sid) is not None)


def _state(tx: Connection, sid: str, now: datetime, known: bool) -> BotPause:
    row = conversations.conversation(tx, sid)
    if row is None or row.paused_until is None or row.paused_until <= now:
        return BotPause(sid, None, "", known)
    return BotPause(sid, row.paused_until, row.paused_why, known)
