"""`flask webhooks`: where Twilio's webhooks go, for the account, a service or one conversation."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import click
from flask.cli import with_appcontext

from app.cli import conversation_hooks
from app.cli.account_options import confirm, dry_run_option, operating, yes_option
from app.cli.output import json_option, parley, show_json
from app.twilio_api.events import EVENT_CLASSES

if TYPE_CHECKING:
    from app.operations.account import Account
    from app.operations.webhooks import Webhook

_scope = click.option("--service", "service_sid", metavar="IS...", default="", help="The webhook of this service.")
_conversation = click.option("--conversation", metavar="CH...", help="The webhooks of this conversation.")
_filters = click.option(
    "--filter",
    "filters",
    multiple=True,
    type=click.Choice(tuple(EVENT_CLASSES)),
    metavar="EVENT",
    help="An event to be told of, e.g. onMessageAdded; repeatable. Without it, those that Parley needs are added.",
)


@click.group("webhooks")
def webhooks_commands() -> None:
    """Where Twilio's webhooks go: show, set, clear, point."""


@webhooks_commands.command("show")
@_scope
@_conversation
@json_option
@with_appcontext
def show_command(service_sid: str, conversation: str | None, as_json: bool) -> None:
    """Show the webhook of the account and the services that do not heed it, of a service, or of a conversation.

    Example: flask webhooks show
    """
    from app.operations.conversation_webhooks import list_hooks
    from app.operations.webhooks import fetch, overriding_services

    with operating(service_sid) as account:
        if conversation is not None:
            return conversation_hooks.show_hooks(list_hooks(account, conversation), as_json)
        account = replace(account, service_sid=service_sid)
        webhook = fetch(account)
        overriding = [] if service_sid else overriding_services(account)
    if as_json:
        services = [
            {"sid": one.service_sid, "friendly_name": one.friendly_name, **asdict(one.webhook)} for one in overriding
        ]
        return show_json(asdict(webhook) | ({} if service_sid else {"overridden_by": services}))
    click.echo(_described(webhook))
    for one in overriding:
        does = (
            "calls the same address"
            if one.webhook.post_webhook_url == webhook.post_webhook_url
            else "silences this one"
        )
        _echo(f"Service {one.service_sid} ({one.friendly_name}) has its own, which {does}", one.webhook)
    return None


@webhooks_commands.command("set")
@_scope
@_conversation
@click.option("--post-webhook-url", help="Called after something has happened; the URL of a conversation's webhook.")
@click.option("--pre-webhook-url", help='Asked before something happens, and can forbid it; "" takes it away.')
@_filters
@click.option("--method", type=click.Choice(["POST", "GET"]), default="POST", show_default=True)
@click.option(
    "--target",
    type=click.Choice(["webhook", "trigger", "studio"]),
    default="webhook",
    show_default=True,
    help="With --conversation: what is called.",
)
@click.option("--trigger", "triggers", multiple=True, metavar="WORD", help="With --target trigger: a word; repeatable.")
@click.option("--flow-sid", metavar="FW...", default="", help="With --target studio: the flow.")
@click.option(
    "--replay-after", type=click.IntRange(0), metavar="INDEX", help="Tell a new one what came after a message."
)
@click.option("--webhook", "webhook_sid", metavar="WH...", default="", help="With --conversation: the one to change.")
@yes_option
@json_option
@with_appcontext
def set_command(service_sid: str, conversation: str | None, yes: bool, as_json: bool, **given: Any) -> None:
    """Set the webhook of the account, of a service or of a conversation; asks before it replaces another URL.

    A service's own webhook silences the account's for that service. One of a conversation is called in addition.

    Example: flask webhooks set --post-webhook-url https://bot.example.com/conversations/webhook --filter onMessageAdded
    """
    if conversation is not None:
        return conversation_hooks.set_hook(service_sid, conversation, as_json, given)
    if given["target"] != "webhook" or given["triggers"] or given["flow_sid"] or given["webhook_sid"]:
        raise click.UsageError("--target, --trigger, --flow-sid and --webhook go with --conversation")
    if given["replay_after"] is not None:
        raise click.UsageError("--replay-after goes with --conversation")
    from app.operations.webhooks import WebhookChange, fetch, plan

    filters = given["filters"] or None
    change = WebhookChange(given["post_webhook_url"], given["pre_webhook_url"], given["method"], filters)
    with operating(service_sid) as account:
        account = replace(account, service_sid=service_sid)
        now = fetch(account)
        return _replace(account, now, plan(now, change, service_sid), yes=yes, as_json=as_json)


