"""`flask replay`: posts recorded webhooks, signed anew, and shows where the app decides otherwise than expected."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from http.client import HTTPException
from pathlib import Path
from urllib.parse import urlsplit

import click
from flask.cli import with_appcontext

from app.cli import dev_environment
from app.cli.output import database_if_any, json_option, parley, show_json, show_table, why_of
from app.cli.param_types import Number, UrlParam
from app.cli.trigger.signed_post import send
from app.config import Settings
from app.db.database import Database, DatabaseUnavailable
from app.recordings import expectations
from app.recordings.expectations import Decided
from app.recordings.files import SUFFIX, RecordedRequest, Unreadable, form_of, moved, newest_of, of_account, read, sign
from app.twilio_api import events, parsing


@dataclass(frozen=True)
class Recording:
    """One file: its request, the message it brings ("" for other events), and the decision expected."""

    path: Path
    request: RecordedRequest
    message_sid: str
    expected: Decided | None


@dataclass(frozen=True)
class Destination:
    """Where requests go: `url` in front of their target, which has `path` for its own if that is given."""

    url: str
    path: str
    signed_for: str

    def target(self, recorded: str) -> str:
        """Return the target to post to in place of the recorded one, with the same query."""
        path, mark, query = recorded.partition("?")
        return (self.path or path) + mark + query


@click.command("replay")
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path), metavar="PATH...")
@click.option("--to", type=UrlParam(), help="Where to post; default PUBLIC_URL, or `flask dev` on this machine.")
@click.option("--now", "moves_to_now", is_flag=True, help="Move all dates by one offset, so that the newest is now.")
@click.option("--signed-for", type=UrlParam(is_origin=True), help="Origin that is signed for; default PUBLIC_URL.")
@click.option(
    "--wait",
    "patience",
    type=Number(0, 600),
    default=10.0,
    show_default=True,
    help="Seconds to wait for the expected decisions.",
)
@json_option
@with_appcontext
def replay_command(
    paths: tuple[Path, ...], to: str | None, moves_to_now: bool, signed_for: str | None, patience: float, as_json: bool
) -> None:
    """Post recorded webhooks (files, or folders of them), signed with your auth token.

    Where a decision is kept beside a recording, the app's own is compared with it; a difference that is explained (a
    cool-down from before the recording) is no failure. Old messages get no reply: use --now. Against the emulator the
    conversations of the recordings are made first, so that replies succeed.

    Example: flask replay recordings --now --to http://127.0.0.1:8000
    """
    settings, db = dev_environment.settings_of(parley()), _database()
    if not settings.auth_token:
        raise click.ClickException("TWILIO_AUTH_TOKEN is empty, so nothing can be signed (see .env.example)")
    destination = _destination(to, signed_for, settings)
    recordings = _recordings(paths)
    if sid := settings.account_sid:
        recordings = [replace(one, request=of_account(one.request, sid)) for one in recordings]
    if moves_to_now:
        recordings = _moved_to_now(recordings)
    known_before = _decisions(db, recordings)
    _adopt(settings, recordings)
    statuses = [_post(recording, destination, settings.auth_token) for recording in recordings]
    decisions = None
    if db is not None and known_before is not None:
        accepted = [one for one, status in zip(recordings, statuses, strict=True) if _is_accepted(status)]
        _wait_for_decisions(db, [one.message_sid for one in accepted if one.expected], patience)
        decisions = _decisions(db, recordings)
    rows = [_row(one, status, decisions) for one, status in zip(recordings, statuses, strict=True)]
    show_json(rows) if as_json else show_table(rows, ["file", "status", "decided", "difference"], empty="")
    _say_what_was_known(known_before)
    for row in rows:
        if row["explanation"]:
            click.echo(f"{row['file']}: no failure, as {row['explanation']}", err=True)
    _fail_on_differences(rows)


def _database() -> Database | None:
    """Return the database that the decisions are read from; None, and a sentence, where there is none."""
    db = database_if_any()
    if db is None:
        click.echo("Decisions are not compared: there is no database here (DATABASE_URL says which).", err=True)
    return db


def _destination(to: str | None, signed_for: str | None, settings: Settings) -> Destination:
    if to is None:
        if not settings.public_url:
            raise click.UsageError("PUBLIC_URL is not set, so say with --to where to post")
        return Destination(settings.public_url, "", signed_for or settings.public_url)
    parts = urlsplit(to)
    origin = f"{parts.scheme}://{parts.netloc}"
    return Destination(origin, parts.path.rstrip("/"), signed_for or settings.public_url or origin)


def _recordings(paths: Sequence[Path]) -> list[Recording]:
    """Return all recordings, read and checked before anything is posted."""
    files: list[Path] = []
    for path in paths:
        inside = sorted(path.glob(f"*{SUFFIX}")) if path.is_dir() else [path]
        if not inside:
            raise click.BadParameter(f"{path} holds no {SUFFIX} file", param_hint="PATH")
        files += inside
    try:
        return [_recording(path) for path in files]
    except Unreadable as fault:
        raise click.BadParameter(str(fault), param_hint="PATH") from fault


def _recording(path: Path) -> Recording:
    request = read(path)
    event = parsing.parse(form_of(request))
    message_sid = event.message_sid if isinstance(event, events.MessageAdded) else ""
    return Recording(path, request, message_sid, expectations.read(path) if message_sid else None)


def _moved_to_now(recordings: Sequence[Recording]) -> list[Recording]:
    newest = newest_of([one.request for one in recordings])
    if newest is None:
        return list(recordings)
    offset = datetime.now(UTC) - newest
    return [replace(one, request=moved(one.request, offset)) for one in recordings]


def _adopt(settings: Settings, recordings: Sequence[Recording]) -> None:
    """Make the conversations of the recordings exist, where the REST API is a running emulator's."""
    messages = [one for one in recordings if one.message_sid]
    if not settings.api_base_url or not messages:
        return None
    from app.emulator.client import Emulator

    emulator = Emulator(settings.api_base_url)
    try:
        emulator.counts()
    except (RuntimeError, OSError):
        return emulator.stop()  # nobody there, or another program: then the conversations are its own affair
    for one in messages:
        try:
            emulator.adopt(dict(form_of(one.request)))
        except RuntimeError as error:
            raise click.ClickException(f"{one.path}: {error}") from error
    return emulator.stop()


