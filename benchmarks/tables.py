"""Gives results as plain aligned tables: what was promised, what was measured, and whether it was kept."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.charts import Panel
from benchmarks.load import Report

HEADINGS = ("case", "budget", "measured", "CPU", "yardstick", "ratio", "verdict")


@dataclass(frozen=True)
class Row:
    """One line: `kept` is None where nothing was promised; `cpu` is the processor time of all processes of the side."""

    case: str
    measured: str
    budget: str = "-"
    yardstick: str = "-"
    ratio: str = "-"
    kept: bool | None = None
    cpu: str = "-"

    @property
    def verdict(self) -> str:
        """Return "pass", "over" (the budget was missed), or "-"."""
        return "-" if self.kept is None else "pass" if self.kept else "over"


@dataclass(frozen=True)
class Table:
    """The rows of one case, what a reader must know to judge them, and what is drawn of them."""

    title: str
    rows: Sequence[Row]
    notes: Sequence[str] = ()
    panels: Sequence[Panel] = ()


def render(table: Table) -> str:
    """Return the table as text, columns aligned, notes below."""
    cells = [HEADINGS, *((r.case, r.budget, r.measured, r.cpu, r.yardstick, r.ratio, r.verdict) for r in table.rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(HEADINGS))]
    rule = tuple("-" * width for width in widths)
    lines = [
        "  ".join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in (cells[0], rule, *cells[1:])
    ]
    return "\n".join([table.title, "", *lines, *(f"  {note}" for note in table.notes)])


def interleaved(names: Sequence[str], rounds: int, run: Callable[[str], Report]) -> dict[str, list[Report]]:
    """Return the reports of each name, taken in turns: A B C, C B A, A B C, so that drift harms all alike."""
    reports: dict[str, list[Report]] = {name: [] for name in names}
    for number in range(rounds):
        for name in names if number % 2 == 0 else reversed(names):
            reports[name].append(run(name))
    return reports


def median_of(reports: Sequence[Report], name: str) -> float:
    """Return the median over the rounds of one figure, such as "rate" or "p99_ms"."""
    return statistics.median(getattr(report, name) for report in reports)


def median_ratio(reports: Sequence[Report], yardsticks: Sequence[Report]) -> float:
    """Return the median over the rounds of requests/s against the yardstick's in the same round."""
    return statistics.median(
        report.rate / yardstick.rate for report, yardstick in zip(reports, yardsticks, strict=True)
    )


def errors_of(reports: Sequence[Report]) -> int:
    """Return how many requests of all rounds were not acknowledged."""
    return sum(report.errors for report in reports)


def throughput(reports: Sequence[Report]) -> str:
    """Return requests/s and latencies in one phrase."""
    p50, p99 = median_of(reports, "p50_ms"), median_of(reports, "p99_ms")
    worst = max(report.max_ms for report in reports)
    failed = f", {errors_of(reports)} errors" if errors_of(reports) else ""
    return f"{median_of(reports, 'rate'):,.0f}/s, p50 {p50:.1f}, p99 {p99:.1f}, max {worst:.0f} ms{failed}"


def cpu_each(reports: Sequence[Report]) -> str:
    """Return the processor time of a request, of all processes of the side that answered it."""
    return f"{median_of(reports, 'cpu_ms_each'):.2f} ms"


def generator_share(reports: Sequence[Report], cores: int) -> str:
    """Return what the load generator took of the machine itself, as a note."""
    used = [report.cpu_cores for report in reports]
    return f"The load generator itself used {statistics.median(used):.2f} (at most {max(used):.2f}) of {cores} cores."
