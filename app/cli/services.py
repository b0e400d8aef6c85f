"""`flask services`: conversation services, each with its own conversations, users and webhook."""

from __future__ import annotations

from typing import Any

import click
from flask.cli import with_appcontext

from app.cli.account_options import confirm, operating, yes_option
from app.cli.output import in_utc, json_option, show_json, show_table

service_argument = click.argument("sid", metavar="IS...")


@click.group("services")
def services_commands() -> None:
    """Conversation services: create, list, show, delete."""


@services_commands.command("create")
@click.option("--friendly-name", metavar="NAME", required=True, help="What people call it, at most 256 characters.")
@json_option
@with_appcontext
def create_command(friendly_name: str, as_json: bool) -> None:
    """Create a conversation service.

    Example: flask services create --friendly-name "Support Berlin"
    """
    from app.operations import services

    with operating() as account:
        made = services.create(account, friendly_name)
    if as_json:
        return show_json(made)
    click.echo(f"Created {made['sid']} ({made['friendly_name']}).")
    return click.echo(f"Use it with --service {made['sid']}, or always with TWILIO_SERVICE_SID.")


@services_commands.command("list")
@click.option("--limit", type=click.IntRange(1, 10_000), default=20, show_default=True)
@json_option
@with_appcontext
def list_command(limit: int, as_json: bool) -> None:
    """List the account's services; one of them is the default.

    Example: flask services list --limit 50
    """
    from app.operations import services

    with operating() as account:
        found = services.list_services(account, limit=limit)
    if as_json:
        return show_json(found)
    rows = [one | {"default": "yes" if one["is_default"] else ""} for one in found]
    return show_table(rows, ["sid", "friendly_name", "default", "date_created"], empty="No service.")


@services_commands.command("show")
@service_argument
@json_option
@with_appcontext
def show_command(sid: str, as_json: bool) -> None:
    """Show one service.

    Example: flask services show IS00000000000000000000000000000002
    """
    from app.operations import services

    with operating() as account:
        found = services.show(account, sid)
    if as_json:
        return show_json(found)
    click.echo(f"{_called(found)}{', the default service' if found['is_default'] else ''}")
    return click.echo(f"  created {in_utc(found['date_created'])}, updated {in_utc(found['date_updated'])}")


@services_commands.command("delete")
@service_argument
@yes_option
@json_option
@with_appcontext
def delete_command(sid: str, yes: bool, as_json: bool) -> None:
    """Delete a service with all its conversations, messages and users. There is no way back.

    Example: flask services delete IS00000000000000000000000000000002
    """
    from app.operations import services

    with operating() as account:
        if not yes:
            found = services.show(account, sid)
            default = ", the default service of the account," if found["is_default"] else ""
            confirm(f"Delete {_called(found)}{default} with all its conversations, messages and users?", yes)
        services.delete(account, sid)
    if as_json:
        return show_json({"sid": sid, "deleted": True})
    return click.echo(f"Deleted {sid}.")


def _called(found: dict[str, Any]) -> str:
    name = found["friendly_name"]
    return f"{found['sid']} ({name})" if name else str(found["sid"])
