"""`flask conversations attributes` and `flask participants attributes`: the JSON object that one carries."""

from __future__ import annotations

import json
import sys
from typing import Any

import click
from flask.cli import with_appcontext

from app.cli.account_options import conversation_argument, operating, service_option
from app.cli.output import json_option, show_json
from app.common.quoting import quoted
from app.twilio_api.form import in_unicode

WHO = "MB...|+1...|whatsapp:+1...|IDENTITY"
who_argument = click.argument("who", metavar=WHO)
json_argument = click.argument("attributes", metavar="JSON|-")
plain_json_argument = click.argument("attributes", metavar="JSON")


@click.group("attributes")
def conversation_attributes() -> None:
    """The JSON object that a conversation carries, at most 16 KB: get, set, merge, unset."""


@conversation_attributes.command("get")
@conversation_argument
@click.argument("key", required=False)
@service_option
@json_option
@with_appcontext
def get_command(conversation: str, key: str | None, service_sid: str, as_json: bool) -> None:
    """Show the attributes, or the value of one key.

    \b
    Example: flask conversations attributes get CH00000000000000000000000000000003
    """
    from app.operations import attributes as operations

    with operating(service_sid) as account:
        found = operations.get(operations.OfConversation(account, conversation))
    if key is not None and key not in found:
        there = ", ".join(found) or "none"
        raise click.ClickException(f"{conversation} has no attribute {quoted(key, 40)}; it has: {there}")
    return show_json(found if key is None else found[key])


@conversation_attributes.command("set")
@conversation_argument
@json_argument
@service_option
@json_option
@with_appcontext
def set_command(conversation: str, attributes: str, service_sid: str, as_json: bool) -> None:
    """Replace all attributes; `-` reads the JSON from standard input.

    Example: flask conversations attributes set CH... '{"order": 42}'
    """
    from app.operations import attributes as operations

    with operating(service_sid) as account:
        after = operations.replace(operations.OfConversation(account, conversation), _given(attributes))
    return _say(conversation, after, as_json)


@conversation_attributes.command("merge")
@conversation_argument
@json_argument
@service_option
@json_option
@with_appcontext
def merge_command(conversation: str, attributes: str, service_sid: str, as_json: bool) -> None:
    """Set some attributes and keep the others; `-` reads the JSON from standard input.

    \b
    Example: flask conversations attributes merge CH... '{"vip": true}'
    """
    from app.operations import attributes as operations

    with operating(service_sid) as account:
        after = operations.merge(operations.OfConversation(account, conversation), _given(attributes))
    return _say(conversation, after, as_json)


@conversation_attributes.command("unset")
@conversation_argument
@click.argument("keys", metavar="KEY...", nargs=-1, required=True)
@service_option
@json_option
@with_appcontext
def unset_command(conversation: str, keys: tuple[str, ...], service_sid: str, as_json: bool) -> None:
    """Remove some attributes.

    Example: flask conversations attributes unset CH... vip
    """
    from app.operations import attributes as operations

    with operating(service_sid) as account:
        after = operations.unset(operations.OfConversation(account, conversation), keys)
    return _say(conversation, after, as_json)


@click.group("attributes")
def participant_attributes() -> None:
    """What a participant carries along, a JSON object of at most 4 KB: get, set, merge, unset."""


@participant_attributes.command("get")
@conversation_argument
@who_argument
@service_option
@json_option
@with_appcontext
def participant_get_command(conversation: str, who: str, service_sid: str, as_json: bool) -> None:
    """Print the attributes.

    Example: flask participants attributes get CH... +15550100001
    """
    from app.operations import attributes as operations

    with operating(service_sid) as account:
        show_json(operations.get(operations.OfParticipant(account, conversation, who)))


@participant_attributes.command("set")
@conversation_argument
@who_argument
@plain_json_argument
@service_option
@json_option
@with_appcontext
def participant_set_command(conversation: str, who: str, attributes: str, service_sid: str, as_json: bool) -> None:
    """Replace all attributes by these.

    Example: flask participants attributes set CH... +15550100001 '{"vip": true}'
    """
    from app.operations import attributes as operations

    with operating(service_sid) as account:
        show_json(operations.replace(operations.OfParticipant(account, conversation, who), attributes))


@participant_attributes.command("merge")
@conversation_argument
@who_argument
@plain_json_argument
@service_option
@json_option
@with_appcontext
def participant_merge_command(conversation: str, who: str, attributes: str, service_sid: str, as_json: bool) -> None:
    """Set these attributes and keep the others.

    Example: flask participants attributes merge CH... +15550100001 '{"language": "de"}'
    """
    from app.operations import attributes as operations

    with operating(service_sid) as account:
        show_json(operations.merge(operations.OfParticipant(account, conversation, who), attributes))


@participant_attributes.command("unset")
@conversation_argument
@who_argument
@click.argument("keys", metavar="KEY", nargs=-1, required=True)
@service_option
@json_option
@with_appcontext
def participant_unset_command(
    conversation: str, who: str, keys: tuple[str, ...], service_sid: str, as_json: bool
) -> None:
    """Remove attributes by their names.

    Example: flask participants attributes unset CH... +15550100001 vip
    """
    from app.operations import attributes as operations

    with operating(service_sid) as account:
        show_json(operations.unset(operations.OfParticipant(account, conversation, who), keys))


def _given(text: str) -> str:
    return sys.stdin.read() if text == "-" else text


def _say(conversation: str, after: dict[str, Any], as_json: bool) -> None:
    if as_json:
        return show_json(after)
    return click.echo(f"{conversation} now has {in_unicode(json.dumps(after, ensure_ascii=False))}")
