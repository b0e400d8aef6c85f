"""Twilio's state of conversations and participants as far as rules see it, from webhooks or REST.

What REST shows is whole and as of now, but dated to the second. So where a webhook of the same second says otherwise,
what is known stays and is asked for again (`fetch_due`) before the next decision.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Table, select, update

from app.config import FOREVER
from app.db.database import Record, upsert
from app.db.maintenance_tables import reconcile_cursors
from app.db.tables import conversations as conversations_table
from app.db.tables import participants as participants_table
from app.store import conversations
from app.twilio_api.form import is_sid
from app.twilio_api.look_up import MARKER
from app.twilio_api.resources import Change, Closed, Gone, ShownConversation, ShownParticipant

_SECOND = timedelta(seconds=1)


def merge_conversation(
    tx: Connection, sid: str, facts: Mapping[str, Any], *, state: str, dated: datetime | None
) -> None:
    """Store what a webhook tells of a conversation, and do what its attributes want of the bot."""
    before = conversations.conversation(tx, sid)
    conversations.record_conversation(tx, sid, facts, dated=dated)
    _heed_wish(tx, sid, before)
    if state:
        conversations.record_state(tx, sid, state, dated=dated)


def record_change(tx: Connection, change: Change, *, now: datetime, in_order: bool = False) -> None:
    """Store what a request of ours has changed at Twilio.

    `in_order`: what comes from Twilio about this conversation waits for us meanwhile, so none of it can be newer.
    """
    match change:
        case ShownConversation():
            show_conversation(tx, change, in_order=in_order)
        case ShownParticipant():
            show_participant(tx, change, in_order=in_order)
        case Gone():
            _record_gone(tx, change, now)
        case Closed():
            if conversations.conversation(tx, sid := _sid_of(tx, change.conversation)):
                conversations.record_state(tx, sid, "closed", dated=None)


def show_conversation(tx: Connection, shown: ShownConversation, *, in_order: bool = False) -> bool:
    """Store a conversation as REST shows it; return whether that is news.

    Where somebody was erased, names and attributes do not come back: they may be theirs. What concerns the bot does.
    """
    sid, before = shown.conversation_sid, conversations.conversation(tx, shown.conversation_sid)
    facts = _facts_of_nobody(shown.facts) if _is_erased(tx, sid) else dict(shown.facts)
    is_news = _overwrite(tx, conversations_table, sid, facts, shown.dated, before, in_order=in_order)
    is_news |= _show_state(tx, shown, before)
    _heed_wish(tx, sid, before)
    return is_news


def show_participant(tx: Connection, shown: ShownParticipant, *, in_order: bool = False) -> bool:
    """Store a participant as REST shows it; return whether that is news."""
    sid, before = shown.participant_sid, conversations.participant(tx, shown.participant_sid)
    facts = {**shown.facts, "conversation_sid": shown.conversation_sid}
    if before and not (before.address or before.identity) and _is_erased(tx, shown.conversation_sid):
        facts = {name: value for name, value in facts.items() if name not in ("address", "identity")}
    return _overwrite(tx, participants_table, sid, facts, shown.dated, before, in_order=in_order)


def _overwrite(
    tx: Connection,
    table: Table,
    sid: str,
    facts: Mapping[str, Any],
    dated: datetime | None,
    before: Record | None,
    *,
    in_order: bool,
) -> bool:
    """Write all facts, also empty ones, unless newer ones are known; return whether any is news."""
    (key,) = table.primary_key
    if before is None:
        upsert(tx, table, {"attributes": {}, **facts, key.name: sid, "dated": dated, "fetch_due": False})
        return True
    if _is_surely_later(before.dated, dated):
        return False
    is_news = any(getattr(before, name) != value for name, value in facts.items())
    in_doubt = is_news and not in_order and before.dated is not None and dated is not None and before.dated >= dated
    values = {**facts, "dated": dated or before.dated, "fetch_due": in_doubt}
    tx.execute(update(table).where(key == sid).values(**values))
    return is_news


def _show_state(tx: Connection, shown: ShownConversation, before: Record | None) -> bool:
    known_at = before.state_at if before else None
    if not shown.state or (_is_surely_later(known_at, shown.dated) and shown.state != "closed"):
        return False
    here = (conversations_table.c.conversation_sid == shown.conversation_sid, conversations_table.c.state != "closed")
    tx.execute(update(conversations_table).where(*here).values(state=shown.state, state_at=shown.dated or known_at))
    return before is None or before.state not in ("closed", shown.state)


def _is_surely_later(known: datetime | None, dated: datetime | None) -> bool:
    return known is not None and dated is not None and known >= dated + _SECOND


def _is_erased(tx: Connection, conversation_sid: str) -> bool:
    forgotten = reconcile_cursors.c.forgotten_before
    here = reconcile_cursors.c.conversation_sid == conversation_sid
    return tx.scalar(select(forgotten).where(here)) is not None


def _facts_of_nobody(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is in no way about a person."""
    kept = {name: value for name, value in facts.items() if name not in ("friendly_name", "unique_name")}
    if "attributes" in kept:
        kept["attributes"] = {name: value for name, value in kept["attributes"].items() if name == "parley"}
    return kept


def _record_gone(tx: Connection, gone: Gone, now: datetime) -> None:
    """Mark as removed what is, also what is not known yet: its Added event may still be on its way."""
    if gone.participant_sid:
        where = gone.conversation if _is_sid(gone.conversation) else ""  # by name: what is known of them says where
        conversations.record_participant(tx, gone.participant_sid, {"conversation_sid": where, "removed_at": now})
    elif gone.conversation and (sid := _sid_of(tx, gone.conversation)):
        conversations.record_conversation(tx, sid, {"removed_at": now}, dated=now)
    elif not gone.conversation:
        table = conversations_table
        these = (table.c.chat_service_sid == gone.service_sid, table.c.removed_at.is_(None))
        tx.execute(update(table).where(*these).values(removed_at=now))


def _sid_of(tx: Connection, name: str) -> str:
    """Return the SID of a conversation by SID or unique name; "" where none or several have the name here.

    All that have it are asked for before the next decision: a name belongs to one conversation of a service only.
    """
    if _is_sid(name):
        return name
    sids = list(
        tx.scalars(select(conversations_table.c.conversation_sid).where(conversations_table.c.unique_name == name))
    )
    for sid in sids:
        conversations.ask_again(tx, conversations_table, sid)
    return ""


def _is_sid(name: str) -> bool:
    return is_sid(name, "CH")


def _wish(conversation: Record | None) -> object:
    """Return what the attributes of a conversation want of the bot: {"parley": {"bot": "off"}}, "on", or nothing."""
    ours = conversation.attributes.get(MARKER) if conversation else None
    return ours.get("bot") if isinstance(ours, dict) else None


def _heed_wish(tx: Connection, sid: str, before: Record | None) -> None:
    """Pause or resume the bot where the attributes want it; they come with every event, only a change counts."""
    wish = _wish(conversations.conversation(tx, sid))
    if wish == _wish(before):
        return
    if wish == "off":
        conversations.pause(tx, sid, FOREVER, "an attribute says so", by="attribute")
    elif wish == "on":
        conversations.resume(tx, sid)
