"""`flask webhooks ... --conversation CH...`: the webhooks of one conversation."""

from __future__ import annotations

from typing import Any

import click

from app.cli.account_options import confirm, operating
from app.cli.output import show_json, show_table


def set_hook(service_sid: str, conversation: str, as_json: bool, given: dict[str, Any]) -> None:
    """Make a webhook as the options of `webhooks set` say, or change the one they name; show it."""
    from app.operations import conversation_webhooks
    from app.operations.conversation_webhooks import Hook

    if given["pre_webhook_url"]:
        raise click.UsageError("a conversation's webhook is called afterwards only; give --post-webhook-url")
    hook = Hook(
        given["target"],
        given["post_webhook_url"] or "",
        given["method"],
        given["filters"],
        given["triggers"],
        given["flow_sid"],
        given["replay_after"],
    )
    with operating(service_sid) as account:
        now = conversation_webhooks.set_hook(account, conversation, hook, given["webhook_sid"])
    show_hooks([now], as_json)


def clear_hooks(service_sid: str, conversation: str, webhook_sid: str | None, yes: bool, as_json: bool) -> None:
    """Delete one webhook or all, after asking; say which."""
    from app.operations.conversation_webhooks import delete_hooks, list_hooks

    with operating(service_sid) as account:
        sids = [webhook_sid] if webhook_sid else [str(one["sid"]) for one in list_hooks(account, conversation)]
        if sids:
            confirm(f"Remove {len(sids)} webhook(s) of {conversation}?", yes)
        deleted = delete_hooks(account, conversation, sids)
    if as_json:
        return show_json({"deleted": deleted})
    click.echo(f"Removed {', '.join(deleted)}." if deleted else "The conversation has no webhook.")
    return None


def show_hooks(hooks: list[dict[str, Any]], as_json: bool) -> None:
    """Print the webhooks of a conversation."""
    if as_json:
        return show_json(hooks)
    rows = []
    for hook in hooks:
        configuration = hook["configuration"] or {}
        called = configuration.get("url") or configuration.get("flow_sid")
        asks = configuration.get("filters") or configuration.get("triggers") or ()
        rows.append(hook | {"calls": called, "method": configuration.get("method"), "asks_for": ", ".join(asks)})
    columns = ["sid", "target", "method", "calls", "asks_for"]
    return show_table(rows, columns, empty="The conversation has no webhook of its own.")
