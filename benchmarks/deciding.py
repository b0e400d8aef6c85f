"""Measures how long one decision takes with a rules file that is far larger than anybody's."""

import re
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime

from app.rules.engine import decide
from app.rules.facts import ConversationFacts, Inbound, Policy
from app.rules.loader import load
from benchmarks.scale import Scale
from benchmarks.tables import Row, Table

RULES = 1_000
BUDGET_MS = 5.0
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
SHORT = "Hello, where is the parcel that I have ordered from you last Monday?"
LONG = " ".join(f"{SHORT} Sentence number {n}." for n in range(18))[:1_600]  # as long as an SMS may be

KEYWORDS = 'keywords = ["word{n}", "phrase of number{n}", "another{n}"]'
MIXED = (
    KEYWORDS,
    'regex = "order\\\\s+no\\\\.?\\\\s*{n}\\\\b"',
    'attributes = {{ tier = "tier{n}" }}, channel = ["sms", "whatsapp"]',
    'any = [{{ keywords = ["x{n}"] }}, {{ all = [{{ hours = "open" }}, {{ role = "y{n}" }}] }}]',
    'not = {{ channel = "sms" }}, keywords = ["z{n}"]',
)


def rules(scale: Scale) -> Table:
    """Return the median time of a decision that tries 1,000 rules, of which only the last one matches."""
    return Table(
        "A decision with 1,000 rules (`rules`)",
        [
            _row("keywords, short", (KEYWORDS,), SHORT, scale),
            _row("keywords, 1,600", (KEYWORDS,), LONG, scale),
            _row("all conditions, one in five a regex, short", MIXED, SHORT, scale),
            _row("all conditions, one in five a regex, 1,600", MIXED, LONG, scale),
        ],
        (
            "A message of 68 or of 1,600 characters. Yardstick: for each rule one compiled regular expression of its",
            "keywords, searched in turn.",
        ),
    )


def rules_text(conditions: tuple[str, ...]) -> str:
    """Return a rules file of RULES rules; all but the last miss every message."""
    whens = [conditions[n % len(conditions)].format(n=n) for n in range(RULES - 1)]
    written = [f'[[rule]]\nname = "rule {n}"\nwhen = {{ {when} }}\nreply = "No."\n' for n, when in enumerate(whens)]
    return (
        '[bot]\nhours = { mon-fri = "09:00-17:30" }\n' + "".join(written) + '[[rule]]\nname = "last"\nreply = "Yes."\n'
    )


def _row(case: str, conditions: tuple[str, ...], text: str, scale: Scale) -> Row:
    ours, plain = _decision(conditions, text), _searches(text)
    began = time.process_time()
    measured = _median_ms(ours, scale.decisions)
    cpu = (time.process_time() - began) / (scale.decisions + 1) * 1000
    yardstick = _median_ms(plain, scale.decisions)
    return Row(
        case,
        f"{measured:.2f} ms",
        budget=f"< {BUDGET_MS:.0f} ms",
        yardstick=f"re.search {yardstick:.2f} ms",
        ratio=f"{measured / yardstick:.2f}",
        kept=measured < BUDGET_MS,
        cpu=f"{cpu:.2f} ms",
    )


def _decision(conditions: tuple[str, ...], text: str) -> Callable[[], object]:
    loaded, policy = load(rules_text(conditions)), Policy("support-bot")
    message = Inbound("IM1", "CH1", "+15550100001", text, "sms", "SMS", NOW)
    known = ConversationFacts(attributes={"tier": "gold"})

    def once() -> object:
        decision = decide(message, known, loaded, policy, NOW)
        if decision.rule != "last" or len(decision.tried) != RULES:
            raise AssertionError(f"rule {decision.rule!r} decided after {len(decision.tried)} rules")
        return decision

    return once


def _searches(text: str) -> Callable[[], object]:
    patterns = [re.compile(rf"\b(?:word{n}|phrase of number{n}|another{n})\b", re.IGNORECASE) for n in range(RULES)]
    return lambda: [pattern.search(text) for pattern in patterns]


def _median_ms(work: Callable[[], object], times: int) -> float:
    """Return the median over so many calls, the first of which is not counted."""
    work()
    return statistics.median(_timed(work) for _ in range(times)) * 1000


def _timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
