"""Consent of each person: opted out, in, or undecided, with the ledger of every change.

A person is a keyed hash of their address: one for each number in every spelling and on every channel, so that silence
holds for the person, outlives their erasure, and the tables tell nobody who it is. The key is made with the schema and
stays in the database: neither a new auth token nor a new password lifts an opt-out. The ledger is only added to;
nothing but erasure and retention changes it.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from weakref import WeakKeyDictionary

from sqlalchemy import BindParameter, ColumnElement, Connection, Engine, and_, bindparam, insert, or_, select, update

from app.db.consent_tables import consent_ledger, consents
from app.db.database import Record, upsert
from app.db.maintenance_tables import installation_keys
from app.db.tables import participants
from app.twilio_api.addresses import person_of, spellings

Kind = Literal["opted out", "opted in", "may want to opt out", "wrote again"]
OPTED_OUT: Kind = "opted out"
OPTED_IN: Kind = "opted in"
MAY_OPT_OUT: Kind = "may want to opt out"
WROTE_AGAIN: Kind = "wrote again"
CUSTOMER, CARRIER = "the customer", "the carrier"
_STATUS = {OPTED_OUT: "out", OPTED_IN: "in"}
_KEY_NAME = "opt-outs"
_CLOCKS_DIFFER = timedelta(minutes=1)  # at most; ours and Twilio's
_keys: WeakKeyDictionary[Engine, bytes] = WeakKeyDictionary()
_PERSONS: BindParameter[Sequence[str]] = bindparam("persons", expanding=True)
_DETAILS = ("actor", "why", "message_sid", "conversation_sid")
SAYS_MORE = or_(*(consent_ledger.c[name] != "" for name in _DETAILS))  # than what is kept after an erasure
_ASKS = and_(
    consents.c.undecided_since.is_not(None),
    consents.c.person == consent_ledger.c.person,
    consents.c.channel == consent_ledger.c.channel,
    consents.c.undecided_since == consent_ledger.c.at,
)
# Conversations in which somebody said what may be a wish to opt out, and nobody has decided.
UNDECIDED_IN = (
    select(consent_ledger.c.conversation_sid).join(consents, _ASKS).where(consent_ledger.c.change == MAY_OPT_OUT)
)
_OF = select(consents).where(consents.c.person.in_(_PERSONS))


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody by the address, or by the identity on the channel "chat"; `channel` "": whatever channel they use."""

    name: str
    channel: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of somebody: whether they have opted out, and when that was last said.

    `undecided_since`: then they asked for silence in words that are no opt-out word, and nobody has decided.
    """

    opted_out: bool = False
    changed_at: datetime | None = None
    undecided_since: datetime | None = None


NOTHING = Standing()


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentChange:
    """One change: what, by which word of whom, when it was said, and in which message."""

    person: Person
    change: Kind
    at: datetime
    word: str = ""
    actor: str = CUSTOMER
    why: str = ""
    message_sid: str = ""
    conversation_sid: str = ""
    participant_sid: str = ""


def standings(tx: Connection, people: Iterable[Person], *, per_channel: bool = False) -> dict[Person, Standing]:
    """Return what is known of each of these people, in one statement.

    With `per_channel` only what was said on their channel counts, and what an operator said.
    """
    hashes = {person: _hashes(tx, person) for person in people}
    rows: dict[str, list[Record]] = {}
    if hashes:
        for row in tx.execute(_OF, {"persons": sorted({one for those in hashes.values() for one in those})}):
            rows.setdefault(row.person, []).append(row)
    return {
        person: _standing([row for one in those for row in rows.get(one, ())], person.channel, per_channel)
        for person, those in hashes.items()
    }


def standing(tx: Connection, person: Person, *, per_channel: bool = False) -> Standing:
    """Return what is known of one person."""
    return standings(tx, [person], per_channel=per_channel)[person]


def record(tx: Connection, change: ConsentChange, *, per_channel: bool = False) -> bool:
    """Store a change and write it into the ledger; return whether it was one: what is known already is none.

    Beside the participants an opt-out is noted too: processes of version 0.1 look there, and who is called otherwise
    from now on keeps it there.

    What was said before what is known changes nothing. A wish of somebody who has opted out is no question any more.
    """
    person, *written = _hashes(tx, change.person)
    rows = tx.execute(_OF, {"persons": [person, *written]}).all()
    if not _RECORDED_BY[change.change](tx, person, change, rows, per_channel):
        return False
    details = {name: getattr(change, name) for name in ("change", "word", "actor", "why", "message_sid")}
    where = {"channel": change.person.channel, "conversation_sid": change.conversation_sid}
    tx.execute(insert(consent_ledger).values(at=change.at, person=person, **where, **details))
    if change.change in _STATUS:
        _mark_participants(tx, change, per_channel)
    return True


def history(tx: Connection, person: Person, *, limit: int = 100) -> Sequence[Record]:
    """Return the newest changes of somebody, newest first: what was said last, not what was stored last."""
    of_theirs = select(consent_ledger).where(consent_ledger.c.person.in_(_hashes(tx, person)))
    return tx.execute(of_theirs.order_by(consent_ledger.c.at.desc(), consent_ledger.c.id.desc()).limit(limit)).all()


def undecided(tx: Connection, *, limit: int = 100) -> Sequence[Record]:
    """Return the ledger's entries about those who may want to opt out and wait for a decision, the newest first."""
    query = select(consent_ledger).join(consents, _ASKS).where(consent_ledger.c.change == MAY_OPT_OUT)
    return tx.execute(query.order_by(consent_ledger.c.at.desc(), consent_ledger.c.id.desc()).limit(limit)).all()


