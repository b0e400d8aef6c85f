"""`flask inbox`: the queue of incoming events with their states and reasons; retry dead ones, purge old ones."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

import click
from flask.cli import with_appcontext

from app.cli.output import json_option, parley, reading, show_json, show_table, writing
from app.cli.param_types import Since, suggestion
from app.common.quoting import quoted
from app.inbox import admin
from app.inbox.describe import shown
from app.inbox.internal_events import EVENT_TYPES
from app.store import rate_limits
from app.store.rate_limits import ClosedGate
from app.twilio_api.form import read_form


@click.group("inbox")
def inbox_commands() -> None:
    """Incoming events: list, show, count, retry, purge."""


@inbox_commands.command("list")
@click.option("--state", type=click.Choice(admin.STATES), help="Only events in this state.")
@click.option("--event-type", help="Only events of this type, e.g. onMessageAdded.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=20, show_default=True)
@json_option
@with_appcontext
def list_command(state: str | None, event_type: str | None, limit: int, as_json: bool) -> None:
    """List the newest events with state and outcome.

    Example: flask inbox list --state dead
    """
    with reading() as (tx, now):
        rows = [
            dict(row._mapping)
            for row in admin.list_events(tx, now, admin.EventFilter(state=state, event_type=event_type), limit=limit)
        ]
    if not rows and event_type and event_type not in EVENT_TYPES:
        raise click.BadParameter(
            f"{quoted(event_type)} is unknown; {suggestion(event_type, EVENT_TYPES)}", param_hint="--event-type"
        )
    if as_json:
        return show_json(rows)
    columns = ["id", "received_at", "event_type", "state", "attempts", "outcome"]
    return show_table(rows, columns, empty="No such event.")


@inbox_commands.command("show")
@click.argument("event_id", metavar="ID", type=int)
@click.option("--raw", is_flag=True, help="Show text, names and numbers too.")
@json_option
@with_appcontext
def show_command(event_id: int, raw: bool, as_json: bool) -> None:
    """Show one event: its parameters, state and reason.

    Example: flask inbox show 42 --raw
    """
    with reading() as (tx, now):
        row = admin.get_event(tx, now, event_id)
    if row is None:
        raise click.ClickException(f"there is no event {event_id}; `flask inbox list` shows what there is")
    event = dict(row._mapping)
    target, body = event.pop("target"), event.pop("body")
    event["parameters"] = dict(shown(read_form(row.method, target, body), raw=raw, hint="; --raw shows them"))
    if raw:
        event["target"], event["body"] = target, body.decode("utf-8", "replace")
    else:
        event.pop("headers")
    if as_json:
        return show_json(event)
    lines = [{"name": name, "value": value} for name, value in event.items() if name != "parameters"]
    lines += [{"name": f"  {name}", "value": value} for name, value in event["parameters"].items()]
    for line in lines:
        click.echo(f"{line['name']:<28} {'' if line['value'] is None else line['value']}")
    return None


@inbox_commands.command("stats")
@json_option
@with_appcontext
def stats_command(as_json: bool) -> None:
    """Count the events in each state.

    Example: flask inbox stats --json
    """
    with reading() as (tx, now):
        counts = admin.stats(tx, now)
    if as_json:
        return show_json(counts)
    return show_table(
        [{"state": state, "events": count} for state, count in counts.items()], ["state", "events"], empty=""
    )


@inbox_commands.command("retry")
@click.argument("ids", metavar="[ID]...", type=int, nargs=-1)
@click.option("--all-dead", is_flag=True, help="Every dead event.")
@click.option("--reason", metavar="TEXT", default="", help="Those whose outcome contains this, in any case.")
@click.option("--since", type=Since("mhd", "30m, 2h, 1d or 2026-11-22T10:00"), help="Those that died since then.")
@click.option("--dry-run", is_flag=True, help="Only list them.")
@json_option
@with_appcontext
def retry_command(
    ids: tuple[int, ...],
    all_dead: bool,
    reason: str,
    since: timedelta | datetime | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Put dead events back to work; nobody is answered twice.

    Example: flask inbox retry --reason "no answer" --since 3h --dry-run
    """
    chosen = bool(reason or since)
    if bool(ids) == (all_dead or chosen):
        raise click.UsageError("name the dead events, or use --all-dead, --reason, --since")
    with reading() as (tx, now):
        died_since = now - since if isinstance(since, timedelta) else since
        found = [dict(row._mapping) for row in admin.dead_events(tx, reason=reason, since=died_since)]
    wanted = [row for row in found if not ids or row["id"] in ids]
    if dry_run and not as_json:
        show_table(wanted, ["id", "event_type", "finished_at", "outcome"], empty="No such dead event.")
    revived = [] if dry_run else _put_back([row["id"] for row in wanted])
    missing = sorted(set(ids) - {row["id"] for row in wanted})
    if as_json:
        show_json({"retried": revived, "not_dead": missing} | ({"would_retry": wanted} if dry_run else {}))
    elif not dry_run:
        click.echo(f"{len(revived)} put back to work.")
    if missing:
        raise click.ClickException(f"not dead, or unknown, so left alone: {', '.join(map(str, missing))}")


