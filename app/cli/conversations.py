"""`flask conversations`: make, find, change and end conversations, and pause the bot in one of them."""

from __future__ import annotations

from typing import Any

import click

from app.cli.account_options import confirm, operating, service_option, yes_option
from app.cli.attributes import attributes_commands
from app.cli.conversation_page import say_conversation
from app.cli.conversations_create import create_command
from app.cli.conversations_pause import pause_command, resume_command
from app.cli.output import json_option, show_json, show_table, with_appcontext

conversation_argument = click.argument("conversation", metavar="CH...|UNIQUE_NAME")
_COLUMNS = ["sid", "state", "friendly_name", "unique_name", "date_created", "date_updated"]


@click.group("conversations")
def conversations_commands() -> None:
    """Conversations: create, list, show, update, close, reopen, delete; their attributes; pause and resume the bot."""


for _command in (create_command, attributes_commands, pause_command, resume_command):
    conversations_commands.add_command(_command)


@conversations_commands.command("list")
@click.option("--state", type=click.Choice(["active", "inactive", "closed"]), default=None)
@click.option("--start-date", metavar="YYYY-MM-DD", default="", help="Created on that day or later (UTC).")
@click.option("--end-date", metavar="YYYY-MM-DD", default="", help="Created on that day or earlier (UTC).")
@click.option("--address", metavar="+1...", default="", help="Only those of a number, or of whatsapp:+1...")
@click.option("--identity", metavar="NAME", default="", help="Only those of somebody who chats.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=20, show_default=True)
@service_option
@json_option
@with_appcontext
def list_command(
    state: str | None,
    start_date: str,
    end_date: str,
    address: str,
    identity: str,
    limit: int,
    service_sid: str,
    as_json: bool,
) -> None:
    """List conversations, by state, day of creation, or who takes part.

    \b
    Example: flask conversations list --state active --limit 20
    Example: flask conversations list --address +15550100001
    """
    from app.operations import conversations

    if (address or identity) and (start_date or end_date):
        raise click.UsageError("--start-date and --end-date cannot be combined with --address or --identity")
    with operating(service_sid) as account:
        if address or identity:
            found = conversations.list_of_participant(
                account, address=address, identity=identity, state=state or "", limit=limit
            )
        else:
            found = conversations.list_conversations(
                account, state=state or "", start_date=start_date, end_date=end_date, limit=limit
            )
    if as_json:
        return show_json(found)
    return show_table([_row(one) for one in found], _COLUMNS, empty="No such conversation.")


@conversations_commands.command("show")
@conversation_argument
@service_option
@json_option
@with_appcontext
def show_command(conversation: str, service_sid: str, as_json: bool) -> None:
    """Show one conversation: names, timers, who takes part, the last message, and whether the bot is silent.

    \b
    Example: flask conversations show CH00000000000000000000000000000003
    """
    from app.cli.conversations_pause import pause_of
    from app.operations import conversations

    with operating(service_sid) as account:
        found = conversations.show(account, conversation)
    bot = pause_of(str(found["sid"]))
    if as_json:
        paused = bot and {"paused_until": bot.paused_until, "paused_why": bot.paused_why}
        return show_json(found | {"bot": paused})
    return say_conversation(found, bot)


@conversations_commands.command("update")
@conversation_argument
@click.option("--friendly-name", metavar="NAME", default="")
@click.option("--unique-name", metavar="NAME", default="", help="Another name for the SID in these commands.")
@click.option("--timers-inactive", metavar="PT10M", default="", help="Inactive after this time; PT0S for never.")
@click.option("--timers-closed", metavar="P1D", default="", help="Closed after this time; PT0S for never.")
@click.option("--messaging-service-sid", metavar="MG...", default="")
@service_option
@json_option
@with_appcontext
def update_command(conversation: str, service_sid: str, as_json: bool, **changes: str) -> None:
    """Change names, timers or the messaging service.

    \b
    Example: flask conversations update CH... --friendly-name "Order 42" --timers-inactive PT30M
    """
    from app.operations import conversations

    with operating(service_sid) as account:
        changed = conversations.update(account, conversation, **changes)
    return show_json(changed) if as_json else click.echo(f"Updated {_called(changed)}.")


@conversations_commands.command("close")
@conversation_argument
@yes_option
@service_option
@json_option
@with_appcontext
def close_command(conversation: str, yes: bool, service_sid: str, as_json: bool) -> None:
    """Close a conversation. That is final: a customer who writes again gets a new one.

    \b
    Example: flask conversations close CH00000000000000000000000000000003
    """
    from app.operations import conversations

    with operating(service_sid) as account:
        if not yes:
            found = conversations.fetch(account, conversation)
            confirm(f"Close {_called(found)}? It cannot be opened again.", yes)
        closed = conversations.close(account, conversation)
    return show_json(closed) if as_json else click.echo(f"{_called(closed)} is closed.")


@conversations_commands.command("reopen")
@conversation_argument
@service_option
@json_option
@with_appcontext
def reopen_command(conversation: str, service_sid: str, as_json: bool) -> None:
    """Make an inactive conversation active again; a closed one stays closed.

    \b
    Example: flask conversations reopen CH00000000000000000000000000000003
    """
    from app.operations import conversations

    with operating(service_sid) as account:
        active = conversations.reopen(account, conversation)
    return show_json(active) if as_json else click.echo(f"{_called(active)} is active.")


@conversations_commands.command("delete")
@conversation_argument
@yes_option
@service_option
@json_option
@with_appcontext
def delete_command(conversation: str, yes: bool, service_sid: str, as_json: bool) -> None:
    """Delete a conversation with all its messages and participants at Twilio. There is no way back.

    \b
    Example: flask conversations delete CH00000000000000000000000000000003
    """
    from app.operations import conversations

    with operating(service_sid) as account:
        found = conversations.fetch(account, conversation)
        confirm(f"Delete {_called(found)} with all its messages and participants?", yes)
        conversations.delete(account, str(found["sid"]))
    if as_json:
        return show_json({"sid": found["sid"], "deleted": True})
    return click.echo(f"Deleted {_called(found)}.")


def _called(found: dict[str, Any]) -> str:
    name = found["friendly_name"] or found["unique_name"]
    return f"{found['sid']} ({name})" if name else str(found["sid"])


def _row(found: dict[str, Any]) -> dict[str, Any]:
    """Return a row of the table, also for a participant's conversation, whose fields have a prefix."""
    return {name: found.get(name, found.get(f"conversation_{name}")) for name in _COLUMNS}
