"""`flask deliveries`: what became of the messages that went out, for each recipient."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import click
from flask.cli import with_appcontext
from sqlalchemy import Connection

from app.cli.output import in_utc, json_option, reading, show_json, show_table
from app.cli.param_types import SidParam
from app.store import agent_answers, audit, deliveries
from app.twilio_api.errors import meaning


@click.group("deliveries")
def deliveries_commands() -> None:
    """What became of the messages that went out: list, show."""


@deliveries_commands.command("list")
@click.option("--status", type=click.Choice((*deliveries.LATTICE, deliveries.NO_RECEIPT)), help="Only these.")
@click.option("--message", "message_sid", type=SidParam("IM"), metavar="IM...", help="Only this message.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=20, show_default=True)
@json_option
@with_appcontext
def list_command(status: str | None, message_sid: str | None, limit: int, as_json: bool) -> None:
    """List the newest deliveries, one for each message and recipient, and replies without a receipt for 10 minutes.

    Example: flask deliveries list --status undelivered
    """
    with reading() as (tx, now):
        rows = _without_receipt(tx, now, limit) if not message_sid and status in (None, deliveries.NO_RECEIPT) else []
        if status != deliveries.NO_RECEIPT:
            rows += _known(tx, status, message_sid, limit)
    rows = sorted(rows, key=lambda row: row["updated_at"], reverse=True)[:limit]
    if as_json:
        return show_json(rows)
    for row in rows:
        row["error"] = f"{row['error_code']} {row['meaning']}" if row["error_code"] else ""
    columns = ["updated_at", "message_sid", "participant_sid", "status", "sent_by", "error"]
    return show_table(rows, columns, empty="No such delivery.")


def _known(tx: Connection, status: str | None, message_sid: str | None, limit: int) -> list[dict[str, Any]]:
    """Return deliveries, with what their codes mean and who sent the messages."""
    found = deliveries.list_deliveries(tx, status=status, message_sid=message_sid, limit=limit)
    senders = _senders(tx, [row.message_sid for row in found if not row.rule])
    return [
        dict(row._mapping)
        | {"meaning": meaning(row.error_code)}
        | {"sent_by": f"rule {row.rule}" if row.rule else senders.get(row.message_sid, "not us")}
        for row in found
    ]


def _senders(tx: Connection, message_sids: list[str]) -> dict[str, str]:
    """Return who of us sent these messages, where somebody did."""
    by_commands = dict.fromkeys(audit.sent_by_commands(tx, message_sids), "a command")
    return by_commands | dict.fromkeys(agent_answers.sent_as(tx, message_sids), "the page")


def _without_receipt(tx: Connection, now: datetime, limit: int) -> list[dict[str, Any]]:
    """Return replies of which no receipt came, in the columns of deliveries."""
    return [
        {
            "delivery_receipt_sid": "",
            "message_sid": row.message_sid,
            "conversation_sid": row.conversation_sid,
            "participant_sid": "",
            "channel_message_sid": "",
            "status": deliveries.NO_RECEIPT,
            "error_code": 0,
            "detail": "",
            "first_at": row.sent_at,
            "updated_at": row.sent_at,
            "rule": row.rule,
            "reply_to": row.reply_to,
            "meaning": "",
            "sent_by": f"rule {row.rule}",
        }
        for row in deliveries.without_receipt(tx, now, limit=limit)
    ]


@deliveries_commands.command("show")
@click.argument("sid", type=SidParam("IM", "DY"), metavar="IM...|DY...")
@json_option
@with_appcontext
def show_command(sid: str, as_json: bool) -> None:
    """Show the deliveries of a message, or one receipt, with every state in the order of arrival.

    Example: flask deliveries show IM00000000000000000000000000000004
    """
    with reading() as (tx, _now):
        found = deliveries.history(tx, sid)
    if not found:
        raise click.ClickException(f"no delivery of {sid} is known; `flask deliveries list` shows what is")
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
