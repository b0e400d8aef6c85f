"""`flask consent`: who wants to hear from us; an operator opts a person out and in, and sees every change."""

from __future__ import annotations

import getpass
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click
from flask.cli import with_appcontext

from app.cli.account_options import explained
from app.cli.dev_environment import local_settings
from app.cli.output import json_option, parley, reading, show_json, show_table, writing
from app.common.quoting import quoted

if TYPE_CHECKING:
    from app.store.consent import Kind, Standing

Command = TypeVar("Command", bound=Callable[..., Any])
_CHANGES = ["at", "change", "word", "channel", "actor", "why", "message_sid", "conversation_sid"]
_UNDECIDED = ["since", "word", "channel", "conversation_sid"]
_SHOWN = 100


@click.group("consent")
def consent_commands() -> None:
    """Who wants to hear from us: opt a person out or in, and see what was said and done."""


def _deciding(command: Command) -> Command:
    """Add what both decisions ask for."""
    for add in (
        json_option,
        click.option("--by", metavar="NAME", default="", help="Who decides; else the name you are logged in by."),
        click.option("--why", metavar="TEXT", required=True, help="The reason; it is kept, with who and when."),
        click.argument("person", metavar="NUMBER|IDENTITY"),
    ):
        command = add(command)
    return command


@consent_commands.command("opt-out")
@_deciding
@with_appcontext
def opt_out_command(person: str, why: str, by: str, as_json: bool) -> None:
    """Let nothing automatic reach a person any more: a number on every channel, in every spelling.

    It holds until they write START or somebody opts them in. What people write themselves is still sent.

    \b
    Example: flask consent opt-out +15550100001 --why "asked on the telephone"
    """
    from app.store.consent import OPTED_OUT

    is_news, _ = _decide(person, OPTED_OUT, why, by)
    if as_json:
        return show_json({"opted_out": True, "changed": is_news})
    return click.echo("Opted out; nothing automatic is sent any more." if is_news else "They had opted out already.")


@consent_commands.command("opt-in")
@_deciding
@with_appcontext
def opt_in_command(person: str, why: str, by: str, as_json: bool) -> None:
    """Let the bot answer a person again, or decide that who may want to opt out does not.

    \b
    Example: flask consent opt-in +15550100001 --why "they meant the parcel, not us"
    """
    from app.store.consent import OPTED_IN

    is_news, had_opted_out = _decide(person, OPTED_IN, why, by)
    if as_json:
        return show_json({"opted_out": False, "changed": is_news})
    click.echo("Opted in; the bot answers them again." if is_news else "They had not opted out.")
    if is_news and had_opted_out:
        click.echo("Twilio and the carriers keep their own lists for SMS: there only their own START counts (21610).")
    return None


@consent_commands.command("show")
@click.argument("person", metavar="NUMBER|IDENTITY")
@json_option
@with_appcontext
def show_command(person: str, as_json: bool) -> None:
    """Show whether a person has opted out, and every change of that, the newest first.

    Nothing known of them: ends with 1.

    \b
    Example: flask consent show whatsapp:+15550100001
    """
    from app.operations.consents import is_known, person_named
    from app.store import consent

    with explained():
        who = person_named(person)
        with reading() as (tx, _now):
            known = is_known(tx, who)
            standing, changes = consent.standing(tx, who), consent.history(tx, who, limit=_SHOWN)
    rows = [{name: getattr(one, name) for name in _CHANGES} for one in changes]
    if as_json:
        since = {"changed_at": standing.changed_at, "undecided_since": standing.undecided_since}
        show_json({"is_known": known, "opted_out": standing.opted_out, **since, "changes": rows})
        raise click.exceptions.Exit(0 if known else 1)
    if not known:
        raise click.ClickException(
            f"nothing is known of {quoted(person)}; look at how the page writes the name: an address, or the identity "
            "of a chat user"
        )
    click.echo(_in_words(standing))
    return show_table(rows, _CHANGES, empty="Nothing was said or done about it.")


@consent_commands.command("undecided")
@json_option
@with_appcontext
def undecided_command(as_json: bool) -> None:
    """List who may want to opt out, and waits for somebody to decide; the bot is silent to them.

    \b
    Example: flask consent undecided
    """
    from app.store import consent

    with reading() as (tx, _now):
        found = consent.undecided(tx, limit=_SHOWN)
    rows = [{"since": one.at, **{name: getattr(one, name) for name in _UNDECIDED[1:]}} for one in found]
    if as_json:
        return show_json(rows)
    return show_table(rows, _UNDECIDED, empty="Nobody waits for a decision.")


def _decide(person: str, change: Kind, why: str, by: str) -> tuple[bool, bool]:
    """Return whether a decision was news, and whether the person had opted out before."""
    from app.operations.consents import decide, person_named
    from app.store import consent

    with explained():
        who, per_channel = person_named(person), _keeps_channels_apart()
        with writing() as (tx, now):
            before = consent.standing(tx, who)
            actor = by.strip() or getpass.getuser()
            is_news = decide(tx, who, change, actor=actor, why=why, now=now, per_channel=per_channel)
    return is_news, before.opted_out


def _keeps_channels_apart() -> bool:
    """Return what the rules file says of `opt_out_per_channel`; no while it is faulty."""
    from app.runtime.from_settings import load_rules

    try:
        return load_rules(local_settings(parley())).bot.opt_out_per_channel
    except (ValueError, OSError):
        return False


def _in_words(standing: Standing) -> str:
    if standing.undecided_since is not None:
        return "They may want to opt out; nothing automatic is sent until somebody decides or they write again."
    return "They have opted out; nothing automatic is sent." if standing.opted_out else "They have not opted out."
