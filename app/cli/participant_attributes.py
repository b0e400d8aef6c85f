"""`flask participants attributes`: what a participant carries along, a JSON object."""

from __future__ import annotations

import click

from app.cli.account_options import operating, service_option
from app.cli.output import json_option, show_json, with_appcontext

WHO = "MB...|+1...|whatsapp:+1...|IDENTITY"
conversation_argument = click.argument("conversation", metavar="CH...")
who_argument = click.argument("who", metavar=WHO)
json_argument = click.argument("attributes", metavar="JSON")


@click.group("attributes")
def attributes_commands() -> None:
    """What a participant carries along, a JSON object of at most 4 KB: get, set, merge, unset."""


@attributes_commands.command("get")
@conversation_argument
@who_argument
@service_option
@json_option
@with_appcontext
def get_command(conversation: str, who: str, service_sid: str, as_json: bool) -> None:
    """Print the attributes.

    Example: flask participants attributes get CH... +15550100001
    """
    from app.operations import participant_attributes

    with operating(service_sid) as account:
        show_json(participant_attributes.get(account, conversation, who))


@attributes_commands.command("set")
@conversation_argument
@who_argument
@json_argument
@service_option
@json_option
@with_appcontext
def set_command(conversation: str, who: str, attributes: str, service_sid: str, as_json: bool) -> None:
    """Replace all attributes by these.

    Example: flask participants attributes set CH... +15550100001 '{"vip": true}'
    """
    from app.operations import participant_attributes

    with operating(service_sid) as account:
        show_json(participant_attributes.replace(account, conversation, who, attributes))


@attributes_commands.command("merge")
@conversation_argument
@who_argument
@json_argument
@service_option
@json_option
@with_appcontext
def merge_command(conversation: str, who: str, attributes: str, service_sid: str, as_json: bool) -> None:
    """Set these attributes and keep the others.

    Example: flask participants attributes merge CH... +15550100001 '{"language": "de"}'
    """
    from app.operations import participant_attributes

    with operating(service_sid) as account:
        show_json(participant_attributes.merge(account, conversation, who, attributes))


@attributes_commands.command("unset")
@conversation_argument
@who_argument
@click.argument("keys", metavar="KEY", nargs=-1, required=True)
@service_option
@json_option
@with_appcontext
def unset_command(conversation: str, who: str, keys: tuple[str, ...], service_sid: str, as_json: bool) -> None:
    """Remove attributes by their names.

    Example: flask participants attributes unset CH... +15550100001 vip
    """
    from app.operations import participant_attributes

    with operating(service_sid) as account:
        show_json(participant_attributes.unset(account, conversation, who, keys))
