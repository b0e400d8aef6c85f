"""Updates stored conversations and participants to what Twilio has."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, or_, select, update

from app.db.database import Database
from app.db.tables import participants
from app.store import conversations, mirror
from app.twilio_api.resources import conversation_of, participant_of

JUST_ADDED = timedelta(seconds=60)  # may have joined since the list was read


def mend(db: Database, conversation: Any, roster: Sequence[Any] | None, now: datetime, *, dry_run: bool) -> int:
    """Return how many rows were not as Twilio has them, and set them right, unless it is a dry run.

    `roster` is everybody in the conversation, None where that was not read. A conversation that is not known here is
    left to its first message.
    """
    transaction = db.transaction()
    try:
        with db.read() as tx:
            if conversations.conversation(tx, conversation.sid) is None:
                return 0
        mended = _mend(transaction.tx, conversation, roster, now)
        if not dry_run:
            transaction.commit()
        return mended
    finally:
        transaction.rollback()


def _mend(tx: Connection, conversation: Any, roster: Sequence[Any] | None, now: datetime) -> int:
    shown = [mirror.show_conversation(tx, conversation_of(vars(conversation)))]
    if roster is None:
        return sum(shown)
    shown += [mirror.show_participant(tx, participant_of(vars(one))) for one in roster]
    return sum(shown) + _mark_who_left(tx, conversation.sid, {one.sid for one in roster}, now)


def _mark_who_left(tx: Connection, conversation_sid: str, present: set[str], now: datetime) -> int:
    here = (participants.c.conversation_sid == conversation_sid, participants.c.removed_at.is_(None))
    dated = or_(participants.c.dated.is_(None), participants.c.dated < now - JUST_ADDED)
    known = set(tx.scalars(select(participants.c.participant_sid).where(*here, dated)))
    gone = sorted(known - present)
    if gone:
        tx.execute(update(participants).where(participants.c.participant_sid.in_(gone)).values(removed_at=now))
    return len(gone)
