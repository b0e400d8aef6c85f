"""`flask rules test`: what would be answered to a message, rule by rule. It sends nothing and needs no database."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from app.cli.moments import FORMS, moment
from app.cli.output import json_option, parley, show_json, with_appcontext
from app.cli.rule_traces import action_line, content_lines, tried_lines

if TYPE_CHECKING:
    from app.rules import Decision, Known, Message, Policy
    from app.rules_schema import Rules

AUTHORS = {"sms": "+15550100001", "whatsapp": "whatsapp:+15550100001"}
FOREVER = datetime(9999, 1, 1, tzinfo=UTC)


class JsonObject(click.ParamType):
    """A JSON object, as Twilio's attributes are."""

    name = "JSON"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dict[str, Any]:
        """Return the object, or say what is wrong with it."""
        try:
            found = json.loads(value) if isinstance(value, str) else value
        except ValueError as error:
            self.fail(f'{value!r} is not JSON ({error}); write \'{{"tier": "gold"}}\'', param, ctx)
        if not isinstance(found, dict):
            self.fail(f'{value!r} is no JSON object; write \'{{"tier": "gold"}}\'', param, ctx)
        return found


@dataclass(frozen=True)
class Trial:
    """One message, all that is known when it comes, and the rules; `now` is in the bot's time zone."""

    message: Message
    known: Known
    rules: Rules
    policy: Policy
    now: datetime


