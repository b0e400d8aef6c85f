"""Output shared by all commands: database access, tables and JSON, masked names, progress."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import click
from flask import current_app
from sqlalchemy import Connection

from app.cli.dev_environment import database_of
from app.db.database import Database, DatabaseUnavailable
from app.runtime.process import Runtime
from app.store import audit
from app.twilio_api.form import in_unicode

json_option = click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
_NUMBER = re.compile(r"((?:\w+:)?\+?\d{4})\d+(\d{4})")
_LINE_EVERY = 100


def parley() -> Runtime:
    """Return the parts of this process."""
    part: Runtime = current_app.extensions["parley"]
    return part


def database() -> Database:
    """Return the database to look into: this process's own, else that of the offline loop."""
    return database_of(parley())


def database_if_any() -> Database | None:
    """Return the same, or None where there is none yet."""
    try:
        return database()
    except click.ClickException:
        return None


@contextmanager
def reading() -> Iterator[tuple[Connection, datetime]]:
    """Give a transaction to read in, and the time; a database that cannot be used ends the command with 1."""
    db = database()
    with explained(), db.read() as tx:
        yield tx, db.now(tx)


@contextmanager
def writing() -> Iterator[tuple[Connection, datetime]]:
    """Give a transaction to write in, and the time; a database that cannot be used ends the command with 1."""
    db = database()
    with explained(), db.write() as tx:
        yield tx, db.now(tx)


def record_sent(conversation_sid: str, message_sids: Sequence[str]) -> None:
    """Write down that a command sent these messages, for `flask deliveries list`; where no database is, nobody asks."""
    if not message_sids or (db := database_if_any()) is None:
        return
    try:
        with db.write() as tx:
            for sid in message_sids:
                audit.record_sent(tx, conversation_sid, sid, db.now(tx))
    except DatabaseUnavailable as unavailable:
        click.echo(f"Sent, but not written down here: {unavailable} (DATABASE_URL says which)", err=True)


@contextmanager
def explained() -> Iterator[None]:
    """End the command with 1 where the database cannot be used."""
    try:
        yield
    except DatabaseUnavailable as unavailable:
        raise click.ClickException(f"{unavailable} (DATABASE_URL says which)") from unavailable


def show_json(document: Any) -> None:
    """Print one JSON document; times as ISO 8601."""
    click.echo(in_unicode(json.dumps(document, default=_plain, ensure_ascii=False, indent=2)))


def show_table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], *, empty: str) -> None:
    """Print rows under their column names, cut to the terminal's width; or the sentence `empty`."""
    if not rows:
        click.echo(empty)
        return
    cells = [[_cell(row.get(name)) for name in columns] for row in rows]
    titles = [name.replace("_", " ").upper() for name in columns]
    widths = [max(len(line[n]) for line in [titles, *cells]) for n in range(len(columns))]
    terminal = sys.stdout.isatty()
    most = shutil.get_terminal_size().columns if terminal else 10_000
    for line in [titles, *cells]:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()[:most])


def why_of(error: Exception) -> str:
    """Return why something outside could not be read or reached, in words of no program."""
    reason = getattr(error, "reason", error)
    if isinstance(reason, TimeoutError):
        return "no answer in time"
    if isinstance(reason, UnicodeError):
        return "it is no UTF-8 text"
    words = getattr(reason, "strerror", None)
    if isinstance(reason, KeyError | TypeError | ValueError):
        return "it answers otherwise than expected"
    return str(words or reason).strip() or "for no reason that was told"


def in_utc(moment: datetime) -> str:
    """Return a moment as people read it: day, time and zone. Twilio's, and ours without a zone, are in UTC."""
    return f"{moment.astimezone(UTC) if moment.tzinfo else moment:%Y-%m-%d %H:%M:%S} UTC"


def mask_name(name: str) -> str:
    """Return a number as +1555…0001, any other identity as its first two characters; "" stays empty."""
    number = _NUMBER.fullmatch(name)
    if number:
        return f"{number[1]}…{number[2]}"
    return f"{one_line(name[:2])}…" if name else ""


def mask_text(text: str) -> str:
    """Return only how long the text is."""
    return f"({len(text)} characters)"


def one_line(text: str) -> str:
    """Return the text on one line, without what could steer a terminal."""
    return "".join(char if char.isprintable() else "�" for char in " ".join(text.split()))


@contextmanager
def progress(total: int, label: str) -> Iterator[Callable[[], None]]:
    """Give a function to call after each piece of work."""
    if sys.stderr.isatty():
        with click.progressbar(length=total, label=label, file=sys.stderr, show_pos=True) as bar:
            yield lambda: bar.update(1)
        return
    done = 0

    def count() -> None:
        nonlocal done
        done += 1
        if done % _LINE_EVERY == 0:
            click.echo(f"{label}: {done:,} of {total:,}", err=True)

    yield count


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return in_utc(value)
    return " ".join(str(value).split())


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else str(value)
