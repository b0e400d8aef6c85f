"""Follows the inbox as it is worked off, and says of each event in two lines what came in and what we did."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import click
from sqlalchemy import Connection

from app import delivery_log, events, inbox_admin
from app.db import Database, Record
from app.error_codes import meaning
from app.events import ConversationEvent, DeliveryUpdated, Event, MessageEvent, ParticipantEvent

FINISHED = ("processed", "ignored", "dead")


@dataclass(frozen=True)
class Followed:
    """One event that is finished: its row, itself, and what came of it."""

    row: Record
    event: Event
    came_in: str
    went_out: str


class Follower:
    """Gives the events that were finished since the last look, in the order of arrival within what is new."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._seen: set[int] = set()

    def look(self) -> Iterator[Followed]:
        """Return what is finished and was not returned before."""
        with self._db.read() as tx:
            rows = inbox_admin.list_events(tx, self._db.now(tx), limit=1000)
            for row in reversed(rows):
                if row.id not in self._seen and row.state in FINISHED:
                    self._seen.add(row.id)
                    yield _followed(tx, row, self._db)


def show(followed: Followed) -> None:
    """Print the two lines of an event."""
    at = followed.row.received_at.strftime("%H:%M:%S")
    took = round((followed.row.finished_at - followed.row.received_at).total_seconds() * 1000)
    click.echo(f"{at}  in   {followed.row.event_type:<26} {followed.came_in}")
    click.echo(f"          out  {followed.row.state:<26} {followed.went_out}, {took} ms")


def _followed(tx: Connection, row: Record, db: Database) -> Followed:
    stored = inbox_admin.get_event(tx, db.now(tx), row.id)
    assert stored is not None
    event = events.parse(events.read_form(stored.method, stored.target, stored.body))
    return Followed(row, event, _came_in(event), _went_out(tx, row, event))


def _came_in(event: Event) -> str:
    if isinstance(event, MessageEvent):
        media = f" + {len(event.media)} media" if event.media else ""
        return f'{event.author}: "{event.body}"{media}'
    if isinstance(event, DeliveryUpdated):
        code = f" {event.error_code}" if event.error_code else ""
        return f"{event.message_sid} is {event.status}{code}"
    if isinstance(event, ParticipantEvent):
        return event.messaging_binding_address or event.identity or event.participant_sid
    if isinstance(event, ConversationEvent):
        return event.friendly_name or event.conversation_sid
    return event.account_sid


def _went_out(tx: Connection, row: Record, event: Event) -> str:
    if isinstance(event, MessageEvent):
        replies = delivery_log.replies_to(tx, event.message_sid)
        if replies:
            return "; ".join(f'rule {reply.rule} -> "{" ".join(reply.body.split())}" ({reply.state})'
                             for reply in replies)  # fmt: skip
    if isinstance(event, DeliveryUpdated):
        reply = delivery_log.reply_sent_as(tx, event.message_sid)
        whose = f"reply of rule {reply.rule}" if reply else "a message we never sent"
        why = f", {meaning(event.error_code)}" if event.error_code else ""
        return f"{whose}: {event.status}{why}"
    return str(row.outcome)