@webhooks_commands.command("clear")
@_scope
@_conversation
@click.option("--webhook", "webhook_sid", metavar="WH...", help="With --conversation: only this one.")
@yes_option
@json_option
@with_appcontext
def clear_command(
    service_sid: str, conversation: str | None, webhook_sid: str | None, yes: bool, as_json: bool
) -> None:
    """Remove the webhook of the account or of a conversation; a service's does what the account's does.

    Twilio describes no request that takes a service's own away.

    Example: flask webhooks clear --service IS00000000000000000000000000000002 --yes
    """
    from app.operations.webhooks import clear, fetch, in_words

    if conversation is not None:
        return conversation_hooks.clear_hooks(service_sid, conversation, webhook_sid, yes, as_json)
    if webhook_sid:
        raise click.UsageError("--webhook goes with --conversation")
    with operating(service_sid) as account:
        account = replace(account, service_sid=service_sid)
        former = fetch(account)
        now = former
        if former.is_set:
            confirm(f"Remove {_name(service_sid)} ({in_words(former)})?", yes)
            now = clear(account)
    if as_json:
        return show_json({"former": asdict(former), "now": asdict(now)})
    if not former.is_set:
        return click.echo("None is set.")
    if not service_sid:
        return click.echo(f"Removed the global webhook; it was {in_words(former)}.")
    does = (
        f"does what the global one does ({in_words(now)})" if now.filters else "asks for no events, as the global one"
    )
    return click.echo(
        f"The webhook of {service_sid} was {in_words(former)}; now it {does}. Twilio describes no request that takes a "
        "service's own away: when the global one changes, run this again."
    )


@webhooks_commands.command("point")
@click.argument("address", metavar="[URL]", required=False)
@click.option("--ngrok", is_flag=True, help="Take the address of the ngrok tunnel to the app.")
@click.option("--port", type=click.IntRange(1, 65535), default=8000, show_default=True, help="With --ngrok: the app's.")
@click.option(
    "--ngrok-api", default="http://127.0.0.1:4040", show_default=True, help="With --ngrok: its web interface."
)
@dry_run_option
@yes_option
@json_option
@with_appcontext
def point_command(
    address: str | None, ngrok: bool, port: int, ngrok_api: str, dry_run: bool, yes: bool, as_json: bool
) -> None:
    """Let the account's webhook call Parley at URL + /conversations/webhook, with its events.

    Without URL at PUBLIC_URL, with --ngrok at the tunnel.

    Takes a pre-event URL away: what it answers can forbid a message. Asks before it replaces a URL.

    Example: flask webhooks point https://bot.example.com
    """
    from app.cli.dev.tunnel import find_tunnel
    from app.operations.webhooks import fetch, overriding_services, pointed_at

    if address and ngrok:
        raise click.UsageError("give either a URL or --ngrok")
    origin = address or ("" if ngrok else parley().settings.public_url)
    if not origin and not ngrok:
        raise click.UsageError("give a URL or --ngrok, or set PUBLIC_URL (see .env.example)")
    with operating() as account:
        account = replace(account, service_sid="")
        origin = origin or find_tunnel(ngrok_api, port)
        now = fetch(account)
        wanted = pointed_at(now, origin)
        _replace(account, now, wanted, yes=yes, as_json=as_json, dry_run=dry_run)
        _warn_of_public_url(wanted)
        for service in overriding_services(account):
            if service.webhook.post_webhook_url != wanted.post_webhook_url:
                _echo(
                    f"Warning: service {service.service_sid} has its own, so nothing of it comes here", service.webhook
                )


def _replace(
    account: Account, now: Webhook, wanted: Webhook, *, yes: bool, as_json: bool, dry_run: bool = False
) -> None:
    from app.operations.webhooks import in_words, put

    same = now == replace(wanted, target=wanted.target or now.target)
    if not same and not dry_run:
        pairs = [(now.post_webhook_url, wanted.post_webhook_url), (now.pre_webhook_url, wanted.pre_webhook_url)]
        if any(before and before != after for before, after in pairs):
            confirm(f"Replace {_name(account.service_sid)} ({in_words(now)})?", yes)
        wanted = put(account, wanted)
    if as_json:
        return show_json({"former": asdict(now), "now": asdict(wanted), "dry_run": dry_run})
    if same:
        click.echo(f"Nothing to do; {_name(account.service_sid)} is {in_words(now)}.")
        return None
    click.echo(
        f"{_at_start(_name(account.service_sid))} was {in_words(now)}; "
        f"{'would be' if dry_run else 'now'} {in_words(wanted)}."
    )
    return None


def _warn_of_public_url(wanted: Webhook) -> None:
    from app.operations.webhooks import ROUTE

    origin = wanted.post_webhook_url.removesuffix(ROUTE)
    if parley().settings.public_url != origin:
        click.echo(
            f"Set PUBLIC_URL={origin} and start the app again: signatures are checked for that address, and "
            "with another one every webhook is refused with 403.",
            err=True,
        )


def _described(webhook: Webhook) -> str:
    if not webhook.is_set:
        return "None is set."
    lines = {
        "method": webhook.method or "GET",
        "post webhook url": webhook.post_webhook_url or "none",
        "pre webhook url": webhook.pre_webhook_url or "none",
        "filters": " ".join(webhook.filters) or "none",
    }
    return "\n".join(f"{name:<17} {value}" for name, value in lines.items())


def _echo(sentence: str, webhook: Webhook) -> None:
    from app.operations.webhooks import in_words

    click.echo(f"{sentence}: {in_words(webhook)}", err=sentence.startswith("Warning"))


def _at_start(words: str) -> str:
    """Return words as a sentence begins; capitalize() would write a SID in small letters."""
    return words[:1].upper() + words[1:]


def _name(service_sid: str) -> str:
    return f"the webhook of {service_sid}" if service_sid else "the global webhook"
