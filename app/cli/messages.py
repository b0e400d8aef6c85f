"""`flask messages`: what is said in a conversation; sending is in messages_send.py, reading in messages_history.py."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from flask.cli import with_appcontext

from app.cli.account_options import confirm, operating, service_option, yes_option
from app.cli.messages_history import export_command, history_command
from app.cli.messages_send import send_command
from app.cli.output import database, in_utc, json_option, one_line, show_json, show_table

if TYPE_CHECKING:
    from app.operations.account import Account

_WHICH = "[CH...] IM..."
_DOWNLOAD_SECONDS = 600.0  # for each file; a chat may hold 150 MB
message_argument = click.argument("names", metavar=_WHICH, nargs=-1, required=True)


@click.group("messages")
def messages_commands() -> None:
    """What is said in a conversation: send, history, export, show, delete, media."""


@click.group("media")
def media_commands() -> None:
    """The files of a message: download."""


for _command in (send_command, history_command, export_command, media_commands):
    messages_commands.add_command(_command)


@messages_commands.command("show")
@message_argument
@service_option
@json_option
@with_appcontext
def show_command(names: tuple[str, ...], service_sid: str, as_json: bool) -> None:
    """Show a message with what became of it for each recipient.

    The conversation may be left out when our database knows the message.

    Example: flask messages show CH... IM...
    """
    from app.operations import history, messages

    with operating(service_sid) as account:
        found = messages.show(account, *_named(names))
    if as_json:
        return show_json(found)
    click.echo(f"{found['sid']} in {found['conversation_sid']}")
    written = in_utc(found["date_created"])
    lines = {
        "written": f"{written} by {one_line(str(found['author']))}",
        "text": one_line(found["body"] or ""),
        "media": one_line(history.media_names(found)),
        "template": found["content_sid"] or "",
        "attributes": one_line(found["attributes"] or "{}"),
        "delivery": history.delivery_state(found) or "only in the chat",
    }
    for title, value in lines.items():
        if value:
            click.echo(f"  {title + ':':12}{value}")
    receipts = found["delivery_receipts"]
    for receipt in receipts:
        receipt["error"] = f"{receipt['error_code']} {receipt['meaning']}" if receipt["error_code"] else ""
    if receipts:
        show_table(receipts, ["participant_sid", "status", "date_updated", "error"], empty="")
    return None


@messages_commands.command("delete")
@message_argument
@yes_option
@service_option
@json_option
@with_appcontext
def delete_command(names: tuple[str, ...], yes: bool, service_sid: str, as_json: bool) -> None:
    """Delete a message from its conversation; phones keep what they have received.

    Example: flask messages delete CH... IM... --yes
    """
    from app.operations import messages

    with operating(service_sid) as account:
        conversation, message_sid = _named(names)
        found = messages.fetch_message(account, conversation, message_sid)
        who = f"{one_line(str(found['author']))}, {in_utc(found['date_created'])}"
        confirm(f"Delete message {message_sid} ({who})? Phones keep what they have received.", yes)
        messages.delete(account, conversation, message_sid)
    if as_json:
        return show_json({"sid": message_sid, "conversation_sid": found["conversation_sid"], "deleted": True})
    return click.echo(f"Deleted {message_sid}.")


@media_commands.command("download")
@message_argument
@click.option(
    "--out",
    "folder",
    metavar="DIR",
    default=".",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where to; made if it is not there.",
)
@service_option
@json_option
@with_appcontext
def download_command(names: tuple[str, ...], folder: Path, service_sid: str, as_json: bool) -> None:
    """Save all files of a message; each name begins with the media SID.

    Example: flask messages media download CH... IM... --out downloads
    """
    from app.operations import messages

    with operating(service_sid) as account:
        found = messages.fetch_message(account, *_named(names))
        saved = _download(account, found, folder)
    if as_json:
        return show_json(saved)
    for one in saved:
        click.echo(f"{one['path']} ({one['size']:,} bytes)")
    return None if saved else click.echo(f"{found['sid']} has no media.")


def _download(account: Account, message: dict[str, Any], folder: Path) -> list[dict[str, Any]]:
    from app.operations import conversations, media
    from app.operations.safe_download import guard_at

    files = message["media"] or []
    if not files:
        return []
    service_sid = conversations.fetch(account, message["conversation_sid"])["chat_service_sid"]
    guard = guard_at(account.twilio.base_url, seconds=_DOWNLOAD_SECONDS)
    saved = []
    for file in files:
        path = media.download(account, service_sid, file, folder, guard)
        saved.append(file | {"path": str(path), "size": path.stat().st_size})
    return saved


def _named(names: tuple[str, ...]) -> tuple[str, str]:
    """Return the conversation and the message; our database may know where a message is."""
    from app.operations.messages import conversation_of

    if len(names) > 2:
        raise click.UsageError(f"give one message: {_WHICH}")
    if len(names) == 2:
        return names[0], names[1]
    return conversation_of(database(), names[0]), names[0]
