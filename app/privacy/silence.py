"""Keeps an opt-out when its person is erased, also one that is still in a queued message."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, or_, select

from app.db.tables import inbox, participants
from app.inbox.internal_events import read_said
from app.privacy.subject import Subject
from app.rules.consent_words import Wanted, wanted_by
from app.rules.schema import BotSettings
from app.store import consent
from app.store.consent import ConsentChange, Person
from app.twilio_api.addresses import channel_of
from app.twilio_api.events import MessageAdded

_CHANGE: dict[Wanted, consent.Kind] = {
    "out": consent.OPTED_OUT,
    "in": consent.OPTED_IN,
    "perhaps out": consent.MAY_OPT_OUT,
}


def keep_stored(tx: Connection, these: Any) -> None:
    """Keep the opt-outs of participants about to be emptied that a process of version 0.1 has stored."""
    columns = participants.c.address, participants.c.identity, participants.c.opted_out_at
    for row in tx.execute(select(*columns).where(these, participants.c.opted_out_at.is_not(None))).all():
        if row.address or row.identity:
            person = Person(row.address, channel_of(row.address, "")) if row.address else Person(row.identity, "chat")
            known = consent.standing(tx, person).changed_at
            if known is None or known < row.opted_out_at:
                consent.record(
                    tx, ConsentChange(person=person, change=consent.OPTED_OUT, at=row.opted_out_at, actor="")
                )


def heed_waiting(tx: Connection, these: Any, subject: Subject, bot: BotSettings, now: datetime) -> None:
    """Heed what the subject says about hearing from us in events that nobody will work on any more."""
    for author, text in _said(tx, these):
        person = Person(author, channel_of(author, ""))
        wanted = wanted_by(text, bot, person.channel) if subject.is_name(author) else ""
        if wanted:
            change = ConsentChange(person=person, change=_CHANGE[wanted], at=now)
            consent.record(tx, change, per_channel=bot.opt_out_per_channel)


def _said(tx: Connection, these: Any) -> list[tuple[str, str]]:
    """Return author and text of each message that has not been dealt with, oldest first."""
    undone = or_(inbox.c.finished_at.is_(None), inbox.c.state == "dead")
    query = select(inbox.c.method, inbox.c.target, inbox.c.body).where(these, undone).order_by(inbox.c.id)
    rows = tx.execute(query.where(inbox.c.event_type == MessageAdded.event_type)).all()
    return [read_said(*row) for row in rows]
