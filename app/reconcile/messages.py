"""Finds the messages of a conversation that no webhook reported, by reading back to known ones; it stores nothing.

Also the conversation itself and its participants, where nothing is known of them: guards and rules ask for both.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, select

from app.db.database import Database, Record
from app.db.tables import conversations, decisions, inbox, messages, participants, replies
from app.inbox.queue import NewEvent
from app.reconcile import webhooks
from app.reconcile.paced_client import PacedClient
from app.twilio_api.form import read_object
from app.twilio_api.look_up import MARKER

PAGE = 100  # Source: Twilio's OpenAPI description, 2026-04-14: the most messages, and participants, of one page
# Its webhook may still be on its way: Twilio waits 5 s for an answer, and ours are stored within 3.
STILL_COMING = timedelta(seconds=60)
_AT_ONCE = 500


@dataclass(frozen=True)
class Missed:
    """What is missing of one conversation, in the order in which it happened; `from_phones` of `messages` surely is.

    `checked_index` is that of the newest message we need not look at again; `too_recent` counts those that may still
    come by themselves; `with_receipts` names the missed messages that went out to phones. `roster` is everybody in it,
    where that was read.
    """

    messages: Sequence[Any] = ()
    from_phones: frozenset[str] = frozenset()
    events: Sequence[NewEvent] = ()
    checked_index: int | None = None
    too_recent: int = 0
    with_receipts: Sequence[str] = field(default_factory=tuple)
    roster: Sequence[Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """Which messages of a conversation are compared: those since a time, with an index `above` one.

    What was written before `begins_at` is marked so. A conversation that `is_erased` does not get its name back.
    """

    since: datetime
    above: int | None
    now: datetime
    bot_author: str
    begins_at: datetime | None = None
    is_erased: bool = False
    reads_roster: bool = False

    def is_old_enough(self, message: Any) -> bool:
        """Return whether a webhook that was sent for the message would have come by now."""
        return bool(message.date_created <= self.now - STILL_COMING)


def look(calls: PacedClient, db: Database, conversation: Any, compared: Range) -> Missed:
    """Return what is missing of a conversation. Raises Stopped, SendError."""
    read = _read_back(calls, conversation, compared.since, compared.above)
    with db.read() as tx:
        known = known_messages(tx, [one.sid for one in read])
        here = tx.execute(select(conversations).where(conversations.c.conversation_sid == conversation.sid)).first()
    unknown = [one for one in read if one.sid not in known]
    others = [one for one in unknown if not _is_ours(one, compared.bot_author)]
    missing = [one for one in others if compared.is_old_enough(one)]
    events = _about_conversation(
        conversation, here, compared.now, any_missing=bool(missing), is_erased=compared.is_erased
    )
    roster = _roster(calls, conversation) if missing or (compared.reads_roster and here is not None) else None
    authors = _authors(missing, roster or ())
    if missing:
        events += _about_strangers(db, conversation, roster or (), compared.now)
        # Answers that we do not know of: our database was set back since, and says nothing of whom they answered.
        answered_to = max((one.index for one in unknown if _has_marker(one)), default=-1)
        events += [_message_added(conversation, one, authors[one.sid], answered_to, compared) for one in missing]
    return Missed(
        messages=missing,
        from_phones=frozenset(one.sid for one in missing if webhooks.has_phone(one, authors[one.sid])),
        events=events,
        checked_index=max((one.index for one in read if compared.is_old_enough(one)), default=compared.above),
        too_recent=len(others) - len(missing),
        with_receipts=[one.sid for one in missing if (one.delivery or {}).get("total")],
        roster=roster,
    )


def _about_strangers(db: Database, conversation: Any, roster: Sequence[Any], now: datetime) -> list[NewEvent]:
    with db.read() as tx:
        strangers = _unknown_participants(tx, roster)
    return [webhooks.participant_added(conversation, one, now) for one in strangers]


def _message_added(conversation: Any, message: Any, author: Any, answered_to: int, compared: Range) -> NewEvent:
    return webhooks.message_added(
        conversation,
        message,
        author,
        compared.now,
        answered=message.index < answered_to,
        before_start=compared.begins_at is not None and message.date_created < compared.begins_at,
    )


def _authors(missing: Sequence[Any], roster: Sequence[Any]) -> dict[str, Any]:
    """Return the participant who wrote each message; None for one who is none, or none any more."""
    by_sid = {one.sid: one for one in roster}
    return {one.sid: by_sid.get(one.participant_sid) for one in missing}


def _read_back(calls: PacedClient, conversation: Any, since: datetime, above: int | None) -> list[Any]:
    """Return the messages back to a time or an index, oldest first.

    Who brings in a history dates its messages back: one old message does not say that all before it are old. So
    pages are read to their end, and no further than one that ends with an old message.
    """
    found: list[Any] = []
    listed = calls.listed(
        lambda client: _context(client, conversation).messages.page(order="desc", page_size=PAGE),
        conversation_sid=conversation.sid,
    )
    for number, message in enumerate(listed, start=1):
        if above is not None and message.index <= above:
            break
        if message.date_created >= since:
            found.append(message)
        elif number % PAGE == 0:
            break
    return found[::-1]


def _context(client: Any, conversation: Any) -> Any:
    return client.conversations.v1.services(conversation.chat_service_sid).conversations(conversation.sid)


def _roster(calls: PacedClient, conversation: Any) -> list[Any]:
    participants_of = calls.listed(
        lambda client: _context(client, conversation).participants.page(page_size=PAGE),
        conversation_sid=conversation.sid,
    )
    return list(participants_of)


def _is_ours(message: Any, bot_author: str) -> bool:
    """Return whether we wrote a message: what we send comes back as no webhook, so none is missing."""
    return message.author == bot_author or _has_marker(message)


def _has_marker(message: Any) -> bool:
    """Return whether a message is an answer of ours, the bot's or one that was written on the page."""
    return MARKER in (read_object(message.attributes) or {})


