"""Finds conversations by what somebody types: a name, a number in any writing, words that were said."""

from __future__ import annotations

import re
from typing import Any

from sqlalchemy import ColumnElement, or_, select

from app.db.tables import conversations, messages, participants, replies


def matches(dialect: str, search: str) -> ColumnElement[bool]:
    """Return the condition that a name, an address, or something that was said in a conversation holds the text."""
    here = conversations.c.conversation_sid
    names = [_holds(dialect, column, search) for column in (conversations.c.friendly_name, conversations.c.unique_name)]
    people = [_holds(dialect, column, search) for column in (participants.c.address, participants.c.identity)]
    if digits := _digits(search):
        people.append(participants.c.address.contains(digits))
    by_bot = select(replies.c.conversation_sid).where(replies.c.state == "sent")
    return or_(
        here.in_([search]),
        *names,
        here.in_(select(participants.c.conversation_sid).where(or_(*people))),
        here.in_(select(messages.c.conversation_sid).where(_holds(dialect, messages.c.body, search))),
        here.in_(by_bot.where(_holds(dialect, replies.c.body, search))),
    )


def _holds(dialect: str, column: Any, search: str) -> ColumnElement[bool]:
    """Return the condition that a column holds the text, in any case; % and _ mean themselves.

    SQLite knows upper and lower case of A to Z only; for other letters it is asked for the usual spellings.
    """
    if dialect != "sqlite":
        found: ColumnElement[bool] = column.icontains(search, autoescape=True)
        return found
    spellings = [search] if search.isascii() else [search, search.lower(), search.upper(), search.title()]
    return or_(*(column.contains(one, autoescape=True) for one in dict.fromkeys(spellings)))


def _digits(search: str) -> str:
    """Return the digits of what looks like a telephone number in any writing, or ""."""
    digits = re.sub(r"[\s()./-]", "", search)
    return digits if re.fullmatch(r"\+?[0-9]{3,}", digits) else ""
