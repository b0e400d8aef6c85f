"""`flask rules`: is the rules file right, what would it answer, and why was a message answered or not?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from flask.cli import with_appcontext

from app.cli.output import json_option, parley, show_json, why_of
from app.cli.rules_explain import explain_command
from app.cli.rules_simulate import test_command

if TYPE_CHECKING:
    from app.config import Settings
    from app.rules.lint import LintFinding
    from app.rules.schema import BotSettings, Rules


@click.group("rules")
def rules_commands() -> None:
    """What the bot answers and why: check, test, explain."""


rules_commands.add_command(test_command)
rules_commands.add_command(explain_command)


@rules_commands.command("check")
@click.argument("file", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@json_option
@with_appcontext
def check_command(file: Path | None, as_json: bool) -> None:
    """Check a rules file: what is wrong with it (exit code 1), and what it most likely does not mean.

    FILE is BOT_RULES unless it is named.

    Example: flask rules check rules.toml
    """
    from app.rules.lint import responder_sentence

    settings = parley().settings
    path = file or settings.bot_rules
    rules, findings = _check(path, settings)
    count = len(rules.rules) if rules else 0
    errors = [one for one in findings if one.severity == "error"]
    warnings = [one for one in findings if one.severity == "warning"]
    responder = responder_sentence(rules) if rules and settings.bot_responder else None
    if as_json:
        found = {"errors": _plain(errors), "warnings": _plain(warnings), "responder": responder}
        show_json(
            {"file": str(path), "rules": count, **found, "opt_out_words": _opt_outs(rules.bot) if rules else None}
        )
        raise click.exceptions.Exit(1 if errors else 0)
    for one in findings:
        click.echo(f"{one.severity}: {_place(one)}{one.problem}")
    if rules:
        _say_opt_outs(rules.bot)
        if responder:
            click.echo(f"BOT_RESPONDER is {settings.bot_responder}: {responder}")
    summary = f"{path.name}: {_number(count, 'rule')}, {_number(len(errors), 'error')}, "
    summary += _number(len(warnings), "warning")
    if errors:
        raise click.ClickException(summary)
    click.echo(summary)


def _check(path: Path, settings: Settings) -> tuple[Rules | None, list[LintFinding]]:
    """Return the rules of a file, and what is found in it; a file that cannot be used is one error for each fault."""
    from app.rules.lint import LintFinding, lint
    from app.rules.lint_notices import unknown_targets
    from app.rules.loader import RulesError, load, read, rule_lines

    try:
        text = read(path)
        rules = load(text)
    except RulesError as error:
        title, *problems = str(error).split("\n- ")
        return None, [LintFinding("invalid", "error", "", None, problem) for problem in problems or [title]]
    except OSError as error:
        raise click.ClickException(f"{path} cannot be read ({why_of(error)}); correct BOT_RULES") from None
    lines = rule_lines(text)
    found = lint(rules, lines=lines, folder=path.parent, has_responder=bool(settings.bot_responder))
    return rules, found + unknown_targets(rules, settings.notify, lines=lines)


def _opt_outs(bot: BotSettings) -> dict[str, list[str]]:
    """Return the words that opt somebody out: where Twilio acts on them as well, and elsewhere."""
    return {"sms": list(bot.opt_outs("sms").values()), "elsewhere": list(bot.opt_outs("").values())}


def _say_opt_outs(bot: BotSettings) -> None:
    words = _opt_outs(bot)
    taken_away = [word for word in words["sms"] if word not in words["elsewhere"]]
    click.echo(f"opt-out words: {', '.join(words['sms'])}")
    if taken_away:
        click.echo(f"  but on WhatsApp and chat not: {', '.join(taken_away)}")


def _place(finding: LintFinding) -> str:
    line = f" (line {finding.line})" if finding.line else ""
    return f'rule "{finding.rule}"{line} ' if finding.rule else ""


def _plain(findings: list[LintFinding]) -> list[dict[str, Any]]:
    return [{"code": one.code, "rule": one.rule, "line": one.line, "problem": one.problem} for one in findings]


def _number(count: int, thing: str) -> str:
    return f"{count or 'no'} {thing}{'' if count == 1 else 's'}"
