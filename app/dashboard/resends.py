"""Sends a failed or suppressed reply again at a person's request, through the same queue as the first time.

Its event is worked on once more: it is looked for at Twilio, what forbids a reply now still forbids it, and then it
is sent. What was decided stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select, update

from app.db.database import Record
from app.db.tables import inbox, replies
from app.inbox import admin, internal_events
from app.inbox.internal_events import FollowUpDue
from app.operations.validation import Refused
from app.store import conversations
from app.store import replies as delivery_log
from app.store.messages import DecisionKey
from app.twilio_api.parsing import message_key

UNSENT = ("failed", "suppressed")


@dataclass(frozen=True)
class Resend:
    """What would be sent again, part by part, and the event that it belongs to."""

    conversation_sid: str
    event_key: str
    parts: Sequence[Record]


def look(tx: Connection, key: DecisionKey, now: datetime) -> Resend:
    """Return what would be sent again. Raises Refused, which says why nothing would, and what helps."""
    found = delivery_log.replies_of(tx, key)
    unsent = [row for row in found if row.state in UNSENT]
    if not unsent:
        raise Refused("nothing of this reply is left to be sent; only failed and suppressed ones are sent again")
    resend = Resend(unsent[0].conversation_sid, _event_key(key), unsent)
    event = tx.execute(select(inbox.c.id, inbox.c.finished_at).where(inbox.c.event_key == resend.event_key)).first()
    if event is None:
        raise Refused("the event that it answers was deleted (BOT_RETENTION_DAYS); write an answer of your own")
    if event.finished_at is None:
        raise Refused(f"event {event.id} is being worked on; wait a moment and look at the thread")
    here = conversations.conversation(tx, resend.conversation_sid)
    if here and here.paused_until and here.paused_until > now:
        raise Refused(
            "the bot is paused here, so it would not send anything; let it speak again first, or write an "
            "answer of your own"
        )
    return resend


def send_again(tx: Connection, resend: Resend, now: datetime) -> None:
    """Write the parts down as intended and put their event back to work."""
    first = resend.parts[0]
    this = (replies.c.reply_to == first.reply_to, replies.c.timer_seconds == first.timer_seconds)
    intended = update(replies).where(*this, replies.c.state.in_(UNSENT)).values(state="intended", reason="")
    tx.execute(intended)
    admin.work_again(tx, now, resend.event_key)


def _event_key(key: DecisionKey) -> str:
    if key.timer_seconds:
        return internal_events.event_key(FollowUpDue(message_sid=key.message_sid, seconds=key.timer_seconds))
    return message_key(key.message_sid)
