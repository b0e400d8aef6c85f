"""Lets the wish for silence outlive whoever had it: an opt-out that is stored, or said in a message that waits."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, or_, select

from app.db.tables import inbox, participants
from app.inbox.internal_events import read_said
from app.privacy.subject_search import Subject
from app.rules.schema import Bot
from app.rules.text_matching import words_of
from app.store import conversations, opt_outs
from app.twilio_api.addresses import spellings
from app.twilio_api.events import MessageAdded


def keep_stored(tx: Connection, these: Any) -> set[str]:
    """Keep the opt-outs of participants about to be emptied; return their addresses in plain spelling."""
    columns = participants.c.address, participants.c.opted_out_at
    opted_out = (these, participants.c.opted_out_at.is_not(None), participants.c.address != "")
    rows = tx.execute(select(*columns).where(*opted_out)).all()
    for address, opted_out_at in rows:
        opt_outs.keep(tx, address, opted_out_at)
    return {spellings(address)[1] for address, _ in rows}


def heed_waiting(tx: Connection, these: Any, subject: Subject, bot: Bot, now: datetime) -> tuple[set[str], set[str]]:
    """Heed the STOP and START of events that nobody will work on any more; return who opted out, and who in again."""
    wishes: dict[str, bool] = {}
    for author, words in _said(tx, these):
        if not subject.is_name(author):
            continue
        if words in bot.opt_outs("sms"):
            opt_outs.keep(tx, author, now)
            wishes[spellings(author)[1]] = True
        elif words in bot.opt_ins:
            conversations.opt_in(tx, author)
            wishes[spellings(author)[1]] = False
    return {one for one, out in wishes.items() if out}, {one for one, out in wishes.items() if not out}


def _said(tx: Connection, these: Any) -> list[tuple[str, tuple[str, ...]]]:
    """Return author and words of each message that has not been dealt with, oldest first."""
    undone = or_(inbox.c.finished_at.is_(None), inbox.c.state == "dead")
    query = select(inbox.c.method, inbox.c.target, inbox.c.body).where(these, undone).order_by(inbox.c.id)
    rows = tx.execute(query.where(inbox.c.event_type == MessageAdded.event_type)).all()
    return [(author, words_of(text)) for author, text in (read_said(*row) for row in rows)]
