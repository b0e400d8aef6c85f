"""When rules were used in a conversation: what cool-downs and quotas are measured by. It only reads.

However long a conversation is, a query touches no more rows than it returns: it steps over the index
`decisions_fired` from rule to rule, and takes the newest uses of each.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Connection, Select, bindparam, exists, func, select, text, union_all

from app.db.tables import FIRED, decisions, replies

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
