"""`flask setup`: walks a new account from nothing to the first message, and shows each step before it is done."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

import click
from flask.cli import with_appcontext

from app import config
from app.cli.account_options import explained, yes_option
from app.cli.output import parley, record_sent
from app.config import PROJECT, Settings
from app.operations.validation import Refused

if TYPE_CHECKING:
    from app.operations.account import Account
    from app.operations.setup import Done, Step

DELIVERY_SECONDS = 15
_ASKED = {
    "TWILIO_ACCOUNT_SID": "Account SID (AC..., console.twilio.com, Account info)",
    "TWILIO_AUTH_TOKEN": "Auth token (beside it; what you type is not shown)",
    "PUBLIC_URL": "Address that Twilio shall call (https://bot.example.com)",
}
_FIELDS = {"TWILIO_ACCOUNT_SID": "account_sid", "TWILIO_AUTH_TOKEN": "auth_token", "PUBLIC_URL": "public_url"}


@click.command("setup")
@click.option("--number", metavar="+1...", default="", help="Your number, or whatsapp:+1... for a WhatsApp sender.")
@click.option("--send-to", metavar="+1...", default="", help="A phone of yours that gets one test message.")
@yes_option
@with_appcontext
def setup_command(number: str, send_to: str, yes: bool) -> None:
    """Set a new account up: credentials, number, address, webhook with filters, round trip, one test message.

    Each step is shown before it is done, and what is so already is left as it is; run it again as often as you like.
    With --yes nothing is asked: then the settings must be there, and without --send-to no message is sent.

    Example: flask setup --number +15550100099
    """
    from app.operations import setup
    from app.operations.account import Account
    from app.runtime.from_settings import make_conversations

    settings = _credentials(yes)
    with explained():
        account = Account(make_conversations(settings, None), settings.service_sid)
        account.ask_account(lambda v1: v1.configuration().fetch())
        click.echo(f"   Twilio accepts the credentials of {settings.account_sid}.\n")
        number = _number(account, number, yes)
        _do("3. Address", setup.address_step(account, number), yes, "a messaging service may do it as well")
        _do("4. Webhook", setup.webhook_step(account, settings.public_url), yes, "then nothing arrives")
        _warn_of_services(account)
        _round_trip(settings, yes)
        _message(account, settings, number, send_to, yes)
    click.echo("Done. `flask doctor` looks at all of it again; `flask listen` shows what arrives.")


def _credentials(yes: bool) -> Settings:
    """Return the settings; what is missing is asked for and written into .env. Raises ClickException."""
    click.echo("1. Credentials")
    settings = parley().settings
    missing = [name for name, field in _FIELDS.items() if not getattr(settings, field)]
    if settings.problems or (missing and yes):
        raise click.ClickException("\n".join(config.problems_for_serving(settings)))
    if not missing:
        click.echo(f"   {', '.join(_FIELDS)} are set.")
        return settings
    given = {name: click.prompt(f"   {_ASKED[name]}", hide_input=name.endswith("TOKEN")).strip() for name in missing}
    settings = config.from_environment({**config.environment(), **given})
    if settings.problems:
        raise click.ClickException("\n".join(settings.problems))
    click.echo(f"   Would write to {PROJECT / '.env'}: {', '.join(missing)}.")
    if click.confirm("   Do it?", default=True):
        _write(given)
        click.echo("   Written. Start the app with it: `.venv/bin/gunicorn wsgi:app`, in another terminal.")
    return settings


def _write(given: Mapping[str, str]) -> None:
    """Set values in .env, which is made of .env.example where there is none; only its owner may read it."""
    path, example = PROJECT / ".env", PROJECT / ".env.example"
    text = next((file.read_text(encoding="utf-8") for file in (path, example) if file.exists()), "")
    for name, value in given.items():
        line = f"{name}={value}"
        text, found = re.subn(rf"^{name}=.*$", lambda _match, line=line: line, text, count=1, flags=re.MULTILINE)  # type: ignore[misc]
        text += "" if found else f"{'' if text.endswith(chr(10)) or not text else chr(10)}{line}\n"
    path.touch(0o600)
    path.write_text(text, encoding="utf-8")


def _number(account: Account, wanted: str, yes: bool) -> str:
    """Return the number to set up. Raises ClickException where there is none to choose from."""
    from app.operations import setup

    click.echo("2. Number")
    owned = setup.numbers(account)
    click.echo(f"   The account has {', '.join(owned[:20]) or 'no phone number'}.")
    if not wanted and not owned:
        raise click.ClickException(
            "buy a number in the Twilio console (Phone Numbers > Buy a number), or name a WhatsApp sender with "
            "--number whatsapp:+1..."
        )
    if not wanted and (yes and len(owned) > 1):
        raise click.ClickException("say with --number which one customers write to")
    wanted = wanted or (owned[0] if yes else click.prompt("   Which one do customers write to?", default=owned[0]))
    click.echo(f"   {wanted} it is.\n")
    return wanted


def _do(title: str, step: Step, yes: bool, otherwise: str = "") -> Done | None:
    """Show a step, ask, do it, and return what was done."""
    click.echo(f"{title}\n   Now: {step.now}.")
    if step.run is None:
        click.echo("   Nothing to do.\n")
        return None
    for line in step.shown:
        click.echo(f"   Would do: {line}")
    if not (yes or click.confirm("   Do it?", default=True)):
        click.echo(f"   Left as it is{f'; {otherwise}' if otherwise else ''}.\n")
        return None
    done = step.run()
    click.echo(f"   {done.sentence}\n")
    return done


def _warn_of_services(account: Account) -> None:
    from app.operations.webhooks import overriding_services

    for one in overriding_services(account):
        name = f"{one.service_sid} ({one.friendly_name})"
        click.echo(f"   Service {name} has a webhook of its own, so the account's gets nothing of it.\n")


def _round_trip(settings: Settings, yes: bool) -> None:
    """Let a signed webhook and one without a signature come by the public address. Raises ClickException."""
    from datetime import UTC, datetime

    from app.operations import doctor_local
    from app.operations.doctor_report import OK, DoctorContext
    from app.operations.webhooks import ROUTE

    click.echo(f"5. Round trip\n   One POST with a signature and one without go to {settings.public_url}{ROUTE}.")
    context = DoctorContext(settings, parley().db, None, lambda: datetime.now(UTC))
    while (found := doctor_local.signature(context)[0]).state != OK:
        click.echo(f"   {found.found} -> {found.next_step}")
        if yes or not click.confirm("   The app runs with `.venv/bin/gunicorn wsgi:app`. Try again?", default=True):
            raise click.ClickException("nothing that Twilio sends would arrive; run `flask setup` again when it runs")
    click.echo(f"   {found.found}.\n")


def _message(account: Account, settings: Settings, number: str, to: str, yes: bool) -> None:
    from datetime import UTC, datetime

    from app.operations import setup

    title = "6. Test message"
    if not to and not yes:
        to = click.prompt(
            "6. A phone of yours that gets one test message (Enter: none)", default="", show_default=False
        )
    if not to:
        click.echo(f"{title}\n   None is sent; write to {number} instead.\n")
        return
    try:
        step = setup.message_step(account, number, to, settings.bot_author, now=datetime.now(UTC))
    except Refused as refused:
        raise click.ClickException(f"no test message: {refused}; write to {number} instead") from refused
    if done := _do(title, step, yes):
        record_sent(done.conversation_sid, [done.message_sid])
        click.echo(f"   {setup.delivery_of(account, done, seconds=DELIVERY_SECONDS)}\n")
