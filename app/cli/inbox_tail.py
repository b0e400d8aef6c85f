"""Follows the inbox for the terminal: two lines for each event, what Twilio posted and what the bot did."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import click
from sqlalchemy import Connection

from app.cli.output import in_utc, mask_name, mask_text, one_line
from app.db.database import Database, Record
from app.inbox import admin, describe
from app.inbox.admin import EventFilter
from app.inbox.describe import Wording
from app.twilio_api import form, parsing
from app.twilio_api.events import Event

_BATCH = 200  # events asked for at once
_OPEN_BATCH = 500  # unfinished events looked at again at once
_GAP_SECONDS = 5.0  # on PostgreSQL an event can become visible after one with a higher id


@dataclass(frozen=True)
class Followed:
    """One event, stored or finished: its row, itself, and what came of it."""

    row: Record
    event: Event
    came_in: str
    went_out: str

    @property
    def is_finished(self) -> bool:
        return self.row.state in admin.FINISHED


class Follower:
    """Gives what is new since the last look, in the order of arrival; asks the database for nothing older.

    `raw` shows text, numbers and names; `wants` chooses events by their row.
    """

    def __init__(
        self, db: Database, *, after_id: int = 0, raw: bool = True, wants: Callable[[Record], bool] = lambda row: True
    ) -> None:
        self._db = db
        self._after_id = after_id
        self._raw = raw
        self._wants = wants
        self._open: dict[int, None] = {}
        self._gaps: dict[int, float] = {}

    def look(self) -> Iterator[Followed]:
        """Return what is finished and was not returned before."""
        return (followed for followed in self.steps() if followed.is_finished)

    def steps(self) -> Iterator[Followed]:
        """Return each event when it is seen first, and once more when it is finished (once, if it was already).

        Ends at what was the newest event when it began, however fast more come in.
        """
        is_more, newest = True, 0
        while is_more:
            with self._db.read() as tx:
                now, newest = self._db.now(tx), newest or admin.last_id(tx)
                ids = self._look_again()
                again = admin.list_events(tx, now, EventFilter(ids=ids), limit=_OPEN_BATCH) if ids else ()
                new = admin.list_events(tx, now, EventFilter(after_id=self._after_id), limit=_BATCH)
                batch = list(self._to_show(tx, [*reversed(again), *new]))
            is_more = len(new) == _BATCH and self._after_id < newest
            yield from batch

    def show_first(self, rows: Sequence[Record]) -> list[Followed]:
        """Return these events, to be followed too until they are finished."""
        with self._db.read() as tx:
            return list(self._to_show(tx, rows))

    def _look_again(self) -> list[int]:
        """Return what was not finished or not visible when it was looked at, the longest unseen first."""
        now = time.monotonic()
        self._gaps = {event_id: until for event_id, until in self._gaps.items() if until > now}
        return [*list(self._gaps)[: _OPEN_BATCH // 2], *self._open][:_OPEN_BATCH]

    def _to_show(self, tx: Connection, rows: Sequence[Record]) -> Iterator[Followed]:
        for row in rows:
            self._record_gap(row.id)
            if self._is_news(row) and self._wants(row):
                followed = _followed(tx, row, self._db, raw=self._raw)
                if followed:
                    yield followed

    def _record_gap(self, event_id: int) -> None:
        if event_id > self._after_id:
            until = time.monotonic() + _GAP_SECONDS
            first = max(self._after_id + 1, event_id - 50)
            self._gaps |= dict.fromkeys(range(first, event_id), until)
            self._after_id = event_id

    def _is_news(self, row: Record) -> bool:
        self._gaps.pop(row.id, None)
        was_seen = row.id in self._open
        self._open.pop(row.id, None)
        if row.state not in admin.FINISHED:
            self._open[row.id] = None  # at the end again: all are looked at in turn
            return not was_seen
        return True


def show(followed: Followed) -> None:
    """Print the two lines of an event."""
    at = in_utc(followed.row.received_at)
    state = followed.row.state if followed.is_finished else "stored"
    took = f", {milliseconds(followed.row)} ms" if followed.is_finished else ""
    click.echo(f"{at}  in   {followed.row.event_type:<26} {followed.came_in}")
    click.echo(f"{'':{len(at)}}  out  {state:<26} {followed.went_out}{took}")


def milliseconds(row: Record) -> int | None:
    """Return how long the event took from its arrival until it was finished, or None when it is not."""
    return round((row.finished_at - row.received_at).total_seconds() * 1000) if row.finished_at else None


def _followed(tx: Connection, row: Record, db: Database, *, raw: bool) -> Followed | None:
    """Return the event with what is shown of it, or None when it has been purged meanwhile."""
    stored = admin.get_event(tx, db.now(tx), row.id)
    if stored is None:
        return None
    event = parsing.parse(form.read_form(stored.method, stored.target, stored.body))
    wording = _wording(raw)
    went_out = describe.went_out(tx, row, event, wording) if row.state in admin.FINISHED else describe.waits(row)
    return Followed(row, event, describe.came_in(event, wording), went_out)


def _wording(raw: bool) -> Wording:
    if raw:
        return Wording(name=one_line, text=lambda text: f'"{one_line(text)}"', title=one_line)
    return Wording(name=mask_name, text=mask_text, title=lambda title: "")
