"""`flask emulator`: Twilio Conversations offline, on loopback."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import click

from app import config
from app.cli.param_types import Number
from app.emulator.options import DEFAULT_ACCOUNT_SID, DEFAULT_AUTH_TOKEN

probability = Number(0.0, 1.0)
seconds = Number(0.0)


@click.command("emulator")
@click.option("--port", type=click.IntRange(0, 65535), default=4010, show_default=True, help="0 takes a free one.")
@click.option("--webhook-url", default="", help="Where webhooks go, e.g. http://127.0.0.1:8000/conversations/webhook.")
@click.option("--public-url", default="", help="Origin the webhooks are signed for, if not their own.")
@click.option(
    "--auth-token", show_default="TWILIO_AUTH_TOKEN, else its own", help="Signs webhooks, opens the REST API."
)
@click.option("--account-sid", show_default="TWILIO_ACCOUNT_SID, else its own")
@click.option("--seed", type=int, help="The same SIDs and faults in each run.")
@click.option("--latency", type=seconds, default=0.0, help="Seconds that each REST request takes longer.")
@click.option("--receipt-delay", type=seconds, default=0.05, help="Seconds between sent, delivered and read.")
@click.option(
    "--rate-limit/--no-rate-limit",
    default=None,
    help="30 writes a second for a conversation or service, then 429; on unless lenient.",
)
@click.option("--autocreate", is_flag=True, help="Every number begins conversations, without `flask addresses create`.")
@click.option("--owned", multiple=True, metavar="SID", help="Templates and messaging services; HX or MG alone: every.")
@click.option("--lenient", is_flag=True, help="No set-up needed, no limits, and what is unknown is accepted.")
@click.option("--number", "numbers", multiple=True, help="A number that the account owns; repeatable.")
@click.option("--duplicate", type=probability, default=0.0, help="Share of webhooks that are posted twice.")
@click.option("--reorder", type=probability, default=0.0, help="Share of webhooks that later ones overtake.")
@click.option("--early-receipt", type=probability, default=0.0, help="Share of receipts before the REST answer.")
@click.option("--receipt-after-stop", is_flag=True, help="A message to who wrote STOP fails with 21610.")
@click.option("--delay", type=seconds, default=0.0, help="Seconds that each webhook comes later.")
@click.option("--drop", type=probability, default=0.0, help="Share of webhooks that are never posted.")
@click.option("--fail", default="", metavar="STATUS:P", help="Share of REST writes that are refused, e.g. 503:0.1.")
@click.option("--fail-reads", is_flag=True, help="Let --fail refuse reads too.")
@click.option("--cut-after-store", type=probability, default=0.0, help="Share of stored messages without an answer.")
def emulator_command(auth_token: str | None, account_sid: str | None, **options: Any) -> None:
    """Be Twilio Conversations on this machine: REST, signed webhooks, delivery receipts. Needs no credentials.

    As strict as Twilio: a number begins conversations after `flask addresses create`, a webhook fires with filters
    (--webhook-url comes with those of `flask webhooks point`).

    Example: flask emulator --port 4010 --webhook-url http://127.0.0.1:8000/conversations/webhook
    """
    from app.emulator.__main__ import serve
    from app.operations.webhooks import needed_filters

    account = _account(account_sid, auth_token)
    try:
        serve(
            **options,
            account_sid=account.sid,
            auth_token=account.auth_token,
            webhook_filters=needed_filters() if options["webhook_url"] else (),
            when_ready=lambda url: click.echo(account.introduction(url)),
        )
    except (OSError, OverflowError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise click.ClickException(f"port {options['port']} cannot be used ({why}); take another --port") from error
    except ValueError as error:
        raise click.UsageError(str(error)) from error


@dataclass(frozen=True)
class _Account:
    """The emulated account, and in words where its credentials are from."""

    sid: str
    auth_token: str = field(repr=False)
    sid_is_from: str
    token_is_from: str

    def introduction(self, url: str) -> str:
        """Return which account it is, and the lines for `.env`; a token of yours is not shown."""
        is_own = self.auth_token == DEFAULT_AUTH_TOKEN
        lines = {
            "TWILIO_ACCOUNT_SID": self.sid,
            "TWILIO_AUTH_TOKEN": self.auth_token if is_own else "(the one you have given)",
            "TWILIO_API_BASE_URL": url,
        }
        shown = "\n".join(f"  {name}={value}" for name, value in lines.items())
        return f"Account SID: {self.sid_is_from}; auth token: {self.token_is_from}. Lines for .env:\n{shown}"


def _account(sid: str | None, auth_token: str | None) -> _Account:
    """Choose the credentials: as the options say, else the settings, else our own. Raises UsageError."""
    settings = config.from_environment()
    for fault in settings.problems:
        if (not sid and fault.startswith("TWILIO_ACCOUNT_SID ")) or (
            not auth_token and fault.startswith("TWILIO_AUTH_TOKEN ")
        ):
            raise click.UsageError(fault)
    chosen_sid, sid_is_from = _first((sid, settings.account_sid, DEFAULT_ACCOUNT_SID), "--account-sid", "ACCOUNT_SID")
    token, token_is_from = _first((auth_token, settings.auth_token, DEFAULT_AUTH_TOKEN), "--auth-token", "AUTH_TOKEN")
    return _Account(chosen_sid, token, sid_is_from, token_is_from)


def _first(values: Sequence[str | None], option: str, setting: str) -> tuple[str, str]:
    names = (f"that of {option}", f"that of TWILIO_{setting} (environment or .env)", "the emulator's own")
    return next((value, name) for value, name in zip(values, names, strict=True) if value)
