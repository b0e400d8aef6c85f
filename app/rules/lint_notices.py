"""Finds who is named in a rules file to be told something, and whom BOT_NOTIFY does not know."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from app.rules.lint import LintFinding
from app.rules.notices import Notice
from app.rules.schema import Rules

CODE = "unknown target"


def unknown_targets(rules: Rules, targets: Collection[str], *, lines: Sequence[int] = ()) -> list[LintFinding]:
    """Return a finding for each target that a rule or `[notify]` names and the setting does not; in file order."""
    found = [
        LintFinding(CODE, "warning", "", None, f"[notify] {cause} {_problem(name, targets)}")
        for cause, notice in rules.notify.asked.items()
        for name in _unknown(notice, targets)
    ]
    for n, rule in enumerate(rules.rules):
        line = lines[n] if n < len(lines) else None
        problems = [f"notify {_problem(name, targets)}" for name in _unknown(rule.notify, targets)]
        found += [LintFinding(CODE, "warning", rule.name, line, problem) for problem in problems]
    return found


def _unknown(notice: Notice | None, targets: Collection[str]) -> list[str]:
    return [name for name in notice.to if name not in targets] if notice else []


def _problem(name: str, targets: Collection[str]) -> str:
    known = f"there are {', '.join(sorted(targets))}" if targets else "it is empty"
    return f'names the target "{name}", which BOT_NOTIFY does not know ({known}); nobody is told'
