"""`flask notify`: who is told what happens; try a target, and see what waits, failed or is uncertain."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

import click
from flask.cli import with_appcontext

from app.cli.output import json_option, parley, reading, show_json, show_table
from app.common.quoting import quoted

if TYPE_CHECKING:
    from app.notify.targets import NotifyTarget, Outcome

_COLUMNS = ["id", "created_at", "target", "kind", "state", "attempts", "title", "reason"]
_ASKED = ("waiting", "sending", "unrouted", "failed", "uncertain")


@click.group("notify")
def notify_commands() -> None:
    """Who is told what happens (BOT_NOTIFY): try a target, see what waits, failed or is uncertain."""


@notify_commands.command("test")
@click.argument("target", metavar="TARGET")
@json_option
@with_appcontext
def test_command(target: str, as_json: bool) -> None:
    """Send a notification to TARGET now, past everything that waits; exit code 1 when it is not taken.

    Example: flask notify test team
    """
    found = _target(target)
    outcome = _try(found)
    if as_json:
        show_json({"target": found.name, "address": found.shown, "result": outcome.result, "reason": outcome.reason})
    elif outcome.result == "sent":
        click.echo(f"{found.name} ({found.shown}) has taken it.")
    if outcome.result != "sent":
        words = "may have been sent" if outcome.result == "uncertain" else "was not sent"
        raise click.ClickException(f"{found.name} ({found.shown}): it {words}: {outcome.reason}")


@notify_commands.command("list")
@click.option("--all", "everything", is_flag=True, help="Also what was sent, or told together with another.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@json_option
@with_appcontext
def list_command(everything: bool, limit: int, as_json: bool) -> None:
    """List what waits to be sent, what failed, and what may have been sent (uncertain), the newest first.

    Example: flask notify list --all
    """
    from app.store import notifications

    with reading() as (tx, _now):
        rows = [
            _shown(row) for row in notifications.listed(tx, notifications.STATES if everything else _ASKED, limit=limit)
        ]
    if as_json:
        return show_json(rows)
    return show_table(rows, _COLUMNS, empty="Nothing waits, and nothing failed.")


def _shown(row: Any) -> dict[str, Any]:
    """Return a notification as it is listed: never its text, which may hold what a customer wrote."""
    columns = ("id", "webhook_id", "created_at", "due_at", "tried_at", "target", "kind", "state", "attempts", "reason")
    told = {name: getattr(row, name) for name in columns}
    return told | {"conversation_sid": row.conversation_sid, "title": row.payload.get("title", "")}


def _target(name: str) -> NotifyTarget:
    from app.notify.targets import NotifyTarget

    settings = parley().settings
    if of_setting := [one for one in settings.problems if one.startswith("BOT_NOTIFY")]:
        raise click.ClickException("\n".join(of_setting))
    if name not in settings.notify:
        known = f"there are {', '.join(sorted(settings.notify))}" if settings.notify else "it is empty"
        raise click.ClickException(f"BOT_NOTIFY names no target {quoted(name)}; {known} (see .env.example)")
    return NotifyTarget(name, settings.notify[name])


def _try(target: NotifyTarget) -> Outcome:
    from datetime import UTC, datetime

    from app.notify import words
    from app.runtime.notifying import make_poster
    from app.store.notifications import Notification

    now = datetime.now(UTC)
    payload = words.payload_of("test", "if you read this, it arrives", "", "", {}, {})
    told = Notification(0, "", f"msg_{secrets.token_hex(16)}", "test", payload, 1, now)
    if target.is_posted:
        return make_poster(parley().settings).post(target, told, int(now.timestamp()))
    from app.notify import through_apprise

    return through_apprise.send(target, words.subject(payload), words.body(payload))