@click.command("test")
@click.argument("texts", metavar="TEXT...", nargs=-1)
@click.option("--at", "at", metavar="TIME", help=f"In the bot's time zone: {FORMS}.  [default: now]")
@click.option("--channel", default="sms", show_default=True, help="sms, whatsapp, chat, messenger ...")
@click.option("--author", help="Who writes: a number or an identity.")
@click.option("--attributes", type=JsonObject(), default="{}", help="Of the conversation.")
@click.option("--participant-attributes", type=JsonObject(), default="{}", help="Of the author.")
@click.option("--role", "roles", multiple=True, help="A role of the author; may be repeated.")
@click.option("--first-contact/--known", "first", default=True, help="Is it the first message?  [default: it is]")
@click.option("--media", is_flag=True, help="The message has media.")
@click.option("--paused", is_flag=True, help="The bot is paused in this conversation.")
@click.option("--opted-out", is_flag=True, help="The author has opted out.")
@click.option("--file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="In place of BOT_RULES.")
@json_option
@with_appcontext
def test_command(
    texts: tuple[str, ...], at: str | None, channel: str, author: str | None, file: Path | None, as_json: bool,
    **state: Any,
) -> None:  # fmt: skip
    """Show what would be answered to a message, and why, without sending anything.

    Several TEXTs are the messages of one burst. What follows if no human answers is shown too.

    Example: flask rules test "Where is my order?" --at "Sat 22:00" --channel whatsapp
    """
    if not texts and not state["media"]:
        raise click.UsageError('write the text of the message: flask rules test "Where is my order?"')
    rules = _rules(file)
    now = _now(at, rules)
    sender = author or AUTHORS.get(channel.lower(), "alice")
    trial = _trial(rules, now, texts, channel.lower(), sender, state)
    decision, follow_ups = _decide(trial)
    if as_json:
        return show_json(_document(trial, decision, follow_ups))
    for line in _lines(trial, decision, follow_ups):
        click.echo(line)
    return None


def _rules(file: Path | None) -> Rules:
    from app.rules_file import load

    path = file or parley().settings.bot_rules
    try:
        return load(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise click.ClickException(f"{path}: {error}") from None


def _now(at: str | None, rules: Rules) -> datetime:
    now = datetime.now(UTC).astimezone(rules.bot.timezone)
    try:
        return moment(at, now, rules.bot.timezone) if at else now
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--at") from None


def _trial(
    rules: Rules, now: datetime, texts: tuple[str, ...], channel: str, author: str, state: dict[str, Any]
) -> Trial:
    from app.rules import Known, Message, Policy

    settings = parley().settings
    message = Message(
        message_sid="IM", conversation_sid="CH", author=author, text="\n".join(texts), channel=channel, source="",
        sent_at=now, has_media=state["media"], texts=texts if len(texts) > 1 else (),
    )  # fmt: skip
    known = Known(
        attributes=state["attributes"], participant_attributes=state["participant_attributes"], roles=state["roles"],
        first_contact=state["first"], opted_out=state["opted_out"], last_inbound_at=now,
        paused_until=FOREVER if state["paused"] else None, paused_by="operator" if state["paused"] else "",
        has_messaging_participant=channel != "chat",
    )  # fmt: skip
    return Trial(message, known, rules, Policy(settings.bot_author, settings.bot_agents), now)


def _decide(trial: Trial) -> tuple[Decision, list[tuple[timedelta, Decision]]]:
    """Return the decision on the message, and those after each time of silence that a rule waits for."""
    from app.rules import decide, timers_of, writer_of

    message, rules, policy = trial.message, trial.rules, trial.policy
    decision = decide(message, trial.known, rules, policy, trial.now)
    if writer_of(message, trial.known, policy) != "customer":
        return decision, []
    follow_ups, known = [], _afterwards(trial.known, decision, trial.now)
    for timer in timers_of(rules):
        at = trial.now + timer
        follow_ups.append((timer, decide(message, known, rules, policy, at, timer=timer)))
        known = _afterwards(known, follow_ups[-1][1], at)
    return decision, follow_ups


def _afterwards(known: Known, decision: Decision, now: datetime) -> Known:
    """Return what is known when the decision has been carried out."""
    fired = {**known.fired, decision.rule: (now, *known.fired.get(decision.rule, ()))} if decision.rule else known.fired
    times = (now, *known.reply_times) if decision.says_something else known.reply_times
    known = replace(known, fired=fired, reply_times=times)
    if decision.code == "opt-out word":
        known = replace(known, opted_out=True)
    if decision.actions.hand_over or decision.actions.pause:
        until = now + decision.actions.pause if decision.actions.pause else FOREVER
        known = replace(known, paused_until=until, paused_by="rule")
    return replace(known, state="closed") if decision.actions.close else known


def _document(trial: Trial, decision: Decision, follow_ups: list[tuple[timedelta, Decision]]) -> dict[str, Any]:
    return {
        "at": trial.now,
        "hours": _hours(trial),
        "channel": trial.message.channel,
        "author": trial.message.author,
        "first_contact": trial.known.first_contact,
        **_plain(trial, decision),
        "follow_ups": [
            {"after_seconds": int(after.total_seconds()), **_plain(trial, one)} for after, one in follow_ups
        ],
    }


def _plain(trial: Trial, decision: Decision) -> dict[str, Any]:
    template = decision.template
    return {
        "code": decision.code,
        "rule": decision.rule,
        "reason": decision.reason,
        "reply": decision.reply,
        "parts": len(_parts(trial, decision)),
        "media": decision.media,
        "template": {"content_sid": template.content_sid, "variables": template.variables} if template else None,
        "actions": dict(_actions(decision)),
        "observed": decision.observed,
        "tried": [{"name": one.name, "failed": one.failed} for one in decision.tried],
    }


def _lines(trial: Trial, decision: Decision, follow_ups: list[tuple[timedelta, Decision]]) -> Iterator[str]:
    from app.guards import in_words

    who = f"{trial.message.channel} from {trial.message.author}"
    contact = "first message" if trial.known.first_contact else "known already"
    zone = trial.rules.bot.timezone.key
    yield f"{trial.now:%a %Y-%m-%d %H:%M} {zone}, {_hours(trial)}; {who}, {contact}"
    yield from _decision_lines(trial, decision)
    if decision.code == "no rule" and parley().settings.bot_responder:
        yield f"  BOT_RESPONDER would be asked: {parley().settings.bot_responder}"
    for after, one in follow_ups:
        yield f"After {in_words(after)} without a human:"
        yield from _decision_lines(trial, one)


def _decision_lines(trial: Trial, decision: Decision) -> Iterator[str]:
    yield from tried_lines([(one.name, one.failed) for one in decision.tried], decision.observed, decision.code)
    yield f"  = {decision.reason}"
    if decision.says_something:
        parts = _parts(trial, decision)
        yield f"  would send{f', in {len(parts)} messages' if len(parts) > 1 else ''}:"
        template = decision.template
        sid, variables = (template.content_sid, template.variables) if template else ("", {})
        yield from content_lines(decision.reply, decision.media, sid, variables)
    for kind, arguments in _actions(decision):
        yield f"  would do: {action_line(kind, arguments)}"


def _parts(trial: Trial, decision: Decision) -> list[str]:
    from app.long_replies import parts

    if not decision.reply:
        return []
    return [decision.reply] if trial.message.channel == "chat" else parts(decision.reply)


def _actions(decision: Decision) -> Iterator[tuple[str, dict[str, Any]]]:
    actions = decision.actions
    if actions.set_attributes:
        yield "set_attributes", dict(actions.set_attributes)
    if actions.add_participant:
        yield "add_participant", dict(actions.add_participant)
    if actions.pause:
        yield "pause", {"seconds": int(actions.pause.total_seconds())}
    for kind in ("hand_over", "close"):
        if getattr(actions, kind):
            yield kind, {}


def _hours(trial: Trial) -> str:
    from app.rules import is_open

    return "open" if is_open(trial.rules.bot, trial.now) else "closed"
