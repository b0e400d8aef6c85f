"""Opts a person out or in for an operator, with the reason; both go to the audit log."""

from __future__ import annotations

import re
from datetime import datetime

from sqlalchemy import Connection

from app.common.quoting import quoted
from app.operations import validation
from app.operations.validation import Refused
from app.store import audit, consent, conversations
from app.store.consent import OPTED_OUT, ConsentChange, Kind, Person
from app.twilio_api.addresses import is_whatsapp_user_id, number_in, spellings, without_marks

LONGEST_REASON = 300
_ACTIONS = {OPTED_OUT: "opted a person out", consent.OPTED_IN: "opted a person in"}


def person_named(text: str) -> Person:
    """Return who is meant by a number, another address, or the identity of a chat user. Raises Refused.

    A number is the person on every channel, whether "whatsapp:" stands before it or not, and so is WhatsApp's id of a
    user (US.1349...). "chat:4711555" is a chat user.
    """
    text = without_marks(text.strip()).strip()
    prefix, rest = re.fullmatch(r"(?:([A-Za-z][A-Za-z0-9_-]*):)?(.*)", text, re.DOTALL).groups()  # type: ignore[union-attr]
    if prefix == "chat":
        return Person(validation.identity(rest), "chat")
    if number_in(rest) or re.fullmatch(r"\+.*|[0-9\s().\-]{7,}", rest):
        return Person(validation.phone_number(rest))
    if is_whatsapp_user_id(text):
        return Person(f"whatsapp:{text}")
    if not text.isprintable() or len(text) > validation.NAME_CHARS or (prefix and not rest):
        raise Refused(
            f"{quoted(text, 40)} names nobody; write a number like +15550100001 or the identity of a chat user"
        )
    return Person(text) if prefix else Person(validation.identity(text), "chat")


def is_known(tx: Connection, person: Person) -> bool:
    """Return whether anything is stored of a person: a change of consent, or that they were in a conversation."""
    if consent.standing(tx, person) != consent.NOTHING or consent.history(tx, person, limit=1):
        return True
    addresses, identity = ((), person.name) if person.channel == "chat" else (spellings(person.name), "")
    return conversations.knows_anybody(tx, addresses, identity)


def decide(
    tx: Connection,
    person: Person,
    change: Kind,
    *,
    actor: str,
    why: str,
    now: datetime,
    per_channel: bool = False,
    conversation_sid: str = "",
) -> bool:
    """Opt a person out or in, on all channels, and return whether that was news. Raises Refused without a reason.

    It ends the question whether they want to opt out, too.
    """
    why = " ".join(why.split())
    if not why or len(why) > LONGEST_REASON or not why.isprintable():
        raise Refused(f"say why, in at most {LONGEST_REASON} characters: it is kept with your name")
    decided = ConsentChange(
        person=person, change=change, at=now, actor=actor, why=why, conversation_sid=conversation_sid
    )
    is_news = consent.record(tx, decided, per_channel=per_channel)
    if is_news:
        subject, detail = consent.name_in_audit_log(consent.hash_of(tx, person)), {"reason": why}
        sid, action = conversation_sid, _ACTIONS[change]
        audit.record(tx, actor, action, now, conversation_sid=sid, subject=subject, detail=detail)
    return is_news
