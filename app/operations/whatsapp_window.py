"""WhatsApp's 24-hour window: whether free text still reaches a customer.

Source: api/errors/63016, read 2026-11-22: outside of them only an approved template is delivered.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, or_, select

from app.db.database import Database, DatabaseUnavailable
from app.db.tables import participants
from app.operations.account import Account
from app.operations.validation import Refused
from app.twilio_api.addresses import WHATSAPP_WINDOW

_PAGE = 50


class OutsideWindow(Refused):
    """Nothing was sent: somebody on WhatsApp has not written for so long that only a template would arrive."""


def check_window(
    account: Account,
    conversation_sid: str,
    on_whatsapp: Sequence[Mapping[str, Any]],
    *,
    db: Database | None,
    now: datetime,
) -> None:
    """Raise OutsideWindow when somebody on WhatsApp did not write in 24 hours, by our database and by Twilio's history.

    The window belongs to two numbers, not to a conversation, so the database is asked for what was written in any.
    """
    since = now - WHATSAPP_WINDOW
    silent = [one for one in on_whatsapp if not _known_to_have_written(db, one, since)]
    if not silent:
        return
    authors = _authors_since(account, conversation_sid, since)
    outside = [str(one["sid"]) for one in silent if not authors & {one["sid"], _binding(one).get("address")}]
    if outside:
        raise OutsideWindow(
            f"outside WhatsApp's 24 hour window: {', '.join(outside[:5])} did not write in the last 24 hours, so this "
            "would not arrive; send an approved template with --content-sid HX..., or give --force to send it to "
            "everybody else"
        )


def _known_to_have_written(db: Database | None, one: Mapping[str, Any], since: datetime) -> bool:
    if db is None:
        return False  # an operator's machine may have none; Twilio's history decides
    try:
        with db.read() as tx:
            newest = _last_inbound_at(tx, one)
    except DatabaseUnavailable:
        return False
    return newest is not None and newest >= since


def _last_inbound_at(tx: Connection, one: Mapping[str, Any]) -> datetime | None:
    binding, c = _binding(one), participants.c
    same_numbers = (c.address == binding.get("address")) & (c.proxy_address == binding.get("proxy_address"))
    found = select(func.max(c.last_inbound_at)).where(or_(c.participant_sid == one["sid"], same_numbers))
    newest: datetime | None = tx.scalar(found)
    return newest


def _authors_since(account: Account, conversation_sid: str, since: datetime) -> set[str | None]:
    """Return who wrote since then, by participant SID and by address."""

    def look(v1: Any) -> set[str | None]:
        found: set[str | None] = set()
        for message in v1.conversations(conversation_sid).messages.stream(order="desc", page_size=_PAGE):
            if message.date_created and message.date_created < since:
                break
            found |= {message.participant_sid, message.author}
        return found

    return account.ask(look)


def _binding(one: Mapping[str, Any]) -> Mapping[str, Any]:
    return one.get("messaging_binding") or {}
