"""The page of rules: active rules, their use, warnings of the linter, and a form to try a message."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from flask import current_app, render_template, request
from flask.typing import ResponseReturnValue

from app.dashboard.deliveries import asked_period
from app.dashboard.request_context import policy, reading, rules_in_force, settings
from app.responder import NAME as RESPONDER_NAME
from app.rules.lint import LintFinding, lint
from app.rules.lint_notices import unknown_targets
from app.rules.loader import RulesError, read, rule_lines
from app.rules.schema import Rules
from app.rules.simulate import AUTHORS, FORMS, SimulatedMessage, actions_of, moment, tried_out
from app.store import rule_usage
from app.store.delivery_statistics import PERIODS

MOST_LINTED = 300  # rules; each is held against all before it, so more of them take seconds
LONGEST_TEXT, LONGEST_JSON = 20_000, 16 * 1024  # characters
CHANNELS = ("sms", "whatsapp", "chat", "messenger")


@dataclass
class Form:
    """What was asked of the dry run, as it was written, and what is wrong with it, by field."""

    fields: dict[str, str]
    problems: dict[str, str] = field(default_factory=dict)

    def __getitem__(self, name: str) -> str:
        return self.fields.get(name, "")


def rules() -> ResponseReturnValue:
    """Show the rules that are in force, with their use in a period."""
    found, fault = _in_force()
    period = asked_period()
    with reading() as (tx, now):
        since = period.since(now)
        uses = rule_usage.uses(tx, since)
        observed, is_cut = rule_usage.observed(tx, since)
    named = {rule.name for rule in found.rules} if found else set()
    return render_template(
        "rules.html",
        **_about_the_file(found, fault),
        period=period,
        periods=PERIODS,
        since=since,
        uses=uses,
        observed=observed,
        is_cut=is_cut,
        most_observed=rule_usage.MOST_OBSERVED,
        unnamed={name: count for name, count in uses.by_rule.items() if name not in named},
        responder_name=RESPONDER_NAME,
        form=Form({}),
    )


def rule_trial() -> ResponseReturnValue:
    """Show what would be answered to a message, and why; nothing is sent, stored or logged."""
    found, fault = _in_force()
    form = Form({name: value for name, value in request.args.items() if name != "period"})
    trial = None
    if found and form.fields:
        now = _now(form, found)
        simulated = _simulated(form)
        if not form.problems:
            trial = tried_out(simulated, found, policy(), now)
    responder = settings().bot_responder
    status = 400 if form.problems else 200
    page = render_template(
        "rule_trial.html",
        form=form,
        trial=trial,
        fault="" if found else fault,
        actions_of=actions_of,
        responder=responder,
        **_of_the_form(),
    )
    return page, status


def _in_force() -> tuple[Rules | None, str]:
    """Return the rules that hold, and why the file as it is does not; None for rules that nobody here has."""
    watched = current_app.extensions["parley"].rules
    try:
        return rules_in_force(), watched.fault() if watched else ""
    except (ValueError, OSError) as error:
        return None, str(error)


def _about_the_file(found: Rules | None, fault: str) -> dict[str, Any]:
    findings = _findings(found, fault) if found else []
    by_rule: dict[str, list[LintFinding]] = {}
    for finding in findings:
        by_rule.setdefault(finding.rule, []).append(finding)
    return {
        "file": settings().bot_rules.name,
        "rules": found.rules if found else (),
        "bot": found.bot if found else None,
        "fault": fault,
        "findings": findings,
        "findings_of": by_rule,
        "most_linted": MOST_LINTED,
        "works_here": current_app.extensions["parley"].rules is not None,
        **_of_the_form(),
    }


def _of_the_form() -> dict[str, Any]:
    return {"channels": CHANNELS, "authors": AUTHORS, "forms": FORMS}


def _findings(found: Rules, fault: str) -> list[LintFinding]:
    """Return what the linter finds in the rules in force; found once, as long as they stay the same."""
    if len(found.rules) > MOST_LINTED:
        return []
    known = current_app.extensions.get("parley.findings")
    text = "" if fault else _text()
    if known is None or known[0] != found or known[1] != text:
        lines, path = rule_lines(text) if text else (), settings().bot_rules
        new = lint(found, lines=lines, folder=path.parent, has_responder=bool(settings().bot_responder))
        new += unknown_targets(found, settings().notify, lines=lines)
        known = current_app.extensions["parley.findings"] = (found, text, new)
    findings: list[LintFinding] = known[2]
    return findings


def _text() -> str:
    try:
        return read(settings().bot_rules)
    except (OSError, RulesError):
        return ""


def _now(form: Form, found: Rules) -> datetime:
    now = datetime.now(UTC).astimezone(found.bot.timezone)
    try:
        return moment(form["at"], now, found.bot.timezone) if form["at"].strip() else now
    except ValueError as error:
        form.problems["at"] = str(error)
        return now


def _simulated(form: Form) -> SimulatedMessage:
    """Return what the form supposes; what is wrong with it is written into the form."""
    texts = tuple(text for text in (form["text"][:LONGEST_TEXT].strip(),) if text)
    if not texts and not any(form[name].strip() for name in ("media", "media_type", "button")):
        form.problems["text"] = "Write the text of the message."
    roles = tuple(role for role in (one.strip() for one in form["roles"].split(",")) if role)
    return SimulatedMessage(
        texts,
        channel=form["channel"].strip().lower() or "sms",
        author=form["author"].strip(),
        attributes=_object(form, "attributes"),
        participant_attributes=_object(form, "participant_attributes"),
        roles=roles,
        first_contact=form["contact"] != "known",
        media=bool(form["media"]),
        media_type=form["media_type"].strip(),
        button=form["button"].strip(),
        button_payload=form["button_payload"].strip(),
        profile_name=form["profile_name"].strip(),
        channel_metadata=_object(form, "channel_metadata"),
        paused=bool(form["paused"]),
        opted_out=bool(form["opted_out"]),
    )


def _object(form: Form, name: str) -> dict[str, Any]:
    text = form[name].strip()
    try:
        found = json.loads(text[:LONGEST_JSON]) if text else {}
    except (ValueError, RecursionError) as error:
        form.problems[name] = f'This is not JSON ({error}); write {{"tier": "gold"}}.'
        return {}
    if not isinstance(found, dict):
        form.problems[name] = 'This is no JSON object; write {"tier": "gold"}.'
        return {}
    return found
