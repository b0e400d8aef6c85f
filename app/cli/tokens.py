"""`flask tokens`: access tokens for web chat clients."""

from __future__ import annotations

from datetime import UTC, datetime

import click
from flask.cli import with_appcontext

from app.cli.output import json_option, parley, show_json


@click.group("tokens")
def tokens_commands() -> None:
    """Access tokens for web chat clients: create."""


@tokens_commands.command("create")
@click.option("--identity", metavar="NAME", required=True, help="Who chats with this token.")
@click.option("--ttl", type=click.IntRange(1, 86_400), default=3600, show_default=True, help="Seconds it lives.")
@click.option("--service", "service_sid", metavar="IS...", default="", help="Else TWILIO_SERVICE_SID or the default.")
@json_option
@with_appcontext
def create_command(identity: str, ttl: int, service_sid: str, as_json: bool) -> None:
    """Print an access token with a ChatGrant, signed with the API key.

    It needs TWILIO_API_KEY and TWILIO_API_SECRET. Whoever has the token can chat as NAME until it expires.

    Example: flask tokens create --identity alice --ttl 600
    """
    from app.cli.account_options import operating
    from app.operations import tokens

    with operating(service_sid) as account:
        settings = parley().settings
        key = tokens.ApiKey(settings.account_sid, settings.api_key, settings.api_secret)
        created = tokens.create(account, key, identity, ttl=ttl, now=datetime.now(UTC))
    if as_json:
        return show_json(vars(created))
    return click.echo(created.token)
