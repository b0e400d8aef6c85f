"""What every command that operates on Conversations shares: its options, the account, and how it fails."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import click

from app import config
from app.cli import dev_environment
from app.cli.output import database_if_any, parley
from app.operations.account import Account
from app.operations.validation import Refused
from app.runtime.from_settings import make_conversations
from app.twilio_api.errors import SendError, sentence

Command = TypeVar("Command", bound=Callable[..., Any])

conversation_argument = click.argument("conversation", metavar="CH...|UNIQUE_NAME")
service_option = click.option(
    "--service", "service_sid", metavar="IS...", default="", help="The conversation service; else TWILIO_SERVICE_SID."
)
yes_option = click.option("--yes", is_flag=True, help="Do not ask.")
dry_run_option = click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")


@contextmanager
def operating(service_sid: str = "") -> Iterator[Account]:
    """Give the account of the settings; what is refused, here or by Twilio, ends the command with 1 and its reason."""
    settings = dev_environment.settings_of(parley())
    if problems := config.problems_for_rest(settings):
        raise click.ClickException("\n".join(problems))
    with explained():
        yield Account(make_conversations(settings, database_if_any()), service_sid or settings.service_sid)


@contextmanager
def explained() -> Iterator[None]:
    """End the command with 1 and one sentence for what was refused, here or by Twilio."""
    try:
        yield
    except Refused as refused:
        raise click.ClickException(str(refused)) from refused
    except SendError as error:
        raise click.ClickException(sentence(error) + _where(error)) from error


def _where(error: SendError) -> str:
    """Return which address was not reached, where it is another than Twilio's own."""
    url = parley().settings.api_base_url
    if not url or error.status or not error.is_outage:
        return ""
    return f" at {re.sub('//.*@', '//', url)}; is `flask emulator` running there (TWILIO_API_BASE_URL)?"


def confirm(question: str, yes: bool) -> None:
    """Ask before something is deleted or cannot be undone; `--yes` answers, and scripts need it."""
    if not yes:
        click.confirm(question, abort=True)
