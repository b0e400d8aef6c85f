"""`flask conversations attributes`: the JSON object that a conversation carries, at most 16 KB."""

from __future__ import annotations

import json
import sys
from typing import Any

import click

from app.cli.account_options import operating, service_option
from app.cli.output import json_option, show_json, with_appcontext

conversation_argument = click.argument("conversation", metavar="CH...|UNIQUE_NAME")
json_argument = click.argument("attributes", metavar="JSON|-")


@click.group("attributes")
def attributes_commands() -> None:
    """The JSON object that a conversation carries: get, set, merge, unset."""


@attributes_commands.command("get")
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
    from app.operations import attributes as conversation_attributes

    with operating(service_sid) as account:
        found = conversation_attributes.get(account, conversation)
    if key is not None and key not in found:
        there = ", ".join(found) or "none"
        raise click.ClickException(f"{conversation} has no attribute {key[:40]!r}; it has: {there}")
    return show_json(found if key is None else found[key])


@attributes_commands.command("set")
@conversation_argument
@json_argument
@service_option
@json_option
@with_appcontext
def set_command(conversation: str, attributes: str, service_sid: str, as_json: bool) -> None:
    """Replace all attributes; `-` reads the JSON from standard input.

    Example: flask conversations attributes set CH... '{"order": 42}'
    """
    from app.operations import attributes as conversation_attributes

    with operating(service_sid) as account:
        after = conversation_attributes.replace(account, conversation, _given(attributes))
    return _say(conversation, after, as_json)


@attributes_commands.command("merge")
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
    from app.operations import attributes as conversation_attributes

    with operating(service_sid) as account:
        after = conversation_attributes.merge(account, conversation, _given(attributes))
    return _say(conversation, after, as_json)


@attributes_commands.command("unset")
@conversation_argument
@click.argument("keys", metavar="KEY...", nargs=-1, required=True)
@service_option
@json_option
@with_appcontext
def unset_command(conversation: str, keys: tuple[str, ...], service_sid: str, as_json: bool) -> None:
    """Remove some attributes.

    Example: flask conversations attributes unset CH... vip
    """
    from app.operations import attributes as conversation_attributes

    with operating(service_sid) as account:
        after = conversation_attributes.unset(account, conversation, keys)
    return _say(conversation, after, as_json)


def _given(text: str) -> str:
    return sys.stdin.read() if text == "-" else text


def _say(conversation: str, after: dict[str, Any], as_json: bool) -> None:
    if as_json:
        return show_json(after)
    return click.echo(f"{conversation} now has {json.dumps(after, ensure_ascii=False)}")
