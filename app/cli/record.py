"""`flask record`: received webhooks as files that can be replayed, with stand-ins for all that is private."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from flask.cli import with_appcontext
from sqlalchemy import Connection

from app.cli.output import json_option, parley, reading, show_json, show_table
from app.cli.param_types import SidParam
from app.common import private_files
from app.db.database import Record
from app.inbox import admin
from app.operations.webhooks import ROUTE
from app.reconcile import webhooks
from app.recordings import expectations
from app.recordings.files import FORM_TYPE, SUFFIX, RecordedRequest, render
from app.runtime.from_settings import load_rules, rules_problems
from app.twilio_api import events, form, parsing

if TYPE_CHECKING:
    from app.recordings.redaction import Kept


@click.command("record")
@click.option(
    "--out",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("recordings"),
    show_default=True,
    help="Folder to write to; it is made if it is not there.",
)
@click.option("--last", type=click.IntRange(1, 10_000), help="The newest webhooks; 10 if nothing else is chosen.")
@click.option(
    "--message",
    "message_sid",
    type=SidParam("IM"),
    metavar="IM...",
    help="The webhooks about one message, its receipts too.",
)
@click.option("--id", "ids", type=int, multiple=True, help="The webhook with this id (`flask inbox list`); repeatable.")
@click.option("--force", is_flag=True, help="Write over recordings that are there.")
@json_option
@with_appcontext
def record_command(
    folder: Path, last: int | None, message_sid: str | None, ids: tuple[int, ...], force: bool, as_json: bool
) -> None:
    """Write received webhooks to .http files; numbers, SIDs, names and text become stand-ins.

    Beside each message the decision on it is kept, so that `flask replay` can compare, with what of it came from
    messages that are not recorded (a cool-down, a pause). Words of your rules' keywords stay in the text, or another
    rule would answer the recording.

    Example: flask record --last 20 --out recordings
    """
    from app.recordings.redaction import redact  # brings the rules along: only when it is used

    if sum(map(bool, (last, message_sid, ids))) > 1:
        raise click.UsageError("choose one of --last, --message and --id")
    kept = _kept()
    with reading() as (tx, now):
        chosen = [_row(tx, now, number) for number in _chosen(tx, now, last or 10, message_sid, ids)]
        rows = [row for row in chosen if row.body or row.headers]
        decisions = _decisions(tx, rows)
    if erased := len(chosen) - len(rows):
        click.echo(f"{erased} webhooks are left out: what they said was erased (`flask privacy erase`).", err=True)
    if chosen and not rows:
        raise click.ClickException("nothing is left to record")
    if not rows:
        raise click.ClickException("nothing has been received yet; `flask inbox list` shows what there is")
    requests = redact([_request(row) for row in rows], kept)
    written = [_named(number, row) for number, row in enumerate(rows, 1)]
    _write(folder, dict(_files(written, requests, decisions)), force)
    shown = [
        {
            "file": str(folder / name),
            "id": row.id,
            "event_type": row.event_type,
            "expected": None if decided is None else str(decided),
        }
        for name, row, decided in zip(written, rows, decisions, strict=True)
    ]
    if as_json:
        return show_json(shown)
    return show_table(shown, ["file", "id", "event_type", "expected"], empty="")


def _kept() -> Kept:
    """Return what may stay: our own names, and the words that guards and rules look for."""
    from app.recordings.redaction import Kept
    from app.rules.reachability import everything_in

    settings = parley().settings
    if problems := rules_problems(settings):
        raise click.ClickException("; ".join(problems))
    rules = load_rules(settings)
    conditions = (condition for rule in rules.rules for condition in everything_in(rule.when))
    named = [words for one in conditions for words in (one.keywords, one.button, one.button_payload) if words]
    keywords = tuple(word for words in named for word in words)
    whole = (*rules.bot.opt_outs("sms").values(), *rules.bot.help_words, *rules.bot.opt_in_words)
    return Kept(settings.bot_author, settings.bot_agents, keywords, whole)


def _chosen(tx: Connection, now: Any, last: int, message_sid: str | None, ids: Sequence[int]) -> list[int]:
    """Return the ids of the webhooks to record, oldest first."""
    if ids:
        return sorted(set(ids))
    if message_sid is None:
        return [
            row.id for row in reversed(admin.list_events(tx, now, admin.EventFilter(webhooks_only=True), limit=last))
        ]
    found = admin.ids_about_message(tx, message_sid)
    if not found:
        raise click.ClickException(f"no webhook about {message_sid} is known; `flask inbox list` shows what there is")
    return found


def _row(tx: Connection, now: Any, event_id: int) -> Record:
    row = admin.get_event(tx, now, event_id)
    if row is None:
        raise click.ClickException(f"there is no event {event_id}; `flask inbox list` shows what there is")
    return row


def _decisions(tx: Connection, rows: Sequence[Record]) -> list[expectations.Decided | None]:
    """Return what was decided about each message, None for another event."""
    parsed = [parsing.parse(form.read_form(row.method, row.target, row.body)) for row in rows]
    sids = [event.message_sid if isinstance(event, events.MessageAdded) else "" for event in parsed]
    return [expectations.of_message(tx, sid, sids) if sid else None for sid in sids]


def _request(row: Record) -> RecordedRequest:
    """Return the request; a webhook that reconciliation built anew becomes the post that should have come."""
    if row.method == webhooks.METHOD:
        return RecordedRequest("POST", ROUTE, {"Content-Type": FORM_TYPE, **row.headers}, bytes(row.body))
    return RecordedRequest(row.method, row.target, dict(row.headers), bytes(row.body))


def _named(number: int, row: Record) -> str:
    return f"{number:04}__{re.sub('[^A-Za-z0-9]', '_', row.event_type)}{SUFFIX}"


def _files(
    names: Sequence[str], requests: Sequence[RecordedRequest], decisions: Sequence[expectations.Decided | None]
) -> Iterable[tuple[str, bytes]]:
    for name, request, decided in zip(names, requests, decisions, strict=True):
        yield name, render(request)
        if decided:
            yield expectations.path_beside(Path(name)).name, expectations.render(decided).encode()


def _write(folder: Path, files: dict[str, bytes], force: bool) -> None:
    """Write all files; nothing is written when one is in the way."""
    there = sorted(path.name for path in folder.glob("[0-9][0-9][0-9][0-9]__*")) if folder.is_dir() else []
    if there and not force:
        raise click.ClickException(
            f"{folder} holds recordings already ({there[0]}); name another --out, or add --force"
        )
    try:
        private_files.make_folder(folder)
        for name, content in files.items():
            private_files.write(folder / name, content)
    except OSError as error:
        raise click.ClickException(f"{folder} cannot be written: {error.strerror}; name another --out") from error
