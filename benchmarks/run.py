"""Runs the benchmarks and prints their tables: `python -m benchmarks.run all`."""

import argparse
import os
import platform
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import acknowledging, cost, deciding, footprint, keeping, replying, showing, sustained, workers
from benchmarks.charts import draw
from benchmarks.scale import FULL, QUICK, Scale
from benchmarks.servers import ROOT, workplace
from benchmarks.tables import Table, render

RESULTS = Path(__file__).parent / "RESULTS.md"
CHARTS = RESULTS.with_suffix(".svg")

CASES: dict[str, Callable[[Scale], Table]] = {
    "cost": cost.cost,
    "workers": workers.workers,
    "ack": acknowledging.saturated,
    "offered": acknowledging.offered,
    "sustained": sustained.sustained,
    "naive": acknowledging.naive,
    "latency": replying.latency,
    "hot": replying.hot,
    "backlog": replying.backlog,
    "rows": keeping.rows_kept,
    "memory": footprint.memory,
    "rules": deciding.rules,
    "page": showing.page,
}


def fsync_ms(writes: int = 50) -> float:
    """Return the median time of one fsync where the databases of the benchmarks lie."""
    with workplace() as directory, (directory / "probe").open("wb", buffering=0) as probe:
        return statistics.median(_timed_sync(probe.fileno()) for _ in range(writes)) * 1000


def _timed_sync(descriptor: int) -> float:
    os.write(descriptor, b"0" * 4096)
    started = time.monotonic()
    os.fsync(descriptor)
    return time.monotonic() - started


def conditions(scale: Scale) -> str:
    """Return on what the figures were taken: commit, machine, Python, disk."""
    commit = _git("rev-parse", "--short", "HEAD") + (" with local changes" if _git("status", "-s") else "")
    kind = "quick" if scale.rounds == QUICK.rounds else "full"
    return (
        f"commit {commit}; {_machine()}; Python {platform.python_version()}; "
        f"one fsync takes {fsync_ms():.2f} ms; load {os.getloadavg()[0]:.1f} at the start; {kind} run; "
        f"{datetime.now(UTC):%Y-%m-%d}"
    )


def _machine() -> str:
    """Return what this machine is (Linux): processor, memory, kernel."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    gigabytes = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    return f"{os.cpu_count()} x {next(iter(names), platform.machine())}, {gigabytes:.0f} GB, Linux {platform.release()}"


def _git(*arguments: str) -> str:
    finished = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    return finished.stdout.strip() or ("unknown" if finished.returncode else "")


def run_cases(names: Sequence[str], scale: Scale) -> list[Table]:
    """Return the table of each case, in the order of CASES; prints each as soon as it is there."""
    tables = []
    for name, measure in CASES.items():
        if name in names or "all" in names:
            tables.append(measure(scale))
            print(render(tables[-1]) + "\n", flush=True)
    return tables


def write_results(measured_on: str, tables: Sequence[Table]) -> None:
    """Replace RESULTS.md by these tables, and RESULTS.svg by their charts."""
    blocks = "\n\n".join(f"```text\n{render(table)}\n```" for table in tables)
    title = (
        "# Results\n\nWhat each line means: [README.md](README.md). Written by `python -m benchmarks.run all --write`."
    )
    RESULTS.write_text(f"{title}\n\n{measured_on}\n\n![charts of some of it]({CHARTS.name})\n\n{blocks}\n")
    CHARTS.write_text(draw([panel for table in tables for panel in table.panels]))


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what was asked for on the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description=__doc__)
    parser.add_argument("cases", nargs="+", choices=[*CASES, "all"], help="which to run, in turn")
    parser.add_argument("--seconds", type=float, help="of `sustained`, instead of 600 (quick: 10)")
    parser.add_argument("--quick", action="store_true", help="a minute or two: does it run, roughly how fast")
    parser.add_argument("--write", action="store_true", help="put this run into RESULTS.md and RESULTS.svg")
    options = parser.parse_args(arguments)
    if options.write and options.cases != ["all"]:
        parser.error("--write replaces RESULTS.md as a whole; run all cases with it")
    scale = QUICK if options.quick else FULL
    if options.seconds:
        scale = replace(scale, sustained_seconds=options.seconds)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # an exception, so that what was started is stopped
    measured_on = conditions(scale)
    print(measured_on + "\n", flush=True)
    tables = run_cases(options.cases, scale)
    if options.write:
        write_results(measured_on, tables)


if __name__ == "__main__":
    main()
