"""`flask listen`: what arrives and what was decided, as it happens; changes nothing."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import click
from flask.cli import with_appcontext

from app.cli.inbox_tail import Followed, Follower, milliseconds, show
from app.cli.output import database, explained
from app.cli.param_types import NearestChoice, Number, Since
from app.common.quoting import quoted
from app.db.database import Database, Record
from app.inbox import admin
from app.twilio_api.events import EVENT_CLASSES
from app.twilio_api.form import in_unicode, is_sid
from app.twilio_api.parsing import is_pre_action

_PAUSE_SECONDS = 0.2
_STORED_TYPES = tuple(name for name in EVENT_CLASSES if not is_pre_action(name))
_SIDS = ("MessageSid", "ParticipantSid", "DeliveryReceiptSid", "UserSid")


def _conversation_sid(_ctx: click.Context, _param: click.Parameter, value: str | None) -> str | None:
    if value is not None and not is_sid(value, "CH"):
        raise click.BadParameter(f"{quoted(value)} is not CH and 32 hexadecimal digits")
    return value


@click.command("listen")
@click.option("--event-type", type=NearestChoice(_STORED_TYPES), metavar="TYPE", help="Only this type of event.")
@click.option("--state", type=NearestChoice(admin.STATES), metavar="STATE", help="Only events in this state.")
@click.option("--conversation", metavar="CH...", callback=_conversation_sid, help="Only this conversation.")
@click.option(
    "--since",
    type=Since("smhd", "10m, 2h, 1d or 2026-08-11T13:00:00Z"),
    help="Also what arrived since then: 10m, 2h, 1d or an ISO 8601 time.",
)
@click.option("--last", metavar="N", type=click.IntRange(1, 10_000), help="Also the last N events.")
@click.option("--for", "seconds", metavar="SECONDS", type=Number(0), help="End by itself; else Ctrl-C.")
@click.option("--raw", is_flag=True, help="Show text, names and numbers too.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@with_appcontext
def listen_command(
    event_type: str | None,
    state: str | None,
    conversation: str | None,
    since: timedelta | datetime | None,
    last: int | None,
    seconds: float | None,
    raw: bool,
    as_json: bool,
) -> None:
    """Show each event when it arrives and when it is worked off, with what was decided.

    Example: flask listen --event-type onMessageAdded --last 5
    """
    if since is not None and last is not None:
        raise click.UsageError("--since and --last both say where to begin; use one of them")
    say = _printer(raw) if as_json else show
    try:
        with explained():
            _listen(database(), event_type, state, conversation, since, last, seconds, raw, say)
    except KeyboardInterrupt:
        return


def _listen(
    db: Database,
    event_type: str | None,
    state: str | None,
    conversation: str | None,
    since: timedelta | datetime | None,
    last: int | None,
    seconds: float | None,
    raw: bool,
    say: Callable[[Followed], None],
) -> None:
    with db.read() as tx:
        now = db.now(tx)
        wanted = admin.EventFilter(state=state, event_type=event_type, conversation_sid=conversation)
        newest = admin.list_events(tx, now, wanted, limit=last or 0)
        start = now - since if isinstance(since, timedelta) else since
        after_id = admin.last_id(tx, before=start)
    follower = Follower(db, after_id=after_id, raw=raw, wants=_chooser(event_type, state, conversation))
    for followed in follower.show_first(newest[::-1]):
        say(followed)
    _follow(follower, say, seconds)


def _follow(follower: Follower, say: Callable[[Followed], None], seconds: float | None) -> None:
    """Show what comes until the time is over; looks at least once."""
    until = None if seconds is None else time.monotonic() + seconds
    while True:
        for followed in follower.steps():
            say(followed)
        left = _PAUSE_SECONDS if until is None else until - time.monotonic()
        if left <= 0:
            return
        time.sleep(min(left, _PAUSE_SECONDS))


def _chooser(event_type: str | None, state: str | None, conversation_sid: str | None) -> Callable[[Record], bool]:
    lanes = (None, conversation_sid, f"{conversation_sid}:receipts")

    def wants(row: Record) -> bool:
        return (
            event_type in (None, row.event_type)
            and state in (None, row.state)
            and (conversation_sid is None or row.lane in lanes)
        )

    return wants


def _printer(raw: bool) -> Callable[[Followed], None]:
    def say(followed: Followed) -> None:
        click.echo(in_unicode(json.dumps(_document(followed, raw), default=datetime.isoformat, ensure_ascii=False)))

    return say


def _document(followed: Followed, raw: bool) -> dict[str, Any]:
    row, fields = followed.row, followed.event.fields
    document = {
        "id": row.id,
        "event_type": row.event_type,
        "state": row.state,
        "is_finished": followed.is_finished,
        "came_in": followed.came_in,
        "went_out": followed.went_out,
        "outcome": row.outcome,
        "attempts": row.attempts,
        "received_at": row.received_at,
        "finished_at": row.finished_at,
        "milliseconds": milliseconds(row),
        "conversation_sid": followed.event.conversation_sid,
    }
    document |= {re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower(): fields[name] for name in _SIDS if name in fields}
    return document | ({"parameters": dict(fields)} if raw else {})
