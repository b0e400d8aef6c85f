"""`flask participants`: who takes part in a conversation; many can be added at once."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Any

import click
from flask.cli import with_appcontext

from app.cli.account_options import (
    confirm,
    conversation_argument,
    dry_run_option,
    operating,
    service_option,
    yes_option,
)
from app.cli.attributes import WHO, participant_attributes, who_argument
from app.cli.output import json_option, show_json, show_table

if TYPE_CHECKING:
    from app.operations.bulk_add import BulkAddOutcome, BulkAddPlan, Failure
    from app.operations.participant_file import Entry
    from app.operations.participants import Added


@click.group("participants")
def participants_commands() -> None:
    """Who takes part in a conversation: add, list, show, update, remove, attributes."""


participants_commands.add_command(participant_attributes)


@participants_commands.command("add")
@conversation_argument
@click.option("--sms", metavar="+1...", multiple=True, help="A customer's number; needs --proxy-address. Repeatable.")
@click.option("--whatsapp", metavar="+1...", multiple=True, help="A number on WhatsApp; needs --proxy-address.")
@click.option("--identity", metavar="NAME", multiple=True, help="Somebody who chats with the SDK. Repeatable.")
@click.option("--group", metavar="+1...", multiple=True, help="A member of a group MMS. Repeatable.")
@click.option("--proxy-address", metavar="+1...", default="", help="Your Twilio number or WhatsApp sender.")
@click.option("--projected-address", metavar="+1...", default="", help="Your own number in a group MMS.")
@click.option("--attributes", metavar="JSON", default="", help="An object of at most 4 KB, for each who is added.")
@click.option("--file", "listed", type=click.File("rb"), metavar="FILE|CSV|-", help="Many at once; see above.")
@dry_run_option
@service_option
@json_option
@with_appcontext
def add_command(
    conversation: str,
    sms: tuple[str, ...],
    whatsapp: tuple[str, ...],
    identity: tuple[str, ...],
    group: tuple[str, ...],
    proxy_address: str,
    projected_address: str,
    attributes: str,
    listed: IO[bytes] | None,
    dry_run: bool,
    service_sid: str,
    as_json: bool,
) -> None:
    """Add one or many: by SMS, WhatsApp, chat identity or group MMS.

    A file has one number with its +, whatsapp:+1... or identity a line; a CSV has a header with some of the columns
    address, identity, channel (sms, whatsapp, chat, group), proxy_address, attributes. Bad lines are named and nobody
    is added. Run it again after a crash: who is there already is left alone. At most 25 are added in a second.

    Example: flask participants add CH... --sms +15550100001 --proxy-address +15550100099
    """
    from app.operations import bulk_add, participant_file

    with operating(service_sid) as account:
        named = {"sms": sms, "whatsapp": whatsapp, "identity": identity, "group": group}
        entries = participant_file.from_arguments(named, proxy_address, projected_address, attributes)
        if listed:
            name = str(getattr(listed, "name", "<stdin>")).replace("<stdin>", "standard input")
            entries += participant_file.read(
                listed.read(), proxy_address=proxy_address, attributes=attributes, name=name
            )
        planned = bulk_add.plan(account, conversation, participant_file.each_once(entries))
        if dry_run:
            return _show_plan(planned, as_json)
        results = _add_with_progress(account, planned)
    return _show_outcome(planned.conversation, bulk_add.outcome(planned, results), as_json)


def _add_with_progress(account: Any, planned: BulkAddPlan) -> list[Added | Failure]:
    import time

    from app.cli.output import progress
    from app.operations.bulk_add import Pace, add_all

    def wait(seconds: float) -> None:
        if seconds > 2:
            click.echo(f"\nTwilio asks to wait {seconds:.0f} s.", err=True)
        time.sleep(seconds)

    results: list[Added | Failure] = []
    try:
        with progress(len(planned.missing), "Adding") as advance:
            for result in add_all(account, planned, pace=Pace(sleep=wait)):
                results.append(result)
                advance()
    except KeyboardInterrupt:
        click.echo(f"\nStopped after {len(results)}; run it again to add the rest, nobody is added twice.", err=True)
        raise click.Abort from None
    return results


def _show_plan(planned: BulkAddPlan, as_json: bool) -> None:
    missing = [_entry(entry) for entry in planned.missing]
    if as_json:
        present = [vars(one) for one in planned.present]
        return show_json({"conversation": planned.conversation, "would_add": missing, "present": present})
    if missing:
        show_table(missing, ["kind", "name", "proxy_address", "attributes"], empty="")
    return click.echo(f"Would add {len(missing):,}; {len(planned.present):,} are there already. Nothing was sent.")


def _show_outcome(conversation: str, outcome: BulkAddOutcome, as_json: bool) -> None:
    if as_json:
        show_json(
            {
                "conversation": conversation,
                "added": [vars(one) for one in outcome.added],
                "present": [vars(one) for one in outcome.present],
                "failed": [_entry(it.entry) | {"code": it.error.code, "reason": it.reason} for it in outcome.failed],
                "not_tried": [_entry(entry) for entry in outcome.not_tried],
            }
        )
    else:
        _say_outcome(outcome)
    if outcome.failed:
        raise SystemExit(1)


def _say_outcome(outcome: BulkAddOutcome) -> None:
    if len(outcome.added) == 1 and not outcome.failed:
        (one,) = outcome.added
        click.echo(f"Added {one.address} ({one.kind}) as {one.sid}.")
    else:
        click.echo(f"Added {len(outcome.added):,}.")
    if outcome.present:
        click.echo(f"There already: {len(outcome.present):,}.")
    for failure in outcome.failed:
        click.echo(f"Failed: {failure.entry.where}: {failure.reason}", err=True)
    if outcome.not_tried:
        first = outcome.not_tried[0].where
        click.echo(f"Not tried, as they would fail alike: {len(outcome.not_tried):,}, from {first} on.", err=True)
    if outcome.failed:
        click.echo("Run the same command again when it is mended; nobody is added twice.", err=True)


def _entry(entry: Entry) -> dict[str, Any]:
    one = entry.one
    return {
        "line": entry.line or None,
        "kind": one.kind,
        "name": one.name,
        "proxy_address": one.proxy_address,
        "attributes": one.attributes,
    }


@participants_commands.command("list")
@conversation_argument
@click.option("--limit", type=click.IntRange(1, 1_000), default=20, show_default=True)
@service_option
@json_option
@with_appcontext
def list_command(conversation: str, limit: int, service_sid: str, as_json: bool) -> None:
    """List who takes part, the oldest first.

    Example: flask participants list CH... --limit 100
    """
    from app.operations import participants

    with operating(service_sid) as account:
        found = participants.list_participants(account, conversation, limit=limit)
    if as_json:
        return show_json(found)
    rows = [
        {
            "sid": one["sid"],
            "kind": participants.kind_of(one),
            "name": " as ".join(participants.names_of(one)),
            "proxy_address": (one["messaging_binding"] or {}).get("proxy_address"),
            "attributes": one["attributes"],
            "date_created": one["date_created"],
        }
        for one in found
    ]
    columns = ["sid", "kind", "name", "proxy_address", "attributes", "date_created"]
    return show_table(rows, columns, empty="Nobody takes part.")


@participants_commands.command("show")
@conversation_argument
@who_argument
@service_option
@json_option
@with_appcontext
def show_command(conversation: str, who: str, service_sid: str, as_json: bool) -> None:
    """Show one participant, by SID, number or identity.

    Example: flask participants show CH... +15550100001
    """
    from app.operations import participants

    with operating(service_sid) as account:
        (found,) = participants.find(account, conversation, [who])
    _show(found, as_json)


@participants_commands.command("update")
@conversation_argument
@who_argument
@click.option("--role-sid", metavar="RL...", default="", help="The role in this conversation.")
@click.option("--proxy-address", metavar="+1...", default="", help="Another of your numbers towards this one.")
@service_option
@json_option
@with_appcontext
def update_command(
    conversation: str, who: str, role_sid: str, proxy_address: str, service_sid: str, as_json: bool
) -> None:
    """Change somebody's role, or our number towards them.

    Example: flask participants update CH... +15550100001 --proxy-address +15550100098
    """
    from app.operations import participants

    with operating(service_sid) as account:
        changed = participants.update(account, conversation, who, role_sid=role_sid, proxy_address=proxy_address)
    _show(changed, as_json)


@participants_commands.command("remove")
@conversation_argument
@click.argument("names", metavar=WHO, nargs=-1, required=True)
@yes_option
@dry_run_option
@service_option
@json_option
@with_appcontext
def remove_command(
    conversation: str, names: tuple[str, ...], yes: bool, dry_run: bool, service_sid: str, as_json: bool
) -> None:
    """Take one or several out of a conversation, by SID, number or identity.

    Example: flask participants remove CH... +15550100001 --yes
    """
    from app.operations import participants

    with operating(service_sid) as account:
        found = participants.find(account, conversation, names)
        rows = [{"sid": it["sid"], "name": " as ".join(participants.names_of(it))} for it in found]
        said = ", ".join(f"{row['name']} ({row['sid']})" for row in rows)
        if not dry_run:
            confirm(f"Remove {said} from {conversation}?", yes)
            for one in found:
                participants.remove(account, conversation, one["sid"])
    if as_json:
        return show_json({"would_remove" if dry_run else "removed": rows})
    return click.echo(f"{'Would remove' if dry_run else 'Removed'} {said}.")


def _show(participant: dict[str, Any], as_json: bool) -> None:
    if as_json:
        return show_json(participant)
    for name, value in participant.items():
        if value not in (None, ""):
            click.echo(f"{name}: {value}")
    return None