def has_opted_out(standing: Standing, marked: Iterable[datetime | None]) -> bool:
    """Return whether somebody has opted out: what a process of an earlier version has marked since counts as well."""
    newest = max((at for at in marked if at is not None), default=None)
    if newest is None or (standing.changed_at is not None and newest <= standing.changed_at):
        return standing.opted_out
    return True


def name_in_audit_log(person: str) -> str:
    """Return what the audit log calls a person: the beginning of the hash."""
    return f"person {person[:12]}"


def hash_of(tx: Connection, person: Person) -> str:
    """Return what stands for a person in the tables."""
    return _hashes(tx, person)[0]


def _hashes(tx: Connection, person: Person) -> list[str]:
    """Return what stands for a person, and then what stands there for who was erased before people had a hash."""
    if person.channel == "chat":
        names = [f"chat:{person.name}"]
    else:
        names = list(dict.fromkeys([person_of(person.name), *spellings(person.name)]))
    key = _key(tx)
    return [hmac.digest(key, name.encode(errors="surrogatepass"), "sha256").hex() for name in names]


def _standing(rows: Iterable[Record], channel: str, per_channel: bool) -> Standing:
    counted = _counted(rows, channel, per_channel)
    newest = _newest(counted)
    undecided = max((row.undecided_since for row in counted if row.undecided_since is not None), default=None)
    if newest is None:
        return Standing(undecided_since=undecided)
    return Standing(newest.status == "out", newest.changed_at, undecided)


def _counted(rows: Iterable[Record], channel: str, per_channel: bool) -> list[Record]:
    return [row for row in rows if not (per_channel and channel) or row.channel in (channel, "")]


def _newest(rows: Iterable[Record]) -> Record | None:
    said = [row for row in rows if row.changed_at is not None]
    return max(said, key=lambda row: (row.changed_at, row.status), default=None)  # "out" is greater than "in"


def _record_status(
    tx: Connection, person: str, change: ConsentChange, rows: Sequence[Record], per_channel: bool
) -> bool:
    channel, status, at = change.person.channel, _STATUS[change.change], change.at
    before, newest = _standing(rows, channel, per_channel), _newest(_counted(rows, channel, per_channel))
    if newest and status == "out" and newest.channel == "" and newest.changed_at - _CLOCKS_DIFFER <= at:
        at = max(at, newest.changed_at)  # by our clock: an operator's word; a STOP has its time from Twilio's
    own = next((row for row in rows if row.channel == channel), None)
    is_stale = before.changed_at is not None and at < before.changed_at
    is_known = own is not None and own.status == status and before.opted_out == (status == "out")
    if is_stale or (is_known and before.undecided_since is None):
        return False
    row = {"person": person, "channel": channel, "status": status, "changed_at": at}
    upsert(tx, consents, row, update=("status", "changed_at"))
    _decide(tx, person, channel, per_channel)
    return True


def _record_wish(tx: Connection, person: str, change: ConsentChange, rows: Sequence[Record], per_channel: bool) -> bool:
    before = _standing(rows, change.person.channel, per_channel)
    since = before.undecided_since
    decided_later = before.changed_at is not None and change.at <= before.changed_at
    if before.opted_out or decided_later or (since is not None and change.at <= since):
        return False
    row = {"person": person, "channel": change.person.channel, "undecided_since": change.at}
    upsert(tx, consents, row, update=("undecided_since",))
    return True


def _record_another_message(
    tx: Connection, person: str, change: ConsentChange, rows: Sequence[Record], per_channel: bool
) -> bool:
    since = _standing(rows, change.person.channel, per_channel).undecided_since
    if since is None or change.at <= since:
        return False
    _decide(tx, person, change.person.channel, per_channel)
    return True


def _mark_participants(tx: Connection, change: ConsentChange, per_channel: bool) -> None:
    person, out = change.person, change.change == OPTED_OUT
    theirs = [participants.c.participant_sid == change.participant_sid] if change.participant_sid else []
    if person.channel != "chat":
        theirs.append(participants.c.address.in_([person.name] if per_channel else spellings(person.name)))
    for these in theirs:  # one by one: each is found by its index
        tx.execute(update(participants).where(these).values(opted_out_at=change.at if out else None))


def _decide(tx: Connection, person: str, channel: str, per_channel: bool) -> None:
    """Forget that somebody may want to opt out."""
    theirs = [consents.c.person == person, consents.c.undecided_since.is_not(None)]
    if per_channel and channel:
        theirs.append(consents.c.channel.in_([channel, ""]))
    tx.execute(update(consents).where(*theirs).values(undecided_since=None))


_RECORDED_BY = {
    OPTED_OUT: _record_status,
    OPTED_IN: _record_status,
    MAY_OPT_OUT: _record_wish,
    WROTE_AGAIN: _record_another_message,
}


def _key(tx: Connection) -> bytes:
    """Return the key of this database; read once, since it never changes."""
    if (known := _keys.get(tx.engine)) is not None:
        return known
    found = tx.execute(select(installation_keys.c.value).where(installation_keys.c.name == _KEY_NAME)).scalar_one()
    return _keys.setdefault(tx.engine, bytes(found))


def forget_details(tx: Connection, *these: ColumnElement[bool]) -> int:
    """Leave of these changes only who (as a hash), what, by which word, on which channel and when; return how many."""
    return tx.execute(update(consent_ledger).where(*these, SAYS_MORE).values(**dict.fromkeys(_DETAILS, ""))).rowcount
