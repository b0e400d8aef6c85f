"""`flask doctor`: checks everything the bot depends on, says what to do, and repairs what is ours."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import click
from flask.cli import with_appcontext

from app.cli.account_options import explained, yes_option
from app.cli.dev_environment import found_loop
from app.cli.output import json_option, parley, show_json

if TYPE_CHECKING:
    from app.operations.doctor_report import DoctorContext, Finding

_QUESTIONS = {
    "migrations": "Bring the schema of the database to this version's?",
    "webhook": "Let the global webhook of the account call this app, and ask no pre-event URL ({found})?",
}


@click.command("doctor")
@click.option("--fix", is_flag=True, help="Mend what is ours: the schema, the global webhook. Asks first.")
@yes_option
@json_option
@with_appcontext
def doctor_command(fix: bool, yes: bool, as_json: bool) -> None:
    """Look at everything the bot depends on and say what to do; exit code 1 when there is a problem.

    Warnings alone end with 0. It sends no message and changes nothing, no file either, unless --fix is given.

    Example: flask doctor --fix
    """
    context = _context()
    if loop := found_loop(context.settings):
        click.echo(
            f"The offline loop at {loop.app_url} needs nothing of this; it is about your own settings.\n", err=True
        )
    findings = _examine(context, as_json)
    broken = list(dict.fromkeys(one for one in findings if one.repair)) if fix else []
    mended = [one for one in broken if _mend(context, one, yes)]
    if mended:
        findings = _examine(context, as_json, shown=findings)
    problems = sum(one.state == "problem" for one in findings)
    if as_json:
        show_json({"problems": problems, "findings": [asdict(one) for one in findings]})
    else:
        click.echo(_summary(findings, problems))
    sys.exit(1 if problems else 0)


def _context() -> DoctorContext:
    from datetime import UTC, datetime

    from app import config
    from app.operations.account import Account
    from app.operations.doctor_report import DoctorContext
    from app.runtime.from_settings import make_conversations

    settings = parley().settings
    callable_ = not config.problems_for_rest(settings)
    account = Account(make_conversations(settings, None), settings.service_sid) if callable_ else None
    return DoctorContext(settings, parley().db, account, lambda: datetime.now(UTC))


def _examine(context: DoctorContext, as_json: bool, *, shown: Sequence[Finding] = ()) -> list[Finding]:
    """Return all findings; told one by one as they come, but those `shown` already, unless a program reads them."""
    from app.operations.doctor import examine

    findings = []
    for finding in examine(context):
        findings.append(finding)
        if not as_json and finding not in shown:
            step = f" -> {finding.next_step}" if finding.next_step else ""
            click.echo(f"{finding.state:<11}  {finding.check:<14}  {finding.found}{step}")
    return findings


def _mend(context: DoctorContext, finding: Finding, yes: bool) -> bool:
    from app.db.database import DatabaseUnavailable
    from app.operations.doctor import repair

    question = _QUESTIONS[finding.repair].format(found=finding.found)
    if not yes and not click.confirm(question, err=True):
        return False
    try:
        with explained():
            click.echo(repair(context, finding.repair), err=True)
    except DatabaseUnavailable as unavailable:
        raise click.ClickException(f"{unavailable} (DATABASE_URL says which)") from unavailable
    return True


def _summary(findings: list[Finding], problems: int) -> str:
    warnings = sum(one.state == "warning" for one in findings)
    if not problems and not warnings:
        return "All is well."
    hint = " `flask doctor --fix` mends what is ours." if any(one.repair for one in findings) else ""
    return f"{problems} problem(s), {warnings} warning(s).{hint}"
