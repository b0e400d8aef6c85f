"""`flask conversations create`: a conversation with participants and a first message in one go."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
from flask.cli import with_appcontext

from app.cli.account_options import dry_run_option, explained, operating, service_option
from app.cli.output import json_option, parley, record_sent, show_json

if TYPE_CHECKING:
    from app.operations.account import Account
    from app.operations.conversation_plan import ConversationPlan, FirstMessage
    from app.operations.create_conversation import CreationOutcome

_MANY = 10  # participants, from which on it says how far it has come


@click.command("create")
@click.option("--friendly-name", metavar="NAME", default="", help="What people call it.")
@click.option("--unique-name", metavar="NAME", default="", help="Another name for the SID in these commands.")
@click.option("--attributes", metavar="JSON", default="", help="An object of at most 16 KB.")
@click.option("--state", type=click.Choice(["active", "inactive"]), default=None)
@click.option("--timers-inactive", metavar="PT10M", default="", help="Inactive after this time without a message.")
@click.option("--timers-closed", metavar="P1D", default="", help="Closed after this time without a message.")
@click.option("--messaging-service-sid", metavar="MG...", default="", help="Else the account's default one.")
@click.option("--sms", metavar="+1...", multiple=True, help="A customer's number; needs --proxy-address. Repeatable.")
@click.option("--whatsapp", metavar="+1...", multiple=True, help="A number on WhatsApp; needs --proxy-address.")
@click.option("--identity", "identities", metavar="NAME", multiple=True, help="Somebody who chats. Repeatable.")
@click.option("--proxy-address", metavar="+1...", default="", help="Your Twilio number or WhatsApp sender.")
@click.option("--group", metavar="+1...", multiple=True, help="A member of a group MMS; needs --projected-address.")
@click.option("--projected-address", metavar="+1...", default="", help="Your own number in a group MMS.")
@click.option("--body", metavar="TEXT", default="", help="The first message.")
@click.option("--author", metavar="NAME", default="", help="Who says it; else BOT_AUTHOR, in a group MMS your number.")
@click.option("--content-sid", metavar="HX...", default="", help="A template as the first message, e.g. on WhatsApp.")
@click.option("--content-variables", metavar="JSON", default="", help="What stands in for the template's variables.")
@dry_run_option
@service_option
@json_option
@with_appcontext
def create_command(
    sms: tuple[str, ...],
    whatsapp: tuple[str, ...],
    identities: tuple[str, ...],
    group: tuple[str, ...],
    proxy_address: str,
    projected_address: str,
    body: str,
    author: str,
    content_sid: str,
    content_variables: str,
    dry_run: bool,
    service_sid: str,
    as_json: bool,
    state: str | None,
    **settings: str,
) -> None:
    """Create a conversation, with participants and a first message if wanted.

    Everything is checked first. When something fails in the middle, it says what exists, what does not, and how to
    go on.

    \b
    Example: flask conversations create --friendly-name "Order 42" --sms +15550100001 --proxy-address +15550100099
    Example: flask conversations create --unique-name chat-7 --identity ada --identity bob --body "Hello!"
    """
    from app.operations import conversation_plan, create_conversation

    with explained():
        people = conversation_plan.invited(
            sms=sms,
            whatsapp=whatsapp,
            identities=identities,
            group=group,
            proxy_address=proxy_address,
            projected_address=projected_address,
        )
        ours = (*identities[:1], projected_address)[0] if group else parley().settings.bot_author
        message = _first_message(author, ours, body, content_sid, content_variables)
        planned = conversation_plan.plan(people=people, message=message, state=state or "", **settings)
    with operating(service_sid) as account:
        if dry_run:
            create_conversation.check_at_twilio(account, planned)
            return _say_steps(planned.steps(), as_json)
        outcome = _create_with_progress(account, planned)
    return _say_outcome(outcome, as_json)


def _create_with_progress(account: Account, planned: ConversationPlan) -> CreationOutcome:
    from app.cli.output import progress
    from app.operations.create_conversation import create

    if len(planned.people) < _MANY:
        return create(account, planned)
    with progress(len(planned.people), "Adding") as advance:
        return create(account, planned, advance=advance)


def _first_message(author: str, ours: str, body: str, content_sid: str, content_variables: str) -> FirstMessage | None:
    from app.operations.conversation_plan import FirstMessage
    from app.operations.validation import Refused

    if not (body or content_sid):
        if author or content_variables:
            raise Refused("there is no first message; give --body or --content-sid too")
        return None
    return FirstMessage(author or ours, body, content_sid, content_variables)


def _say_steps(steps: list[str], as_json: bool) -> None:
    if as_json:
        return show_json({"would": steps})
    for step in steps:
        click.echo(f"Would {step}.")
    return click.echo("Nothing was changed.")


def _say_outcome(outcome: CreationOutcome, as_json: bool) -> None:
    if outcome.message:
        record_sent(str(outcome.conversation["sid"]), [str(outcome.message["sid"])])
    if as_json:
        show_json(_document(outcome))
    else:
        click.echo(f"Created conversation {outcome.conversation['sid']}.")
        for one in outcome.participants:
            click.echo(f"Added {one['address']} ({one['kind']}) as {one['sid']}.")
        if outcome.message:
            click.echo(f"Sent {outcome.message['sid']} as {outcome.message['author']}.")
    if outcome.problem:
        _fail(outcome)


def _document(outcome: CreationOutcome) -> dict[str, Any]:
    return outcome.conversation | {
        "participants": outcome.participants,
        "message": outcome.message,
        "problem": outcome.problem or None,
        "not_done": outcome.not_done,
        "go_on": outcome.go_on,
    }


def _fail(outcome: CreationOutcome) -> None:
    """End with 1: what went wrong, what is missing now, and the commands that do the rest."""
    lines = [f"{outcome.problem}.", *(f"Not done: {step}." for step in outcome.not_done)]
    lines += ["Go on with:"] * bool(outcome.go_on) + [f"  {command}" for command in outcome.go_on]
    raise click.ClickException("\n".join(lines))
