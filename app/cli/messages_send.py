"""`flask messages send`: text, files and templates into a conversation."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click
from flask.cli import with_appcontext

from app.cli.account_options import dry_run_option, operating, service_option
from app.cli.output import database_if_any, json_option, parley, progress, record_sent, show_json

if TYPE_CHECKING:
    from app.db.database import Database
    from app.operations.message_plan import MessagePlan


@click.command("send")
@click.argument("conversation", metavar="CH...")
@click.option("--body", metavar="TEXT", default="", help="To SMS and WhatsApp at most 1,600 characters.")
@click.option("--author", metavar="NAME", default="", help="Who says it; else BOT_AUTHOR, in a group MMS our number.")
@click.option("--attributes", metavar="JSON", default="", help="An object of at most 4 KB.")
@click.option("--media", metavar="FILE|URL|ME...", multiple=True, help="A file to send; repeatable, at most 10.")
@click.option("--content-sid", metavar="HX...", default="", help="An approved template instead of text and files.")
@click.option("--content-variables", metavar="JSON", default="", help="What to fill into the template.")
@click.option("--subject", metavar="TEXT", default="", help="At most 256 characters.")
@click.option("--force", is_flag=True, help="Send what some phone will not get: outside WhatsApp's window, odd files.")
@dry_run_option
@service_option
@json_option
@with_appcontext
def send_command(
    conversation: str,
    body: str,
    author: str,
    attributes: str,
    media: tuple[str, ...],
    content_sid: str,
    content_variables: str,
    subject: str,
    force: bool,
    dry_run: bool,
    service_sid: str,
    as_json: bool,
) -> None:
    """Send a text, files or a template.

    Files may be JPG, PNG, GIF, PDF, vCard, MP3, AMR or MP4. A message carries one, so several become several
    messages; the text goes with the first. All are checked for what the channels of the conversation can carry
    before anything is sent.

    \b
    Example: flask messages send CH... --body "Your table is ready."
    Example: flask messages send CH... --body "The menu:" --media menu.pdf --media https://www.example.com/terrace.jpg
    Example: flask messages send CH... --content-sid HX... --content-variables '{"1": "Ann"}'
    """
    from app.operations import message_plan, messages
    from app.operations.validation import OTHER_ATTRIBUTES
    from app.operations.validation import attributes as checked

    with operating(service_sid) as account:
        draft = message_plan.Draft(
            body=body,
            author=author,
            default_author=parley().settings.bot_author,
            subject=subject,
            media=media,
            attributes=checked(attributes, OTHER_ATTRIBUTES) if attributes else {},
            content_sid=content_sid,
            content_variables=content_variables,
        )
        db = database_if_any()
        planned = message_plan.plan(account, conversation, draft, db=db, now=_now(db), force=force)
        for note in planned.notes:
            click.echo(f"{note}.", err=True)
        if dry_run:
            return _show_plan(planned, as_json)
        files = sum(part.file is not None for part in planned.parts)
        with progress(files, "Uploading") if files else nullcontext(_say_nothing) as uploaded:
            sent = messages.send(account, planned, _note(as_json), uploaded=uploaded)
    return show_json(sent) if as_json else None


def _note(as_json: bool) -> Callable[[dict[str, Any]], None]:
    def note(message: dict[str, Any]) -> None:
        record_sent(str(message["conversation_sid"]), [str(message["sid"])])
        if not as_json:
            _say(message)

    return note


def _say(message: dict[str, Any]) -> None:
    click.echo(f"Sent {message['sid']} (index {message['index']}) as {message['author']}.")


def _say_nothing(_message: dict[str, Any] | None = None) -> None:
    """A script reads the document at the end; where there is no file there is nothing to show."""


def _show_plan(planned: MessagePlan, as_json: bool) -> None:
    parts = [_part(planned, number) for number in range(len(planned.parts))]
    if as_json:
        return show_json({"conversation_sid": planned.conversation_sid, "would_send": parts})
    for part in parts:
        file = f" with {part['filename']} ({part['content_type']}, {part['size']:,} bytes)" if part["filename"] else ""
        template = f" from template {part['content_sid']}" if part["content_sid"] else ""
        click.echo(f"Would send {len(part['body']):,} characters{file}{template} as {part['author']}.")
    return click.echo("Nothing was sent.")


def _part(planned: MessagePlan, number: int) -> dict[str, Any]:
    part = planned.parts[number]
    return {
        "author": planned.author,
        "body": part.body,
        "filename": part.file.filename if part.file else None,
        "content_type": part.file.content_type if part.file else None,
        "size": part.file.size if part.file else None,
        "content_sid": planned.draft.content_sid or None,
    }


def _now(db: Database | None) -> datetime:
    """Return the time by the clock of our database, where there is one."""
    from app.db.database import DatabaseUnavailable

    if db is None:
        return datetime.now(UTC)
    try:
        with db.read() as tx:
            return db.now(tx)
    except DatabaseUnavailable:
        return datetime.now(UTC)