def _post(recording: Recording, destination: Destination, token: str) -> int:
    """Return the status that the app answers."""
    target = destination.target(recording.request.target)
    headers = sign(replace(recording.request, target=target), destination.signed_for, token)
    try:
        return send(recording.request.method, destination.url + target, recording.request.body or None, headers)
    except (OSError, HTTPException) as error:
        parts = urlsplit(destination.url)
        where = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"  # an address may carry user:password@
        said = f"no answer from {where} ({why_of(error)}); is the app running?"
        raise click.ClickException(f"{recording.path}: {said}") from error


def _decisions(db: Database | None, recordings: Sequence[Recording]) -> dict[str, Decided] | None:
    """Return the decisions on the recorded messages, None when the database cannot be read."""
    if db is None:
        return None
    try:
        with db.read() as tx:
            found = {one.message_sid: expectations.of_message(tx, one.message_sid) for one in recordings}
    except DatabaseUnavailable as unavailable:
        click.echo(f"Decisions are not compared: {unavailable} (DATABASE_URL says which)", err=True)
        return None
    return {sid: decided for sid, decided in found.items() if decided}


def _wait_for_decisions(db: Database, message_sids: Sequence[str], patience: float) -> None:
    """Return as soon as these messages are decided on and their replies sent, or when patience ends."""
    deadline = time.monotonic() + patience
    try:
        while time.monotonic() < deadline:
            with db.read() as tx:
                if all(expectations.is_settled(tx, sid) for sid in message_sids):
                    return
            time.sleep(0.05)
    except DatabaseUnavailable:
        return  # who reads the decisions next says so


def _row(recording: Recording, status: int, decisions: dict[str, Decided] | None) -> dict[str, object]:
    decided = decisions.get(recording.message_sid) if decisions else None
    difference = "" if decisions is None else expectations.difference(recording.expected, decided)
    explanation = expectations.explanation(recording.expected, decided, time_passes=False)
    if not _is_accepted(status):
        difference, explanation = f"refused with {status}", ""
    return {
        "file": str(recording.path),
        "status": status,
        "decided": str(decided) if decided else None,
        "difference": difference,
        "explanation": explanation,
    }


def _is_accepted(status: int) -> bool:
    return 200 <= status < 300


def _say_what_was_known(known_before: dict[str, Decided] | None) -> None:
    if known_before:
        click.echo(
            f"{len(known_before)} of the messages had been decided on before and were not decided again; "
            "an empty database decides anew.",
            err=True,
        )


def _fail_on_differences(rows: Sequence[dict[str, object]]) -> None:
    different = sum(1 for row in rows if row["difference"] and not row["explanation"])
    if different:
        raise click.ClickException(f"{different} of {len(rows)} recordings went otherwise than expected")
