"""Measures minutes of steady load: acknowledging, how far the work is behind, and whether memory stays as it is."""

from __future__ import annotations

import http.client
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from benchmarks.acknowledging import ACK_BUDGET, is_within_budget
from benchmarks.charts import Lines, Panel
from benchmarks.engines import ENGINES, Store
from benchmarks.processor import used_by
from benchmarks.scale import TWO, Scale
from benchmarks.servers import ROOT, children, free_port, parley, parley_environment, resident_megabytes, worker
from benchmarks.sustained_load import PATIENCE_SECONDS, RECEIPTS, Sustained, Window
from benchmarks.tables import Row, Table

LATENCY = 0.1
SETTLED_AFTER = 0.1  # of the time: until then threads start and caches fill
FLAT = 1.10  # memory in the last quarter against the first after that
MOST_BEHIND = 5.0  # seconds that the oldest due event may have waited


@dataclass(frozen=True)
class Pace:
    """How many webhooks per second, for how many seconds."""

    rate: float
    seconds: float

    def __str__(self) -> str:
        return f"{self.rate:g} webhooks per second for {self.seconds:g} s"


@dataclass(frozen=True)
class Sample:
    """What was seen: seconds after the start, megabytes of the largest process, age of the oldest due event."""

    at: float
    megabytes: float
    oldest_due_seconds: float