def _put_back(ids: list[int]) -> list[int]:
    with writing() as (tx, now):
        return admin.retry(tx, now, ids)


@inbox_commands.command("gates")
@click.option("--lift", metavar="SCOPE", help="Open this one now: account, or a ConversationSid.")
@json_option
@with_appcontext
def gates_command(lift: str | None, as_json: bool) -> None:
    """Show which requests to Twilio wait, until when and why.

    Twilio asked to wait, or failed 5 times in 30 s; a gate opens by itself after 15 minutes at most.

    Example: flask inbox gates --lift account
    """
    with reading() as (tx, now):
        closed = rate_limits.closed_gates(tx, now)
    if lift is not None:
        return _lift(lift, closed, as_json)
    rows = [asdict(one) for one in closed]
    if as_json:
        return show_json(rows)
    return show_table(rows, ["scope", "opens_at", "failing_since", "reason"], empty="No gate is closed.")


def _lift(scope: str, closed: list[ClosedGate], as_json: bool) -> None:
    one = next((one for one in closed if one.scope == scope), None)
    if one is None:
        raise click.ClickException(f"no gate {quoted(scope)} is closed; `flask inbox gates` lists those that are")
    with writing() as (tx, now):
        rate_limits.lift(tx, scope)
        due = admin.make_due(tx, now, [one.reason, one.reason.removeprefix(f"{rate_limits.ASKED}: ")])
    if as_json:
        return show_json({"lifted": scope, "due": due})
    return click.echo(f"{scope} may send again; {due} conversations that waited for it are due now.")


@inbox_commands.command("purge")
@click.option("--older-than", metavar="DAYS", type=click.IntRange(1), help="Default: BOT_RETENTION_DAYS.")
@click.option("--dry-run", is_flag=True, help="Only count.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@with_appcontext
def purge_command(older_than: int | None, dry_run: bool, yes: bool, as_json: bool) -> None:
    """Delete finished events that are old; dead ones stay.

    Example: flask inbox purge --older-than 90 --dry-run
    """
    days = older_than or parley().settings.retention_days
    with reading() as (tx, now):
        before = now - timedelta(days=days)
        count = admin.count_older(tx, before)
    if dry_run and not as_json:
        return click.echo(f"{count} events finished more than {days} days ago would be deleted.")
    if dry_run or not count:
        return _say_purged(0, count, days, as_json)
    if not yes:
        click.confirm(f"Delete {count} events finished more than {days} days ago?", abort=True)
    deleted = 0
    with click.progressbar(length=count, label="Deleting", hidden=as_json) as bar:
        while batch := _purge_batch(before):
            deleted += batch
            bar.update(batch)
    return _say_purged(deleted, count, days, as_json)


def _purge_batch(before: Any) -> int:
    with writing() as (tx, now):
        return admin.purge(tx, before, now)


def _say_purged(deleted: int, count: int, days: int, as_json: bool) -> None:
    if as_json:
        return show_json({"deleted": deleted, "older": count, "days": days})
    return click.echo(f"{deleted} of {count} events finished more than {days} days ago deleted.")
