"""`flask rules explain`: why a message was answered or not, as it was stored then; what was sent and what arrived."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

import click
from flask.cli import with_appcontext

from app.cli.output import json_option, parley, reading, show_json
from app.cli.param_types import SidParam
from app.cli.rules_format import action_line, content_lines, tried_lines
from app.store.decision_trace import trace_of
from app.twilio_api.errors import meaning


@click.command("explain")
@click.argument("message_sid", type=SidParam("IM"), metavar="IM...")
@json_option
@with_appcontext
def explain_command(message_sid: str, as_json: bool) -> None:
    """Show why a message was answered or not: each rule tried, what was sent and done, and its delivery.

    Also a reply of ours may be named. Times are in the time zone of the rules.

    Example: flask rules explain IM00000000000000000000000000000004
    """
    with reading() as (tx, _now):
        decisions = trace_of(tx, message_sid)
        for head in {one["burst_of"] for one in decisions} - {""}:
            decisions += trace_of(tx, head)
    if not decisions:
        raise click.ClickException(
            f"no decision on {message_sid} is stored; `flask inbox list` shows whether "
            "it has arrived and been worked on"
        )
    if as_json:
        return show_json({"message_sid": message_sid, "decisions": [_document(one) for one in decisions]})
    zone = _zone()
    for decision in decisions:
        for line in _lines(decision, zone):
            click.echo(line)
    return None


def _document(decision: dict[str, Any]) -> dict[str, Any]:
    return {**decision, "tried": [{"name": name, "failed": failed} for name, failed in decision["tried"]]}


def _zone() -> tzinfo:
    """Return the time zone of the rules; UTC while they are faulty."""
    from app.runtime.from_settings import load_rules

    try:
        return load_rules(parley().settings).bot.timezone
    except (ValueError, OSError):
        return UTC


def _lines(decision: dict[str, Any], zone: tzinfo) -> Iterator[str]:
    from app.rules.guards import in_words

    after = timedelta(seconds=decision["timer_seconds"])
    silence = f", after {in_words(after)} without a human" if after else ""
    yield f"{decision['message_sid']}{silence}: decided {_at(decision['decided_at'], zone)}"
    yield from tried_lines(decision["tried"], decision["observed"], decision["code"])
    yield f"  = {decision['reason']}"
    for reply in decision["replies"]:
        yield from _reply_lines(reply, zone)
    for action in decision["actions"]:
        done = f" {_at(action['done_at'], zone)}" if action["done_at"] else ""
        what = action_line(action["kind"], action["arguments"])
        yield f"  {action['state']}{done}{_because(action['reason'])}: {what}"


def _reply_lines(reply: dict[str, Any], zone: tzinfo) -> Iterator[str]:
    sent = f" {_at(reply['sent_at'], zone)} as {reply['message_sid']}" if reply["message_sid"] else ""
    yield f"  {reply['state']}{sent}{_because(reply['reason'])}:"
    yield from content_lines(reply["body"], reply["media"], reply["content_sid"], reply["content_variables"])
    for delivery in reply["deliveries"]:
        code = delivery["error_code"]
        fault = f", {code} {meaning(code)}" if code else ""
        yield f"  {delivery['status']} {_at(delivery['updated_at'], zone)} to {delivery['participant_sid']}{fault}"


def _because(reason: str) -> str:
    return f" ({reason})" if reason else ""


def _at(moment: datetime, zone: tzinfo) -> str:
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M:%S %Z}"
