"""Conversations and participants as stored: state, pause, who waits for whom. It decides nothing.

Webhooks arrive twice and out of order, so every update is a merge: an older fact never replaces a newer one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import Connection, Select, Table, and_, bindparam, case, or_, select, union_all, update

from app.db.database import Record, insert_into, upsert
from app.db.tables import conversations, participants

_HERE = and_(participants.c.conversation_sid == bindparam("sid"), participants.c.removed_at.is_(None))
_PERSON = ("participant_sid", "conversation_sid", "address", "identity", "opted_out_at")
_WHO = select(*(participants.c[name] for name in _PERSON))
_ELSEWHERE = and_(participants.c.address == bindparam("address"), participants.c.opted_out_at.is_not(None))
# Two look-ups by index: with OR, PostgreSQL reads the whole table as long as nothing was analysed.
_PEOPLE = union_all(_WHO.where(_HERE), _WHO.where(_ELSEWHERE))
# What an older event still adds where it is unknown: it never changes, or nothing newer need have mentioned it.
_WHERE_UNKNOWN = {
    *("chat_service_sid", "conversation_sid", "identity", "address", "type", "last_read_index"),
    *("removed_at", "opted_out_at"),
}
_WAITING_SINCE = (
    update(conversations)
    .where(conversations.c.conversation_sid == bindparam("sid"))
    .where(or_(conversations.c.waiting_since.is_(None), conversations.c.waiting_since < bindparam("anew_before")))
    .where(or_(conversations.c.last_agent_at.is_(None), conversations.c.last_agent_at < bindparam("since")))
    .values(waiting_since=bindparam("since"))
)


@cache
def _later(dialect: str, moment: str) -> Any:
    """Return the statement that moves a moment of a conversation forward; makes its row if there is none."""
    given = {"conversation_sid": bindparam("sid"), "attributes": {}, moment: bindparam("at")}
    known = conversations.c[moment]
    return (
        insert_into(dialect, conversations)
        .values(given)
        .on_conflict_do_update(
            index_elements=["conversation_sid"],
            set_={moment: bindparam("at")},
            where=or_(known.is_(None), known < bindparam("at")),
        )
    )


def record_last_message(tx: Connection, sid: str, at: datetime) -> None:
    """Store when something was last said in a conversation, by whomever."""
    tx.execute(_later(tx.dialect.name, "last_message_at"), {"sid": sid, "at": at})


def record_conversation(tx: Connection, sid: str, facts: Mapping[str, Any], *, dated: datetime | None = None) -> None:
    """Store or update what is known of a conversation; `facts` are columns of `conversations`."""
    _merge(tx, conversations, sid, facts, dated)


def record_state(tx: Connection, sid: str, state: str, *, dated: datetime | None) -> None:
    """Store the state of a conversation; an older state never replaces a newer one, and none replaces `closed`.

    Source: conversations-classic/states-timers, read 2026-11-22.
    """
    known = conversation(tx, sid)
    if known is None:
        record_conversation(tx, sid, {})
    elif state != "closed" and is_older(dated, known.state_at):
        return None
    elif state not in ("closed", known.state) and is_in_doubt(dated, known.state_at):
        return ask_again(tx, conversations, sid)
    here = (conversations.c.conversation_sid == sid, conversations.c.state != "closed")
    tx.execute(update(conversations).where(*here).values(state=state, state_at=dated or conversations.c.state_at))
    return None


def record_participant(tx: Connection, sid: str, facts: Mapping[str, Any], *, dated: datetime | None = None) -> None:
    """Store or update what is known of a participant; `facts` are columns of `participants`."""
    _merge(tx, participants, sid, facts, dated)


def record_inbound(
    tx: Connection, conversation_sid: str, participant_sid: str, who: Mapping[str, str], sent_at: datetime
) -> None:
    """Store that a customer wrote: first contact and WhatsApp's window depend on it; `who` is address or identity."""
    dialect = tx.dialect.name
    tx.execute(_later(dialect, "last_inbound_at"), {"sid": conversation_sid, "at": sent_at})
    if participant_sid:
        tx.execute(_inbound_of(dialect), {"sid": participant_sid, "here": conversation_sid, "at": sent_at, **who})


@cache
def _inbound_of(dialect: str) -> Any:
    """Return the statement that stores who wrote and when; what is empty says nothing."""
    given = {
        "participant_sid": "sid",
        "conversation_sid": "here",
        "last_inbound_at": "at",
        "address": "address",
        "identity": "identity",
    }
    bound: dict[str, Any] = {name: bindparam(given_as) for name, given_as in given.items()}
    insert = insert_into(dialect, participants).values(attributes={}, **bound)
    new, old = insert.excluded, participants.c
    changed = {
        "conversation_sid": new.conversation_sid,
        "address": case((new.address != "", new.address), else_=old.address),
        "identity": case((new.identity != "", new.identity), else_=old.identity),
        "last_inbound_at": case(
            (old.last_inbound_at > new.last_inbound_at, old.last_inbound_at), else_=new.last_inbound_at
        ),
    }
    return insert.on_conflict_do_update(index_elements=["participant_sid"], set_=changed)


def conversation(tx: Connection, sid: str) -> Record | None:
    """Return the row of a conversation, or None when no webhook has mentioned it."""
    return _row(tx, conversations, sid)


def participant(tx: Connection, sid: str) -> Record | None:
    """Return the row of a participant, or None."""
    return _row(tx, participants, sid)


