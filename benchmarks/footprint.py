"""Measures what Parley takes while it works: memory of its web processes, and the wait for a command to start."""

import http.client
import statistics
import subprocess
import sys
import time

from benchmarks.acknowledging import DEPLOYED_LATENCY
from benchmarks.load import run_load
from benchmarks.processor import used_by
from benchmarks.scale import TWO, Scale
from benchmarks.servers import (
    ROOT,
    children,
    parley,
    parley_environment,
    resident_megabytes,
    slow_api,
    workplace,
    yardstick,
)
from benchmarks.tables import Row, Table

STARTS = 5
SETTLE_SECONDS = 8.0  # until it has done what it does after a start
HEALTH_CHECKS = 20  # so that every process has had some


def memory(scale: Scale) -> Table:
    """Return the resident memory of the largest web process after load, and the time of `flask --help`."""
    return Table(
        "Footprint (`memory`)",
        [_memory_row(scale), _idle_row(scale), _help_row()],
        (
            f"Memory: {TWO} with inline worker, after {scale.saturated_seconds:g} s saturated; shared pages count.",
            f"Idle: all processes of that layout, for {scale.idle_seconds:g} s in which nothing comes.",
        ),
    )


def _memory_row(scale: Scale) -> Row:
    with (
        workplace() as directory,
        slow_api(DEPLOYED_LATENCY) as api,
        parley(TWO, directory, api.url, inline_worker="on") as server,
    ):
        ours = _memory_after_load(server.port, server.pid, scale)
    with yardstick("validating_flask", TWO) as server:
        plain = _memory_after_load(server.port, server.pid, scale)
    return Row(
        "web process, largest of 2",
        f"{ours:.0f} MB",
        budget="<= 80 MB",
        yardstick=f"Flask + RequestValidator {plain:.0f} MB",
        ratio=f"{ours / plain:.2f}",
        kept=ours <= 80,
    )


def _idle_row(scale: Scale) -> Row:
    with workplace() as directory, parley(TWO, directory, inline_worker="on") as server:
        ours = _idle_ms(server.pid, scale.idle_seconds)
    with yardstick("validating_flask", TWO) as server:
        plain = _idle_ms(server.pid, scale.idle_seconds)
    return Row(
        f"{TWO}, idle",
        f"{ours:.1f} ms of processor a second",
        yardstick=f"Flask + RequestValidator {plain:.1f} ms",
        cpu=f"{ours:.1f} ms/s",
    )


def _idle_ms(pid: int, seconds: float) -> float:
    time.sleep(SETTLE_SECONDS)
    with used_by([pid]) as used:
        time.sleep(seconds)
    return used.seconds / seconds * 1000


def _memory_after_load(port: int, master: int, scale: Scale) -> float:
    """Return the megabytes of the largest process once it was loaded and asked for its health, as balancers do."""
    run_load(port, count=int(6_000 * scale.saturated_seconds), seconds=scale.saturated_seconds)
    for _ in range(HEALTH_CHECKS):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("GET", "/readyz")
        connection.getresponse().read()
        connection.close()
    return max(resident_megabytes(pid) for pid in children(master))


def _help_row() -> Row:
    with workplace() as directory:
        environment = parley_environment(directory, "http://127.0.0.1:9")
        commands = {"help": ["-m", "flask", "--help"], "flask": ["-c", "import flask"]}
        seconds: dict[str, list[float]] = {name: [] for name in commands}
        used = dict.fromkeys(commands, 0.0)
        for _ in range(STARTS):
            for name, arguments in commands.items():
                with used_by((), commands=True) as one:
                    seconds[name].append(_run_seconds([sys.executable, *arguments], environment))
                used[name] += one.seconds / STARTS
    ours, plain = statistics.median(seconds["help"]), statistics.median(seconds["flask"])
    return Row(
        "flask --help",
        f"{ours:.2f} s (median of {STARTS})",
        budget="<= 0.40 s",
        yardstick=f"import flask {plain:.2f} s",
        ratio=f"{ours / plain:.2f}",
        kept=ours <= 0.4,
        cpu=f"{used['help'] * 1000:.0f} ms",
    )


def _run_seconds(command: list[str], environment: dict[str, str]) -> float:
    started = time.monotonic()
    subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, timeout=60)
    return time.monotonic() - started
