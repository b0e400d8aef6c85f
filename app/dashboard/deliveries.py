"""The page of deliveries: delivery funnel, failures over time, time to delivery by channel."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import render_template, request
from flask.typing import ResponseReturnValue
from sqlalchemy import Connection

from app.dashboard import charts
from app.dashboard.request_context import reading
from app.store import deliveries as delivery_log
from app.store import delivery_statistics as statistics
from app.store.delivery_statistics import MOST_FAILURES, MOST_MEASURED, PERIODS, Period

COLOURS = 5  # codes with a colour of their own; the others share one
OTHERS = -1


@dataclass(frozen=True)
class Code:
    """One error code, and which colour the chart gives it."""

    code: int
    count: int
    colour: str


def deliveries() -> ResponseReturnValue:
    """Show the deliveries of the last day, or of another period."""
    period = asked_period()
    with reading() as (tx, now):
        return render_template("deliveries.html", **_found(tx, now, period), now=now)


def asked_period() -> Period:
    """Return the period that the address names; else the shortest."""
    name = request.args.get("period", "")
    return next((one for one in PERIODS if one.name == name), PERIODS[0])


def _found(tx: Connection, now: datetime, period: Period) -> dict[str, Any]:
    since = period.since(now)
    steps, is_cut = statistics.failures(tx, period, now)
    codes = _codes(charts.ranked(steps))
    return {
        "period": period,
        "periods": PERIODS,
        "since": since,
        "funnel": statistics.funnel(tx, since),
        "speeds": statistics.speeds(tx, since),
        "most_measured": MOST_MEASURED,
        "codes": codes,
        "colours": {one.code: one.colour for one in codes} | {OTHERS: "others"},
        "chart": _chart(steps, codes),
        "steps": [(since + n * period.step, step) for n, step in enumerate(steps) if step],
        "is_cut": is_cut,
        "most_failures": MOST_FAILURES,
        "failures": statistics.newest_failures(tx, since),
        "without_receipt": delivery_log.without_receipt(tx, now, since=since),
    }


def _codes(sums: Mapping[int, int]) -> list[Code]:
    return [
        Code(code, count, f"colour-{n}" if n < COLOURS else "others") for n, (code, count) in enumerate(sums.items())
    ]


def _chart(steps: Sequence[Mapping[int, int]], codes: Sequence[Code]) -> charts.Columns[int]:
    """Return the failures over time; codes without a colour of their own are one."""
    own = [one.code for one in codes if one.colour != "others"]
    drawn = []
    for step in steps:
        counts: Counter[int] = Counter()
        for code, count in step.items():
            counts[code if code in own else OTHERS] += count
        drawn.append(counts)
    return charts.columns(drawn, [*own, OTHERS])
