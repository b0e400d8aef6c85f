"""Names of conversations and their participants as the page shows them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from app.db.database import Record
from app.store import consent
from app.store.consent import NOTHING, Standing, has_opted_out
from app.twilio_api.addresses import channel_of

# The columns of `participants` that this is made from.
PERSON = ("participant_sid", "conversation_sid", "address", "identity", "opted_out_at", "removed_at")


@dataclass(frozen=True, slots=True)
class ShownPerson:
    """Somebody who is or was in a conversation; `name` is the address, less its channel, or the identity."""

    participant_sid: str
    name: str
    channel: str
    opted_out: bool = False
    may_opt_out: bool = False  # nobody has decided yet
    has_left: bool = False


def people_of(rows: Iterable[Record]) -> dict[str, tuple[ShownPerson, ...]]:
    """Return the people of each conversation from rows of `participants`, in order."""
    found: dict[str, list[ShownPerson]] = {}
    for row in rows:
        if row.address or row.identity:
            found.setdefault(row.conversation_sid, []).append(person_of(row))
    return {sid: in_order(people) for sid, people in found.items()}


def in_order(people: Iterable[ShownPerson]) -> tuple[ShownPerson, ...]:
    """Return first those with an address, then chat identities."""
    return tuple(sorted(people, key=lambda one: one.channel == "chat"))


def title_of(row: Record, people: Sequence[ShownPerson]) -> str:
    """Return what a conversation is called: its name, else its customer."""
    customer = next((person.name for person in people if not person.has_left), "")
    return str(row.friendly_name or customer or row.unique_name or row.conversation_sid)


def channels_of(people: Sequence[ShownPerson]) -> tuple[str, ...]:
    """Return the channels by which customers are reached here."""
    return tuple(dict.fromkeys(person.channel for person in people if person.channel != "chat")) or ("chat",)


def plain_name(author: str) -> str:
    """Return an author without the channel that stands before the address, which is shown beside it."""
    prefix, colon, address = author.partition(":")
    return address if colon and address and prefix.isalpha() else author


def person_of(row: Record, standing: Standing = NOTHING) -> ShownPerson:
    """Return somebody, from a row of `participants` and what is known of their consent."""
    return ShownPerson(
        row.participant_sid,
        plain_name(row.address) or row.identity,
        channel_of(row.address, "") if row.address else "chat",
        opted_out=has_opted_out(standing, [row.opted_out_at]),
        may_opt_out=standing.undecided_since is not None,
        has_left=row.removed_at is not None,
    )


def who_is(row: Record) -> consent.Person:
    """Return whose consent it is about: the person on the channel of this row of `participants`."""
    if row.address:
        return consent.Person(row.address, channel_of(row.address, ""))
    return consent.Person(row.identity, "chat") if row.identity else consent.Person(row.participant_sid)
