"""How one conversation looks to a person: names, timers, who takes part, the last message, the bot."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from app.cli.output import show_table

if TYPE_CHECKING:
    from app.operations.pauses import BotPause

_TEXT_SHOWN = 80


def say_conversation(found: dict[str, Any], bot: BotPause | None) -> None:
    """Print a conversation as `conversations.show` gives it; `bot` None: our database cannot be asked."""
    name = f" ({found['friendly_name']})" if found["friendly_name"] else ""
    click.echo(f"{found['sid']}{name}: {found['state']}")
    for title, value in _lines(found, bot):
        click.echo(f"  {title:<20} {value}")
    _say_participants(found["participants"], str(found["sid"]))
    click.echo(_last_message(found["last_message"]))


def _lines(found: dict[str, Any], bot: BotPause | None) -> list[tuple[str, Any]]:
    timers = found["timers"] or {}
    lines = [
        ("unique name", found["unique_name"]),
        ("service", found["chat_service_sid"]),
        ("messaging service", found["messaging_service_sid"]),
        ("created", f"{found['date_created']:%Y-%m-%d %H:%M:%S} UTC"),
        ("updated", f"{found['date_updated']:%Y-%m-%d %H:%M:%S} UTC"),
        ("inactive at", timers.get("date_inactive")),
        ("closed at", timers.get("date_closed")),
        ("attributes", found["attributes"] if found["attributes"] != "{}" else None),
        ("bot", _bot(bot)),
    ]
    return [(title, value) for title, value in lines if value]


def _bot(bot: BotPause | None) -> str:
    if bot is None:
        return "unknown: the database cannot be read"
    return f"silent {bot.until}, {bot.paused_why}" if bot.paused_until else "not paused"


def _say_participants(people: list[dict[str, Any]], sid: str) -> None:
    from app.operations.conversations import MOST_PARTICIPANTS_SHOWN
    from app.operations.participants import kind_of, names_of

    rows = [{"participant": one["sid"], "kind": kind_of(one), "name": " as ".join(names_of(one))} for one in people]
    show_table(rows[:MOST_PARTICIPANTS_SHOWN], ["participant", "kind", "name"], empty="Nobody takes part.")
    if len(rows) > MOST_PARTICIPANTS_SHOWN:
        click.echo(f"... and more; `flask participants list {sid} --limit 1000` shows all")


def _last_message(last: dict[str, Any] | None) -> str:
    if last is None:
        return "No message yet."
    text = " ".join((last["body"] or ("media" if last["media"] else "template" if last["content_sid"] else "")).split())
    shown = text if len(text) <= _TEXT_SHOWN else f"{text[: _TEXT_SHOWN - 3]}..."
    said = f"Last message: {last['date_created']:%Y-%m-%d %H:%M:%S} by {last['author']}: {shown}"
    return f"{said}\n  {last['sid']}, {_delivery(last['delivery'])}"


def _delivery(summary: dict[str, Any] | None) -> str:
    """Return who got it, e.g. `to 2 phones: sent all, delivered some`; Twilio counts phones only."""
    if not summary:
        return "to nobody by phone"
    levels = ("sent", "delivered", "read", "undelivered", "failed")
    reached = [f"{level} {summary[level]}" for level in levels if summary.get(level) not in (None, "none")]
    phones = "1 phone" if summary["total"] == 1 else f"{summary['total']} phones"
    return f"to {phones}: {', '.join(reached) or 'still at Twilio'}"
