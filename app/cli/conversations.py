"""`flask conversations`: make, find, change and end conversations, and pause the bot in one of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
from flask.cli import with_appcontext

from app.cli.account_options import confirm, conversation_argument, operating, service_option, yes_option
from app.cli.attributes import conversation_attributes
from app.cli.conversations_create import create_command
from app.cli.conversations_pause import pause_command, resume_command
from app.cli.output import in_utc, json_option, show_json, show_table

if TYPE_CHECKING:
    from app.operations.pauses import BotPause

_COLUMNS = ["sid", "state", "friendly_name", "unique_name", "date_created", "date_updated"]
_TEXT_SHOWN = 80


@click.group("conversations")
def conversations_commands() -> None:
    """Conversations: create, list, show, update, close, reopen, delete; their attributes; pause and resume the bot."""


for _command in (create_command, conversation_attributes, pause_command, resume_command):
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
    return _say_conversation(found, bot)


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


def _say_conversation(found: dict[str, Any], bot: BotPause | None) -> None:
    """Print a conversation as `conversations.show` gives it; `bot` None: our database cannot be asked."""
    name = f" ({found['friendly_name']})" if found["friendly_name"] else ""
    click.echo(f"{found['sid']}{name}: {found['state']}")
    for title, value in _lines(found, bot):
        click.echo(f"  {title:<20} {value}")
    _say_participants(found["participants"], str(found["sid"]))
    click.echo(_last_message(found["last_message"]))


def _lines(found: dict[str, Any], bot: BotPause | None) -> list[tuple[str, Any]]:
    timers = found["timers"] or {}
    lines = [
        ("unique name", found["unique_name"]),
        ("service", found["chat_service_sid"]),
        ("messaging service", found["messaging_service_sid"]),
        ("created", f"{in_utc(found['date_created'])}"),
        ("updated", f"{in_utc(found['date_updated'])}"),
        ("inactive at", timers.get("date_inactive")),
        ("closed at", timers.get("date_closed")),
        ("attributes", found["attributes"] if found["attributes"] != "{}" else None),
        ("bot", _bot(bot)),
    ]
    return [(title, value) for title, value in lines if value]


def _bot(bot: BotPause | None) -> str:
    if bot is None:
        return "unknown: the database cannot be read"
    return f"silent {bot.until}, {bot.paused_why}" if bot.paused_until else "not paused"


def _say_participants(people: list[dict[str, Any]], sid: str) -> None:
    from app.operations.conversations import MOST_PARTICIPANTS_SHOWN
    from app.operations.participants import kind_of, names_of

    rows = [{"participant": one["sid"], "kind": kind_of(one), "name": " as ".join(names_of(one))} for one in people]
    show_table(rows[:MOST_PARTICIPANTS_SHOWN], ["participant", "kind", "name"], empty="Nobody takes part.")
    if len(rows) > MOST_PARTICIPANTS_SHOWN:
        click.echo(f"... and more; `flask participants list {sid} --limit 1000` shows all")


def _last_message(last: dict[str, Any] | None) -> str:
    if last is None:
        return "No message yet."
    text = " ".join((last["body"] or ("media" if last["media"] else "template" if last["content_sid"] else "")).split())
    shown = text if len(text) <= _TEXT_SHOWN else f"{text[: _TEXT_SHOWN - 3]}..."
    said = f"Last message: {in_utc(last['date_created'])} by {last['author']}: {shown}"
    return f"{said}\n  {last['sid']}, {_delivery(last['delivery'])}"


def _delivery(summary: dict[str, Any] | None) -> str:
    """Return who got it, e.g. `to 2 phones: sent all, delivered some`; Twilio counts phones only."""
    if not summary:
        return "to nobody by phone"
    levels = ("sent", "delivered", "read", "undelivered", "failed")
    reached = [f"{level} {summary[level]}" for level in levels if summary.get(level) not in (None, "none")]
    phones = "1 phone" if summary["total"] == 1 else f"{summary['total']} phones"
    return f"to {phones}: {', '.join(reached) or 'still at Twilio'}"
