"""`flask messages history` and `export`: what was said, and what is being said."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click
from flask.cli import with_appcontext

from app.cli.account_options import operating, service_option
from app.cli.output import in_utc, json_option, one_line, show_json, show_table
from app.common import private_files
from app.common.quoting import quoted
from app.twilio_api.form import in_unicode

if TYPE_CHECKING:
    from app.operations.account import Account

_COLUMNS = ["time", "author", "text", "media", "delivery"]


@click.command("history")
@click.argument("conversation", metavar="CH...")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="So many of the newest.")
@click.option("--follow", "follows", is_flag=True, help="Go on with what comes, until Ctrl-C.")
@service_option
@json_option
@with_appcontext
def history_command(conversation: str, limit: int, follows: bool, service_sid: str, as_json: bool) -> None:
    """Show what was said, the oldest first, with author, time, text, media and delivery state.

    With --follow a message is shown again when it is edited or a receipt comes; --json then gives one object a line.

    \b
    Example: flask messages history CH... --limit 50
    Example: flask messages history CH... --follow
    """
    from app.operations import history

    with operating(service_sid) as account:
        found = history.recent(account, conversation, limit=limit)
        if follows:
            return _follow(account, conversation, found, _say_json if as_json else _say_line)
    if as_json:
        return show_json(found)
    return show_table([_row(message) for message in found], _COLUMNS, empty="Nothing was said yet.")


def _follow(
    account: Account, conversation: str, found: list[dict[str, Any]], say: Callable[[dict[str, Any]], None]
) -> None:
    from app.operations import history

    try:
        for message in found:
            say(message)
        for message in history.follow(account, conversation, found, complain=_complain):
            say(message)
    except KeyboardInterrupt:
        return


@click.command("export")
@click.argument("conversation", metavar="CH...")
@click.option("--out", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path), help="Else standard output.")
@service_option
@with_appcontext
def export_command(conversation: str, out: Path | None, service_sid: str) -> None:
    """Write the whole history as JSON lines, the oldest message first, with all of Twilio's fields.

    A file appears under its name when all is in it.

    Example: flask messages export CH... --out history.jsonl
    """
    with operating(service_sid) as account:
        if out is None:
            _export(account, conversation, None)
            return
        part = out.with_name(f"{out.name}.part")
        try:
            with open(part, "w", encoding="utf-8", opener=private_files.opener) as file:
                number = _export(account, conversation, file)
            part.replace(out)
        except OSError as error:
            raise click.ClickException(
                f"{quoted(out)} cannot be written ({error.strerror}); give another --out"
            ) from error
        finally:
            part.unlink(missing_ok=True)
    click.echo(f"{number:,} messages in {out}.", err=True)


def _export(account: Account, conversation: str, file: IO[str] | None) -> int:
    from app.cli.output import progress
    from app.operations import history

    number = 0
    with progress(history.count(account, conversation), "Exporting") as advance:
        for message in history.everything(account, conversation):
            click.echo(_line(message), file=file)
            number += 1
            advance()
    return number


def _row(message: dict[str, Any]) -> dict[str, Any]:
    from app.operations.history import delivery_state, media_names

    return {
        "time": message["date_created"],
        "author": one_line(str(message["author"] or "")),
        "text": one_line(message["body"] or (f"(template {message['content_sid']})" if message["content_sid"] else "")),
        "media": one_line(media_names(message)),
        "delivery": delivery_state(message),
    }


def _say_line(message: dict[str, Any]) -> None:
    row = _row(message)
    media = f" [{row['media']}]" if row["media"] else ""
    delivery = f" ({row['delivery']})" if row["delivery"] else ""
    click.echo(f"{in_utc(row['time'])}  #{message['index']} {row['author']}: {row['text']}{media}{delivery}")


def _complain(reason: str) -> None:
    click.echo(f"{reason}; trying again.", err=True)


def _say_json(message: dict[str, Any]) -> None:
    click.echo(_line(message))


def _line(message: dict[str, Any]) -> str:
    return in_unicode(json.dumps(message, default=datetime.isoformat, ensure_ascii=False))
