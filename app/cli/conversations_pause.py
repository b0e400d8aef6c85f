"""`flask conversations pause` and `resume`: the bot in one conversation. Only a unique name needs Twilio."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from flask.cli import with_appcontext

from app.cli.account_options import conversation_argument, explained, operating, service_option
from app.cli.output import database, json_option, show_json, writing
from app.db.database import DatabaseUnavailable
from app.twilio_api.form import is_sid

if TYPE_CHECKING:
    from app.operations.pauses import BotPause


@click.command("pause")
@conversation_argument
@click.option("--for", "length", metavar="2h", default="", help="How long: 30m, 2h, 1d. Without: until `resume`.")
@service_option
@json_option
@with_appcontext
def pause_command(conversation: str, length: str, service_sid: str, as_json: bool) -> None:
    """Silence the bot in a conversation; a longer pause that is in force already stays.

    \b
    Example: flask conversations pause CH00000000000000000000000000000003 --for 2h
    """
    from app.operations import pauses, validation

    with explained():
        wanted = validation.span(length) if length else None
        sid = _sid_of(conversation, service_sid)
        with writing() as (tx, now):
            pause = pauses.pause(tx, sid, wanted, now=now)
    if as_json:
        return show_json(_document(pause))
    click.echo(f"The bot is silent in {sid} {pause.until}.")
    if not pause.was_known:
        click.echo("No webhook has mentioned this conversation so far; the pause holds all the same.")
    return None


@click.command("resume")
@conversation_argument
@service_option
@json_option
@with_appcontext
def resume_command(conversation: str, service_sid: str, as_json: bool) -> None:
    """Let the bot speak again in a conversation, whoever paused it.

    \b
    Example: flask conversations resume CH00000000000000000000000000000003
    """
    from app.operations import pauses

    with explained():
        sid = _sid_of(conversation, service_sid)
        with writing() as (tx, now):
            before = pauses.resume(tx, sid, now=now)
    if as_json:
        return show_json({"conversation_sid": sid, "paused_until": None, "was_paused": before.paused_until is not None})
    if before.paused_until is None:
        return click.echo(f"The bot was not paused in {sid}.")
    return click.echo(f"The bot speaks again in {sid}; it was silent {before.until}, {before.paused_why}.")


def pause_of(conversation_sid: str) -> BotPause | None:
    """Return whether the bot is silent in a conversation, or None when our database cannot be read."""
    from app.operations import pauses

    db = database()
    try:
        with db.read() as tx:
            return pauses.state(tx, conversation_sid, now=db.now(tx))
    except DatabaseUnavailable:
        return None


def _document(pause: BotPause) -> dict[str, object]:
    return {
        "conversation_sid": pause.conversation_sid,
        "paused_until": pause.paused_until,
        "paused_why": pause.paused_why,
        "was_known": pause.was_known,
    }


def _sid_of(conversation: str, service_sid: str) -> str:
    """Return the SID of a conversation; a unique name is looked up at Twilio."""
    from app.operations import conversations

    if is_sid(conversation, "CH"):
        return conversation
    with operating(service_sid) as account:
        return str(conversations.fetch(account, conversation)["sid"])
