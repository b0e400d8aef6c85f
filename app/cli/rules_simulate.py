"""`flask rules test`: what would be answered to a message, rule by rule. It sends nothing and needs no database."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from flask.cli import with_appcontext

from app.cli.output import json_option, parley, show_json
from app.cli.param_types import JsonObject, suggestion
from app.cli.rules_format import action_line, content_lines, tried_lines
from app.rules.simulate import FORMS, moment

if TYPE_CHECKING:
    from app.rules.engine import Decision
    from app.rules.schema import Rules
    from app.rules.simulate import Trial


@click.command("test")
@click.argument("texts", metavar="TEXT...", nargs=-1)
@click.option("--at", "at", metavar="TIME", help=f"In the bot's time zone: {FORMS}.  [default: now]")
@click.option("--channel", default="", help="sms, whatsapp, chat ...  [default: as the author's address says, or sms]")
@click.option("--author", help="Who writes: a number or an identity.")
@click.option("--attributes", type=JsonObject(), default="{}", help="Of the conversation.")
@click.option("--participant-attributes", type=JsonObject(), default="{}", help="Of the author.")
@click.option("--role", "roles", multiple=True, help="A role of the author; may be repeated.")
@click.option("--first-contact/--known", default=True, help="Is it the first message?  [default: it is]")
@click.option("--media", is_flag=True, help="The message has media.")
@click.option("--media-type", default="", metavar="TYPE", help="Of its file, such as image/jpeg.")
@click.option("--button", default="", metavar="TEXT", help="The button that was pressed.")
@click.option("--button-payload", default="", metavar="TEXT", help="What is behind the button.")
@click.option("--profile-name", default="", metavar="NAME", help="Of the author's profile, on WhatsApp.")
@click.option("--channel-metadata", type=JsonObject(), default="{}", help="What the channel tells beside it.")
@click.option("--paused", is_flag=True, help="The bot is paused in this conversation.")
@click.option("--opted-out", is_flag=True, help="The author has opted out.")
@click.option("--file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="In place of BOT_RULES.")
@json_option
@with_appcontext
def test_command(
    texts: tuple[str, ...], at: str | None, author: str | None, file: Path | None, as_json: bool, **simulated: Any
) -> None:
    """Show what would be answered to a message, and why, without sending anything.

    Several TEXTs are the messages of one burst. What follows if no human answers is shown too.

    Example: flask rules test "Where is my order?" --at "Sat 22:00" --channel whatsapp
    """
    if not texts and not (simulated["media"] or simulated["media_type"] or simulated["button"]):
        raise click.UsageError('write the text of the message: flask rules test "Where is my order?"')
    from app.rules.facts import Policy
    from app.rules.simulate import SimulatedMessage, tried_out

    rules, settings = _rules(file), parley().settings
    _check_channel(simulated["channel"], author or "", rules)
    policy = Policy(settings.bot_author, settings.bot_agents)
    trial = tried_out(SimulatedMessage(texts, author=author or "", **simulated), rules, policy, _now(at, rules))
    if as_json:
        return show_json(_document(trial))
    for line in _lines(trial):
        click.echo(line)
    return None


def _check_channel(channel: str, author: str, rules: Rules) -> None:
    """Refuse a channel that neither Twilio nor the rules know, or that is not the author's."""
    from app.rules.reachability import cells
    from app.twilio_api.addresses import CHANNEL_OF_SOURCE, channel_of

    known = sorted({"chat", *CHANNEL_OF_SOURCE.values(), *(cell.channel for cell in cells(rules))})
    if channel and channel.lower() not in known:
        raise click.BadParameter(f"'{channel}' is unknown; {suggestion(channel, known)}", param_hint="--channel")
    of_author = channel_of(author, "") if author else ""
    if channel and of_author not in ("", "chat") and channel.lower() != of_author:
        problem = f"the author {author} writes by {of_author}; leave --channel out"
        raise click.BadParameter(problem, param_hint="--channel")


def _rules(file: Path | None) -> Rules:
    from app.rules.loader import load, read

    path = file or parley().settings.bot_rules
    try:
        return load(read(path))
    except (ValueError, OSError) as error:
        raise click.ClickException(f"{path}: {error}") from None


def _now(at: str | None, rules: Rules) -> datetime:
    now = datetime.now(UTC).astimezone(rules.bot.timezone)
    try:
        return moment(at, now, rules.bot.timezone) if at else now
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--at") from None


def _document(trial: Trial) -> dict[str, Any]:
    return {
        "at": trial.now,
        "hours": trial.hours,
        "channel": trial.message.channel,
        "author": trial.message.author,
        "first_contact": trial.known.first_contact,
        **_plain(trial, trial.decision),
        "follow_ups": [
            {"after_seconds": int(after.total_seconds()), **_plain(trial, one)} for after, one in trial.follow_ups
        ],
    }


def _plain(trial: Trial, decision: Decision) -> dict[str, Any]:
    from app.rules.simulate import actions_of

    template = decision.template
    return {
        "code": decision.code,
        "rule": decision.rule,
        "reason": decision.reason,
        "reply": decision.reply,
        "parts": len(trial.parts(decision)),
        "media": decision.media,
        "template": {"content_sid": template.content_sid, "variables": template.variables} if template else None,
        "actions": dict(actions_of(decision)),
        "observed": decision.observed,
        "tried": [{"name": one.name, "failed": one.failed} for one in decision.tried],
        "hints": trial.hints(decision),
    }


def _lines(trial: Trial) -> Iterator[str]:
    from app.rules.guards import in_words

    who = f"{trial.message.channel} from {trial.message.author}"
    contact = "first message" if trial.known.first_contact else "known already"
    zone = trial.rules.bot.timezone.key
    yield f"{trial.now:%a %Y-%m-%d %H:%M} {zone}, {trial.hours}; {who}, {contact}"
    yield from _decision_lines(trial, trial.decision)
    if trial.decision.code == "no rule" and parley().settings.bot_responder:
        yield f"  BOT_RESPONDER would be asked: {parley().settings.bot_responder}"
    for after, one in trial.follow_ups:
        yield f"After {in_words(after)} without a human:"
        yield from _decision_lines(trial, one)


def _decision_lines(trial: Trial, decision: Decision) -> Iterator[str]:
    from app.rules.simulate import actions_of

    hints = trial.hints(decision)
    tried = [(one.name, "; ".join(filter(None, (one.failed, hints.get(one.name))))) for one in decision.tried]
    yield from tried_lines(tried, decision.observed, decision.code)
    yield f"  = {decision.reason}"
    if decision.says_something:
        parts = trial.parts(decision)
        yield f"  would send{f', in {len(parts)} messages' if len(parts) > 1 else ''}:"
        template = decision.template
        sid, variables = (template.content_sid, template.variables) if template else ("", {})
        yield from content_lines(decision.reply, decision.media, sid, variables)
    for kind, arguments in actions_of(decision):
        yield f"  would do: {action_line(kind, arguments)}"
