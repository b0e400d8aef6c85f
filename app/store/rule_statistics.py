"""How often each rule was used in the last hours or days, what those that only observe saw, and why nothing was said.

It only reads; the decisions of the period are counted from an index alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select, text

from app.db.tables import decisions

USED = ("replied", "acted", "stopped")
MOST_OBSERVED = 5_000  # decisions, the newest
EXAMPLES = 3
# The conditions of the index decisions_observed, word for word.
_HAS_OBSERVED = {"sqlite": text("observed <> '[]'"), "postgresql": text("CAST(observed AS text) <> '[]'")}


@dataclass(frozen=True)
class Uses:
    """What was decided in a period: by rule, and, where no rule was used, by the short word for why."""

    by_rule: Mapping[str, int]
    silences: Mapping[str, int]
    total: int


@dataclass(frozen=True)
class Observed:
    """What a rule in mode "observe" would have answered: how many messages, and the newest of them."""

    count: int
    newest: tuple[str, ...]


def uses(tx: Connection, since: datetime) -> Uses:
    """Return what was decided since a time; a follow-up is a decision of its own."""
    query = select(decisions.c.code, decisions.c.rule, func.count()).where(decisions.c.decided_at >= since)
    by_rule: Counter[str] = Counter()
    silences: Counter[str] = Counter()
    for code, rule, count in tx.execute(query.group_by(decisions.c.code, decisions.c.rule)):
        if rule and code in USED:
            by_rule[rule] += count
        else:
            silences[code] += count
    total = by_rule.total() + silences.total()
    return Uses(dict(by_rule.most_common()), dict(silences.most_common()), total)


def observed(tx: Connection, since: datetime) -> tuple[dict[str, Observed], bool]:
    """Return what the observing rules saw since a time, by rule; also whether only the newest were counted."""
    query = select(decisions.c.message_sid, decisions.c.observed).where(decisions.c.decided_at >= since)
    query = query.where(_HAS_OBSERVED[tx.dialect.name]).order_by(decisions.c.decided_at.desc())
    rows = tx.execute(query.limit(MOST_OBSERVED + 1)).all()
    found: dict[str, list[str]] = {}
    for message_sid, names in rows[:MOST_OBSERVED]:
        for name in names:
            found.setdefault(str(name), []).append(message_sid)
    return {name: Observed(len(sids), tuple(dict.fromkeys(sids))[:EXAMPLES]) for name, sids in found.items()}, len(
        rows
    ) > MOST_OBSERVED