def people_of(tx: Connection, conversation_sid: str, address: str) -> Sequence[Record]:
    """Return who is in a conversation, and the opted-out rows that this address has in others."""
    return tx.execute(_PEOPLE, {"sid": conversation_sid, "address": address or "-"}).all()


def knows_anybody(tx: Connection, addresses: Sequence[str], identity: str) -> bool:
    """Return whether somebody under one of these addresses, or with this identity, is or was in any conversation."""
    called = participants.c.address.in_(addresses) if addresses else participants.c.identity == identity
    return tx.execute(select(participants.c.participant_sid).where(called).limit(1)).first() is not None


def pause(tx: Connection, conversation_sid: str, until: datetime, why: str, *, by: str) -> None:
    """Silence the bot in a conversation until a time; a longer pause is never shortened.

    `by` is who wants it: "agent", "rule", "operator" or "attribute".
    """
    shorter = or_(conversations.c.paused_until.is_(None), conversations.c.paused_until < until)
    here = conversations.c.conversation_sid == conversation_sid
    tx.execute(update(conversations).where(here, shorter).values(paused_until=until, paused_why=why, paused_by=by))


def resume(tx: Connection, conversation_sid: str) -> bool:
    """Let the bot speak again in a conversation; return whether it was paused, until whatever time."""
    here = (conversations.c.conversation_sid == conversation_sid, conversations.c.paused_until.is_not(None))
    return (
        tx.execute(update(conversations).where(*here).values(paused_until=None, paused_why="", paused_by="")).rowcount
        > 0
    )


def record_agent(tx: Connection, conversation_sid: str, wrote_at: datetime) -> None:
    """Store when a human agent last wrote in a conversation: whoever wrote before that has been answered."""
    here = conversations.c.conversation_sid == conversation_sid
    earlier = or_(conversations.c.last_agent_at.is_(None), conversations.c.last_agent_at < wrote_at)
    tx.execute(update(conversations).where(here, earlier).values(last_agent_at=wrote_at))
    answered = conversations.c.waiting_since <= wrote_at
    tx.execute(update(conversations).where(here, answered).values(waiting_since=None))


def take_back_agent(tx: Connection, before: Record, wrote_at: datetime) -> None:
    """Forget that an agent wrote, and the pause for it, when nothing was said after all; `before` is the row as it was.

    A pause that somebody else wants stays, and so does the word of whoever let the bot speak again.
    """
    here = (conversations.c.conversation_sid == before.conversation_sid, conversations.c.last_agent_at == wrote_at)
    paused = {name: getattr(before, name) for name in ("paused_until", "paused_why", "paused_by")}
    tx.execute(update(conversations).where(*here, conversations.c.paused_by == "agent").values(**paused))
    values = {"last_agent_at": before.last_agent_at, "waiting_since": before.waiting_since}
    tx.execute(update(conversations).where(*here, conversations.c.waiting_since.is_(None)).values(**values))


def record_waiting(tx: Connection, conversation_sid: str, since: datetime, *, anew_before: datetime) -> bool:
    """Store since when a customer has waited for a human; return whether that is news.

    Who waits already goes on waiting, unless since before `anew_before`: that wait is over. An agent who wrote
    after the message has answered it.
    """
    asked = {"sid": conversation_sid, "since": since, "anew_before": anew_before}
    return tx.execute(_WAITING_SINCE, asked).rowcount > 0


def _merge(tx: Connection, table: Table, sid: str, facts: Mapping[str, Any], dated: datetime | None) -> None:
    """Write the facts that are news: empty ones say nothing, older ones only what never changes and is unknown."""
    (key,) = table.primary_key
    known = _row(tx, table, sid)
    if known is None:
        return upsert(tx, table, {"attributes": {}, **facts, key.name: sid, "dated": dated})
    given = {name: it for name, it in facts.items() if it not in ("", None) and getattr(known, name) != it}
    in_doubt = is_in_doubt(dated, known.dated)
    if in_doubt or is_older(dated, known.dated):
        news = {name: it for name, it in given.items() if name in _WHERE_UNKNOWN and not getattr(known, name)}
        news |= {"fetch_due": True} if in_doubt and given.keys() - _WHERE_UNKNOWN else {}
    else:
        news = given | ({"dated": dated} if dated else {})
    if news:
        tx.execute(update(table).where(key == sid).values(**news))
    return None


@cache
def _by_sid(table: Table) -> Select[Any]:
    """Return the statement once built: building it costs as much as running it."""
    (key,) = table.primary_key
    return select(table).where(key == bindparam("sid"))


def _row(tx: Connection, table: Table, sid: str) -> Record | None:
    return tx.execute(_by_sid(table), {"sid": sid}).first()


def is_older(dated: datetime | None, known: datetime | None) -> bool:
    """Return whether something was true before what is known already; what has no date is news."""
    return dated is not None and known is not None and dated < known


def is_in_doubt(dated: datetime | None, known: datetime | None) -> bool:
    """Return whether nobody can say what was true later: REST says to the second only when something changed."""
    if dated is None or known is None or known.microsecond:
        return False
    return timedelta(0) <= dated - known < timedelta(seconds=1)


def ask_again(tx: Connection, table: Table, sid: str) -> None:
    """Have a conversation or participant asked for at Twilio before the next decision about it."""
    (key,) = table.primary_key
    tx.execute(update(table).where(key == sid).values(fetch_due=True))
