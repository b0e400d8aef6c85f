"""`flask emulator`: Twilio Conversations offline, on loopback."""

from __future__ import annotations

from typing import Any

import click

from app.cli.param_types import Number

probability = Number(0.0, 1.0)
seconds = Number(0.0)


@click.command("emulator")
@click.option("--port", type=click.IntRange(0, 65535), default=4010, show_default=True, help="0 takes a free one.")
@click.option("--webhook-url", default="", help="Where webhooks go, e.g. http://127.0.0.1:8000/conversations/webhook.")
@click.option("--public-url", default="", help="Origin the webhooks are signed for, if not their own.")
@click.option("--auth-token", default="0123456789abcdef0123456789abcdef", help="Signs webhooks, opens the REST API.")
@click.option("--account-sid", default="AC00000000000000000000000000000001")
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
def emulator_command(**options: Any) -> None:
    """Be Twilio Conversations on this machine: REST, signed webhooks, delivery receipts. Needs no credentials.

    As strict as Twilio: a number begins conversations after `flask addresses create`, a webhook fires with filters.

    Example: flask emulator --port 4010 --webhook-url http://127.0.0.1:8000/conversations/webhook
    """
    from app.emulator.__main__ import serve

    try:
        serve(**options)
    except (OSError, SystemExit) as error:
        raise click.ClickException(f"port {options['port']} cannot be used ({error}); take another --port") from error
    except ValueError as error:
        raise click.UsageError(str(error)) from error
