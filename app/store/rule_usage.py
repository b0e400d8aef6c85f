"""Usage of rules: by conversation for cool-downs and quotas, by period for statistics. It only reads.

However long a conversation is, a query touches no more rows than it returns: it steps over the index
`decisions_fired` from rule to rule, and takes the newest uses of each. A period is counted from an index alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Connection, Select, bindparam, exists, func, select, text, union_all

from app.db.tables import FIRED, decisions, replies

USED = ("replied", "acted", "stopped")
MOST_OBSERVED = 5_000  # decisions, the newest
EXAMPLES = 3
# The conditions of the index decisions_observed, word for word.
_HAS_OBSERVED = {"sqlite": text("observed <> '[]'"), "postgresql": text("CAST(observed AS text) <> '[]'")}
_MOST_AT_ONCE = 50  # rules in one statement

Times = dict[str, tuple[datetime, ...]]

_HERE = (decisions.c.conversation_sid == bindparam("sid"), text(FIRED))
_USED = select(func.min(decisions.c.rule).label("rule")).where(*_HERE).cte("used", recursive=True)
_NEXT = select(func.min(decisions.c.rule)).where(*_HERE, decisions.c.rule > _USED.c.rule).scalar_subquery()
_ALL_USED = _USED.union_all(select(_NEXT).where(_USED.c.rule.is_not(None)))
_NAMES = select(_ALL_USED.c.rule).where(_ALL_USED.c.rule.is_not(None))
_SUPPRESSED = exists().where(
    replies.c.reply_to == decisions.c.message_sid,
    replies.c.timer_seconds == decisions.c.timer_seconds,
    replies.c.n == 0,
    replies.c.state == "suppressed",
)


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


def fired(tx: Connection, conversation_sid: str, rules: Collection[str], *, most: int) -> Times:
    """Return when each of these rules was used in a conversation, the newest `most` times, newest first.

    A reply that was decided but must not be sent any more was no use.
    """
    if not rules:
        return {}
    used = sorted(set(tx.scalars(_NAMES, {"sid": conversation_sid})) & set(rules))
    times: Times = {}
    for start in range(0, len(used), _MOST_AT_ONCE):
        some = used[start : start + _MOST_AT_ONCE]
        asked = {f"rule_{n}": name for n, name in enumerate(some)}
        for name, decided_at in tx.execute(_newest(len(some)), {"sid": conversation_sid, "most": most, **asked}):
            times[name] = (*times.get(name, ()), decided_at)
    return {name: tuple(sorted(found, reverse=True)) for name, found in times.items()}


@cache
def _newest(count: int) -> Any:
    """Return the statement once built: building it costs more than running it."""
    return union_all(*(select(_newest_of(n).subquery()) for n in range(count)))


def _newest_of(n: int) -> Select[Any]:
    return (
        select(decisions.c.rule, decisions.c.decided_at)
        .where(*_HERE, decisions.c.rule == bindparam(f"rule_{n}"), ~_SUPPRESSED)
        .order_by(decisions.c.decided_at.desc())
        .limit(bindparam("most"))
    )


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
