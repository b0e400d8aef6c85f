"""`flask deliveries`: what became of the messages that went out, for each recipient."""

from __future__ import annotations

import click
from flask.cli import with_appcontext
from sqlalchemy import Connection

from app.cli.output import in_utc, json_option, reading, show_json, show_table
from app.store import agent_answers, audit, deliveries
from app.twilio_api.errors import meaning


@click.group("deliveries")
def deliveries_commands() -> None:
    """What became of the messages that went out: list, show."""


@deliveries_commands.command("list")
@click.option("--status", type=click.Choice(deliveries.LATTICE), help="Only deliveries in this state.")
@click.option("--message", "message_sid", metavar="IM...", help="Only this message.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=20, show_default=True)
@json_option
@with_appcontext
def list_command(status: str | None, message_sid: str | None, limit: int, as_json: bool) -> None:
    """List the newest deliveries, one for each message and recipient.

    Example: flask deliveries list --status undelivered
    """
    with reading() as (tx, _now):
        found = deliveries.list_deliveries(tx, status=status, message_sid=message_sid, limit=limit)
        senders = _senders(tx, [row.message_sid for row in found if not row.rule])
    rows = [
        dict(row._mapping)
        | {"meaning": meaning(row.error_code)}
        | {"sent_by": f"rule {row.rule}" if row.rule else senders.get(row.message_sid, "not us")}
        for row in found
    ]
    if as_json:
        return show_json(rows)
    for row in rows:
        row["error"] = f"{row['error_code']} {row['meaning']}" if row["error_code"] else ""
    columns = ["updated_at", "message_sid", "participant_sid", "status", "sent_by", "error"]
    return show_table(rows, columns, empty="No such delivery.")


def _senders(tx: Connection, message_sids: list[str]) -> dict[str, str]:
    """Return who of us sent these messages, where somebody did."""
    by_commands = dict.fromkeys(audit.sent_by_commands(tx, message_sids), "a command")
    return by_commands | dict.fromkeys(agent_answers.sent_as(tx, message_sids), "the page")


@deliveries_commands.command("show")
@click.argument("sid", metavar="IM...|DY...")
@json_option
@with_appcontext
def show_command(sid: str, as_json: bool) -> None:
    """Show the deliveries of a message, or one receipt, with every state in the order of arrival.

    Example: flask deliveries show IM00000000000000000000000000000004
    """
    with reading() as (tx, _now):
        found = deliveries.history(tx, sid)
    if not found:
        raise click.ClickException(f"no delivery of {sid[:40]!r} is known; `flask deliveries list` shows what is")
    if as_json:
        return show_json(found)
    for delivery in found:
        click.echo(f"{delivery['message_sid']} to {delivery['participant_sid']}: {delivery['status']}")
        if delivery["error_code"]:
            click.echo(f"  {delivery['error_code']}: {meaning(delivery['error_code'])}")
        if delivery["detail"]:
            click.echo(f"  {delivery['detail']}")
        for event in delivery["history"]:
            code = f" {event['error_code']}" if event["error_code"] else ""
            click.echo(f"  {in_utc(event['received_at'])}  {event['status']}{code}")
    return None
