"""Sets the emulated account of `flask dev` up through the REST calls that a real account needs too, and shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from app import config
from app.operations import addresses, webhooks
from app.operations.account import Account
from app.operations.addresses import AutoCreation
from app.runtime.from_settings import make_conversations

if TYPE_CHECKING:
    from collections.abc import Mapping

    from app.emulator.client import Emulator

_LONGEST_VALUE = 60


def set_up(emulator: Emulator, environment: Mapping[str, str], number: str) -> None:
    """Let a number begin conversations by SMS and WhatsApp, point the global webhook at the app, and show both."""
    settings = config.from_environment(environment)
    account = Account(make_conversations(settings, None))
    for address in (number, f"whatsapp:{number}"):
        addresses.create(account, address, auto_creation=AutoCreation(enabled=True))
    webhooks.put(account, webhooks.pointed_at(webhooks.Webhook(), settings.public_url))
    click.echo("Setting the emulated account up, as a real one must be:")
    for request in emulator.requests():
        if request["method"] != "GET":
            click.echo(f"  {request['method']} {request['path']}  {_shown(request['form'])}  {request['status']}")
    click.echo(
        f"With your own account: `flask addresses create --address {number} --enabled`, `flask webhooks point`.\n"
    )


def _shown(form: list[tuple[str, str]]) -> str:
    """Return a form in one line; of several values of a name, how many."""
    values: dict[str, list[str]] = {}
    for name, value in form:
        if value:
            values.setdefault(name, []).append(value)
    return " ".join(
        f"{name}={found[0][:_LONGEST_VALUE]}" if len(found) == 1 else f"{name}={found[0]} and {len(found) - 1} more"
        for name, found in values.items()
    )