@dataclass(frozen=True)
class Run:
    """What one engine did under the load."""

    load: Sustained
    samples: list[Sample]
    cpu_seconds: float

    @property
    def cpu_ms_each(self) -> float:
        """Return the processor time of a webhook with all that follows from it, the database server's too."""
        return self.cpu_seconds / max(1, self.load.messages + self.load.receipts) * 1000

    @property
    def is_complete(self) -> bool:
        """Return whether every message got one reply and every webhook was acknowledged."""
        load = self.load
        return load.messages == load.replies and not load.doubled and not load.errors

    @property
    def most_behind(self) -> float:
        """Return the age that the oldest due event reached."""
        return max(sample.oldest_due_seconds for sample in self.samples)

    def megabytes(self) -> tuple[float, float]:
        """Return the medians of the first and of the last quarter, once things have settled."""
        settled = self.samples[int(len(self.samples) * SETTLED_AFTER) :]
        quarter = max(1, len(settled) // 4)
        first, last = settled[:quarter], settled[-quarter:]
        return statistics.median(one.megabytes for one in first), statistics.median(one.megabytes for one in last)


def sustained(scale: Scale) -> Table:
    """Return what minutes of steady load do, on each engine, deployed as the documents say."""
    full = Pace(scale.sustained_rate, scale.sustained_seconds)
    runs = {(engine, pace): _run(engine, pace) for engine in ENGINES for pace in (full, _held(scale))}
    return Table(
        f"Sustained: {full} (`sustained`)",
        [row for (engine, pace), run in runs.items() for row in _rows(engine, run, pace)],
        (
            f"A quarter are messages; each is answered (REST takes {LATENCY * 1000:.0f} ms) and its reply brings",
            f"{len(RECEIPTS)} receipts. SQLite: {TWO} with inline workers. PostgreSQL: {TWO} and one `flask worker`.",
            "CPU: of a webhook with the work that follows from it, all processes, the database server's too.",
            "Behind: age of the oldest due event. Memory: the largest process, first and last quarter.",
            f"Then {_held(scale)}: what this machine answers without falling behind, the load generator beside it.",
        ),
        panels=_panels({engine: run for (engine, pace), run in runs.items() if pace == full}),
    )


def _held(scale: Scale) -> Pace:
    return Pace(scale.held_rate, scale.held_seconds)


def _run(engine: str, pace: Pace) -> Run:
    api_port = free_port()
    with ENGINES[engine]() as store, _deployed(store, api_port) as (port, pids):
        with used_by([*pids, *store.server_pids]) as used:
            load, samples = _load(port, api_port, pids, pace)
        return Run(load, samples, used.seconds)


@contextmanager
def _deployed(store: Store, api_port: int) -> Iterator[tuple[int, list[int]]]:
    """Run Parley as it is deployed on this engine; give its port and the processes whose memory counts."""
    api, where = f"http://127.0.0.1:{api_port}", store.directory
    inline = "on" if store.is_sqlite else "off"
    environment = parley_environment(where, api, database_url=store.url)
    working = nullcontext(0) if store.is_sqlite else worker(environment, where)
    with parley(TWO, where, api, inline, database_url=store.url) as server, working as worker_pid:
        yield server.port, [*children(server.pid), *([worker_pid] if worker_pid else [])]


def _load(port: int, api_port: int, pids: list[int], pace: Pace) -> tuple[Sustained, list[Sample]]:
    seconds = pace.seconds
    command = [sys.executable, "-m", "benchmarks.sustained_load", f"--port={port}", f"--api-port={api_port}"]
    command += [f"--rate={pace.rate}", f"--seconds={seconds}", f"--latency={LATENCY}"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        samples = _watch(process, port, pids, seconds)
        printed, said = process.communicate(timeout=PATIENCE_SECONDS)
    finally:
        process.kill()
        process.wait()
    if process.returncode != 0:
        raise SystemExit(f"benchmarks.sustained_load ended with {process.returncode}:\n{said.decode()[-2000:]}")
    document = json.loads(printed)
    windows = [Window(**window) for window in document.pop("windows")]
    return Sustained(**document, windows=windows), samples


def _watch(process: subprocess.Popen[bytes], port: int, pids: list[int], seconds: float) -> list[Sample]:
    """Look once a second while the load lasts."""
    started, samples = time.monotonic(), []
    while process.poll() is None and (now := time.monotonic() - started) < seconds + 2 * PATIENCE_SECONDS:
        if now <= seconds:
            samples.append(Sample(now, max(map(_megabytes, pids)), _oldest_due(port)))
        time.sleep(1)
    return samples


def _megabytes(pid: int) -> float:
    return resident_megabytes(pid) if Path(f"/proc/{pid}").exists() else 0.0


def _oldest_due(port: int) -> float:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", "/readyz")
        return float(json.loads(connection.getresponse().read()).get("oldest_due_seconds", 0.0))
    finally:
        connection.close()


def _rows(engine: str, run: Run, pace: Pace) -> list[Row]:
    load, (before, after) = run.load, run.megabytes()
    rate = sum(window.acks for window in load.windows) / load.seconds
    wrong = f", {load.errors} errors, {load.doubled} doubled" if load.errors or load.doubled else ""
    behind = f"behind by {run.most_behind:.1f} s at most"
    return [
        Row(
            f"{engine}, {pace.rate:g}/s: acknowledging",
            f"{rate:,.0f}/s, p50 {load.ack_p50_ms:.1f}, p99 {load.ack_p99_ms:.1f}, max {load.ack_max_ms:.0f} ms{wrong}",
            budget=ACK_BUDGET,
            kept=is_within_budget(load.ack_p50_ms, load.ack_p99_ms) and not load.errors,
            cpu=f"{run.cpu_ms_each:.2f} ms",
        ),
        Row(
            f"{engine}, {pace.rate:g}/s: replying",
            f"p50 {load.delay_p50_ms:.0f}, p99 {load.delay_p99_ms:.0f}, max {load.delay_max_ms:.0f} ms; {behind}; "
            f"{load.replies:,} replies to {load.messages:,} {PATIENCE_SECONDS:.0f} s after the end",
            budget=f"behind by <= {MOST_BEHIND:g} s, one reply each",
            kept=run.most_behind <= MOST_BEHIND and run.is_complete,
        ),
        Row(
            f"{engine}, {pace.rate:g}/s: memory",
            f"{before:.0f} -> {after:.0f} MB",
            budget=f"<= {FLAT:.2f} x",
            ratio=f"{after / before:.2f}",
            kept=after <= FLAT * before if pace.seconds >= 60 else None,
        ),
    ]


def _panels(runs: dict[str, Run]) -> list[Panel]:
    return [
        Lines(
            "Sustained: p99 of acknowledging",
            "ms",
            {engine: [(one.at, one.ack_p99_ms) for one in run.load.windows] for engine, run in runs.items()},
        ),
        Lines(
            "Sustained: age of the oldest due event",
            "s",
            {engine: [(one.at, one.oldest_due_seconds) for one in run.samples] for engine, run in runs.items()},
        ),
        Lines(
            "Sustained: memory of the largest process",
            "MB",
            {engine: [(one.at, one.megabytes) for one in run.samples] for engine, run in runs.items()},
        ),
    ]
