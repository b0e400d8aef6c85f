"""`flask addresses`: which of your numbers make a conversation of a message that finds none (autocreation)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click
from flask.cli import with_appcontext

from app.cli.account_options import confirm, operating, yes_option
from app.cli.output import json_option, show_json, show_table
from app.operations import addresses
from app.operations.addresses import CREATES, FILTERS, TYPES, AutoCreation

Command = TypeVar("Command", bound=Callable[..., Any])
address_argument = click.argument("which", metavar="IG...|ADDRESS")
_OPTIONS = (
    click.option("--friendly-name", metavar="NAME", default="", help="What people call it."),
    click.option(
        "--auto-creation-enabled/--no-auto-creation",
        "--enabled/--disabled",
        "enabled",
        default=None,
        help="Whether a message that finds no conversation makes one.",
    ),
    click.option(
        "--auto-creation-type",
        "creation",
        type=click.Choice(CREATES),
        default=None,
        help="Give each new conversation a webhook, a Studio flow, or neither.",
    ),
    click.option(
        "--auto-creation-conversation-service-sid",
        "--service",
        "service_sid",
        metavar="IS...",
        default="",
        help="Where the conversations are made; else in the default service.",
    ),
    click.option("--auto-creation-webhook-url", "--webhook-url", "webhook_url", metavar="URL", default=""),
    click.option(
        "--auto-creation-webhook-method",
        "--webhook-method",
        "webhook_method",
        type=click.Choice(["GET", "POST"], case_sensitive=False),
        default=None,
    ),
    click.option(
        "--auto-creation-webhook-filters",
        "--webhook-filter",
        "webhook_filters",
        multiple=True,
        type=click.Choice(FILTERS),
        metavar="EVENT",
        help="An event for the webhook. Repeatable.",
    ),
    click.option(
        "--auto-creation-studio-flow-sid", "--studio-flow-sid", "studio_flow_sid", metavar="FW...", default=""
    ),
    click.option(
        "--auto-creation-studio-retry-count",
        "--studio-retry-count",
        "studio_retry_count",
        type=click.IntRange(0),
        default=None,
    ),
)


def _auto_creation_options(command: Command) -> Command:
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@click.group("addresses")
def addresses_commands() -> None:
    """Autocreation of conversations, for each of your addresses: create, list, show, update, delete."""


@addresses_commands.command("create")
@click.option("--address", metavar="+1...", required=True, help="Your number, or whatsapp:+1... for a WhatsApp sender.")
@click.option("--type", "kind", type=click.Choice(TYPES), default=None, help="Else told by the address.")
@click.option("--address-country", metavar="US", default="", help="Of a short code.")
@_auto_creation_options
@json_option
@with_appcontext
def create_command(
    address: str, kind: str | None, address_country: str, friendly_name: str, as_json: bool, **auto_creation: Any
) -> None:
    """Say what happens to messages to one of your addresses.

    Example: flask addresses create --address +15550100099 --enabled
    """
    with operating() as account:
        made = addresses.create(
            account,
            address,
            type=kind or "",
            friendly_name=friendly_name,
            address_country=address_country,
            auto_creation=_wanted(auto_creation),
        )
    if as_json:
        return show_json(made)
    return click.echo(f"Created {made['sid']}: {_in_words(made)}.")


@addresses_commands.command("list")
@click.option("--type", "kind", type=click.Choice(TYPES), default=None, help="Only addresses of this type.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=20, show_default=True)
@json_option
@with_appcontext
def list_command(kind: str | None, limit: int, as_json: bool) -> None:
    """List the addresses that have a configuration.

    Example: flask addresses list --type sms
    """
    with operating() as account:
        found = addresses.list_addresses(account, type=kind or "", limit=limit)
    if as_json:
        return show_json(found)
    rows = [one | {"autocreation": _auto_creation_in_words(one)} for one in found]
    columns = ["sid", "type", "address", "friendly_name", "autocreation"]
    return show_table(rows, columns, empty="No address has a configuration; Twilio's defaults hold.")


@addresses_commands.command("show")
@address_argument
@json_option
@with_appcontext
def show_command(which: str, as_json: bool) -> None:
    """Show one configuration, by its SID or its address.

    Example: flask addresses show +15550100099
    """
    with operating() as account:
        found = addresses.show(account, which)
    if as_json:
        return show_json(found)
    click.echo(f"{found['sid']}: {_in_words(found)}")
    for name, value in (found["auto_creation"] or {}).items():
        click.echo(f"  {name:<26} {', '.join(value) if isinstance(value, list) else value}")
    return None


@addresses_commands.command("update")
@address_argument
@_auto_creation_options
@json_option
@with_appcontext
def update_command(which: str, friendly_name: str, as_json: bool, **auto_creation: Any) -> None:
    """Change a configuration; what is not given stays as it is.

    Example: flask addresses update +15550100099 --disabled
    """
    with operating() as account:
        changed = addresses.update(account, which, friendly_name=friendly_name, auto_creation=_wanted(auto_creation))
    if as_json:
        return show_json(changed)
    return click.echo(f"Updated {changed['sid']}: {_in_words(changed)}.")


@addresses_commands.command("delete")
@address_argument
@yes_option
@json_option
@with_appcontext
def delete_command(which: str, yes: bool, as_json: bool) -> None:
    """Delete a configuration; the conversations stay.

    Example: flask addresses delete +15550100099
    """
    with operating() as account:
        found = addresses.show(account, which)
        confirm(f"Delete {found['sid']} ({_in_words(found)})? The conversations stay.", yes)
        addresses.delete(account, str(found["sid"]))
    if as_json:
        return show_json({"sid": found["sid"], "address": found["address"], "deleted": True})
    return click.echo(f"Deleted {found['sid']}.")


def _wanted(options: dict[str, Any]) -> AutoCreation:
    creation = options.pop("creation") or ""
    return AutoCreation(type=creation, **options | {"webhook_method": options["webhook_method"] or ""})


def _in_words(found: dict[str, Any]) -> str:
    return f"{found['address']} ({found['type']}), autocreation {_auto_creation_in_words(found)}"


def _auto_creation_in_words(found: dict[str, Any]) -> str:
    it = found["auto_creation"] or {}
    if not it.get("enabled"):
        return "off"
    target = {"webhook": it.get("webhook_url"), "studio": it.get("studio_flow_sid")}.get(it.get("type", ""))
    return f"on, {it.get('type')}{f' {target}' if target else ''}"
