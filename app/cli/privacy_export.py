"""`flask privacy export`: gives what is known of one person, as JSON and the files of their messages."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from flask.cli import with_appcontext

from app.cli.account_options import explained, operating
from app.cli.dev_environment import local_settings
from app.cli.output import database, json_option, parley, show_json
from app.cli.privacy import must_be_known, subject_of
from app.common import private_files
from app.common.quoting import quoted
from app.operations.validation import Refused
from app.twilio_api.errors import SendError, sentence
from app.twilio_api.form import in_unicode

if TYPE_CHECKING:
    from app.privacy.export import Export, MediaOf

ACTOR = "flask privacy export"
DOCUMENT, FILES = "person.json", "files"
_DOWNLOAD_SECONDS = 600.0  # for each file


@click.command("export")
@click.argument("person", metavar="NUMBER|ADDRESS|IDENTITY")
@click.option(
    "--out",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="A folder that is empty or not there yet.",
)
@click.option("--no-files", is_flag=True, help="Name the files of messages without fetching them from Twilio.")
@json_option
@with_appcontext
def export_command(person: str, folder: Path, no_files: bool, as_json: bool) -> None:
    """Give what is known of one person: person.json, and the files of their messages, which Twilio keeps.

    Conversations without another customer are given as a whole, of others what the person wrote and was answered. What
    other people say of them elsewhere is only counted. Keep the folder as you keep the database, and delete it when it
    was handed over. Nothing known, or a file that could not be fetched: ends with 1.

    Example: flask privacy export +15550100001 --out for-ann
    """
    from app.privacy.export import gather, record

    subject, settings = subject_of(person), local_settings(parley())
    _must_be_empty(folder)
    db = database()
    with explained():
        known = gather(db, subject, settings.bot_agents)
    if not known:
        click.echo(f"Nothing is known of {quoted(subject.text)}, so nothing was written.", err=True)
        return must_be_known(False, subject)
    counts = {name: len(rows) for name, rows in known.rows.items()}
    with explained():
        record(db, ACTOR, counts)
    files = _described(known) if no_files else _fetched(known, folder)
    document = {
        "person": subject.text,
        "opted_out": known.opted_out,
        "consent": known.consent,
        **known.rows,
        "files": files,
        "mentioned_by_others": known.mentions,
    }
    path = _write(folder, document)
    return _tell(path, counts, files, known.mentions, as_json)


def _must_be_empty(folder: Path) -> None:
    try:
        if not folder.exists() or not any(folder.iterdir()):
            return
    except OSError as error:
        raise click.ClickException(f"{folder} cannot be read ({error.strerror}); choose another --out") from error
    raise click.ClickException(f"{folder} has files already; choose another --out, so that nothing is mixed up")


def _described(known: Export) -> list[dict[str, Any]]:
    return [dict(one.media) | {"message_sid": one.message_sid} for one in known.files]


def _fetched(known: Export, folder: Path) -> list[dict[str, Any]]:
    """Return what became of each file: its path below the folder, or why it could not be fetched."""
    if not known.files:
        return []
    with operating() as account:
        return [
            described | _fetch(account, one, folder)
            for one, described in zip(known.files, _described(known), strict=True)
        ]


def _fetch(account: Any, one: MediaOf, folder: Path) -> dict[str, str]:
    from app.operations import conversations, media
    from app.operations.safe_download import guard_at

    guard = guard_at(account.twilio.base_url, seconds=_DOWNLOAD_SECONDS)
    try:
        service_sid = one.chat_service_sid or conversations.fetch(account, one.conversation_sid)["chat_service_sid"]
        path = media.download(account, service_sid, one.media, folder / FILES, guard)
    except (Refused, KeyError) as refused:
        return {"fault": str(refused)}
    except SendError as error:
        return {"fault": sentence(error)}
    return {"path": f"{FILES}/{path.name}"}


def _write(folder: Path, document: dict[str, Any]) -> Path:
    """Write the document, readable by nobody else."""
    path = folder / DOCUMENT
    try:
        private_files.make_folder(folder)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            file.write(in_unicode(json.dumps(document, ensure_ascii=False, indent=2)))
    except OSError as error:
        raise click.ClickException(f"{path} cannot be written ({error.strerror}); choose another --out") from error
    return path


def _tell(path: Path, counts: dict[str, int], files: list[dict[str, Any]], mentions: int, as_json: bool) -> None:
    failed = [one for one in files if "fault" in one]
    if as_json:
        show_json({"document": str(path), "rows": counts, "files": files, "mentioned_by_others": mentions})
    else:
        fetched = sum("path" in one for one in files)
        click.echo(f"{path}: {sum(counts.values())} rows of {len(counts)} tables; {fetched} of {len(files)} files.")
        if mentions:
            click.echo(f"{mentions} rows of other people mention this person; they are left out.")
    for one in failed:
        click.echo(f"Not fetched: {one['sid']} of {one['message_sid']}: {one['fault']}", err=True)
    if failed:
        click.echo("Everything else is there; delete the folder and run it again when it is mended.", err=True)
        sys.exit(1)