def known_messages(tx: Connection, sids: Sequence[str]) -> set[str]:
    """Return which of these messages are known: received, noted, decided or sent by us."""
    found: set[str] = set()
    for some in _chunks(sids):
        keys = {f"onMessageAdded:{sid}": sid for sid in some}
        found |= {keys[key] for key in tx.scalars(select(inbox.c.event_key).where(inbox.c.event_key.in_(keys)))}
        for column in (messages.c.message_sid, decisions.c.message_sid, replies.c.message_sid):
            found |= set(tx.scalars(select(column).where(column.in_(some))))
    return found


def unknown_events(tx: Connection, events: Sequence[NewEvent]) -> list[NewEvent]:
    """Return the events that are not in the inbox yet."""
    keys = [one.event_key for one in events]
    stored: set[str] = set()
    for some in _chunks(keys):
        stored |= set(tx.scalars(select(inbox.c.event_key).where(inbox.c.event_key.in_(some))))
    return [one for one in events if one.event_key not in stored]


def _unknown_participants(tx: Connection, roster: Sequence[Any]) -> list[Any]:
    known: set[str] = set()
    for some in _chunks([one.sid for one in roster]):
        known |= set(tx.scalars(select(participants.c.participant_sid).where(participants.c.participant_sid.in_(some))))
    return [one for one in roster if one.sid not in known]


def _chunks(items: Sequence[str]) -> Iterable[Sequence[str]]:
    return (items[start : start + _AT_ONCE] for start in range(0, len(items), _AT_ONCE))


def _about_conversation(
    conversation: Any, here: Record | None, now: datetime, *, any_missing: bool, is_erased: bool
) -> list[NewEvent]:
    """Return what there is to tell of the conversation itself: that it is there, or what state it is in now."""
    if here is None or not here.chat_service_sid:
        return [webhooks.conversation_added(conversation, now)] if any_missing else []
    if here.state and here.state != conversation.state and here.state != "closed":
        tell = webhooks.conversation_state_updated if is_erased else webhooks.conversation_updated
        return [tell(conversation, now)]
    return []
