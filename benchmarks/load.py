"""Posts signed webhooks to a server on 127.0.0.1 and reports how fast and how well it answered.

Closed loop (`saturate`): every connection posts its next request as soon as the last one is answered.
Open loop (`offer`): requests leave at a fixed rate whatever the server does, and each one's time runs from
the moment it was meant to leave, so a server that stalls cannot hide the requests that waited.
"""

import argparse
import asyncio
import gc
import json
import math
import resource
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from time import monotonic, sleep

from benchmarks.connection import BROKEN, Connection
from benchmarks.messages import conversation_added, new_batch, signed_post, signed_posts
from benchmarks.processor import used_by

ROOT = Path(__file__).parent.parent
SETTLE_SECONDS = 1.0  # until what was announced is worked off


@dataclass(frozen=True)
class Exchange:
    """One request; times are seconds on the machine's monotonic clock, the same in every process.

    `due_at` is when the generator's timer let it go; it was sent when a connection was free.
    """

    intended_at: float
    due_at: float
    sent_at: float
    answered_at: float
    status: int


@dataclass(frozen=True)
class Report:
    """What one run gave; times in milliseconds from the intended moment to the last byte of the answer.

    `lateness_p99_ms` is how late its own timer was (part of those times), `cpu_cores` what it used itself, and
    `cpu_ms_each` what the watched processes used for each request.
    """

    requests: int
    seconds: float
    rate: float
    p50_ms: float
    p99_ms: float
    max_ms: float
    non_2xx: int
    broken: int
    lateness_p99_ms: float
    cpu_cores: float
    cpu_ms_each: float = 0.0
    batch: str = ""
    sent_at: list[float] = field(default_factory=list)

    @property
    def errors(self) -> int:
        """Return how many requests were not acknowledged, for whatever reason."""
        return self.non_2xx + self.broken


async def saturate(port: int, requests: Sequence[bytes], connections: int, seconds: float) -> list[Exchange]:
    """Return what came of posting `requests` as fast as they are answered, for at most `seconds`."""
    exchanges: list[Exchange] = []
    waiting = iter(requests)
    deadline = monotonic() + seconds

    async def keep_posting(connection: Connection) -> None:
        for request in waiting:
            now = monotonic()
            if now > deadline:
                break
            status = await connection.exchange(request)
            exchanges.append(Exchange(now, now, now, connection.answered_at, status))
        connection.close()

    await asyncio.gather(*(keep_posting(Connection(port)) for _ in range(connections)))
    return exchanges


async def offer(port: int, requests: Sequence[bytes], connections: int, rate: float) -> list[Exchange]:
    """Return what came of posting `rate` requests per second, in the order of `requests`.

    While all `connections` are busy a request waits for one, and its time runs.
    """
    idle: asyncio.Queue[Connection] = asyncio.Queue()
    for _ in range(connections):
        idle.put_nowait(Connection(port))

    async def post(request: bytes, intended_at: float) -> Exchange:
        await asyncio.sleep(intended_at - monotonic())
        due_at = monotonic()
        connection = await idle.get()
        sent_at = monotonic()
        status = await connection.exchange(request)
        idle.put_nowait(connection)
        return Exchange(intended_at, due_at, sent_at, connection.answered_at, status)

    start = monotonic() + 0.05
    exchanges = await asyncio.gather(*(post(request, start + number / rate) for number, request in enumerate(requests)))
    while not idle.empty():
        idle.get_nowait().close()
    return exchanges


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that at least `share` of the sorted `values` do not exceed."""
    if not values:
        return 0.0
    return values[max(0, math.ceil(share * len(values)) - 1)]


def summarize(exchanges: Sequence[Exchange], *, cpu_seconds: float = 0.0) -> Report:
    """Return the figures of one run; a broken request has no latency and is only counted."""
    answered = [exchange for exchange in exchanges if exchange.status != BROKEN]
    times = sorted((each.answered_at - each.intended_at) * 1000 for each in answered)
    lateness = sorted((each.due_at - each.intended_at) * 1000 for each in exchanges)
    first = min((each.intended_at for each in exchanges), default=0.0)
    seconds = max((each.answered_at for each in exchanges), default=0.0) - first
    return Report(
        requests=len(answered),
        seconds=seconds,
        rate=len(answered) / seconds if seconds else 0.0,
        p50_ms=percentile(times, 0.50),
        p99_ms=percentile(times, 0.99),
        max_ms=times[-1] if times else 0.0,
        non_2xx=sum(not 200 <= each.status < 300 for each in answered),
        broken=len(exchanges) - len(answered),
        lateness_p99_ms=percentile(lateness, 0.99),
        cpu_cores=cpu_seconds / seconds if seconds else 0.0,
    )


def measure(options: argparse.Namespace) -> Report:
    """Return the report of one run: sign everything, warm the server up, then post and count."""
    batch = new_batch(options.conversations or options.count)
    requests = signed_posts(batch, options.count)
    warm_up = signed_posts(new_batch(options.warm_up or 1), options.warm_up)
    if options.announced:
        warm_up += [signed_post(conversation_added(batch, number)) for number in range(batch.conversations)]
    gc.collect()
    gc.disable()
    asyncio.run(saturate(options.port, warm_up, options.connections, seconds=30))
    if options.announced:
        sleep(SETTLE_SECONDS)
    before = _cpu_seconds()
    if options.rate:
        run = offer(options.port, requests, options.connections, options.rate)
    else:
        run = saturate(options.port, requests, options.connections, options.seconds)
    with used_by(map(int, filter(None, options.watched.split(",")))) as used:
        exchanges = asyncio.run(run)
    report = summarize(exchanges, cpu_seconds=_cpu_seconds() - before)
    report = replace(report, cpu_ms_each=used.each_ms(report.requests))
    sent_at = [exchange.sent_at for exchange in exchanges] if options.times else []
    return Report(**{**asdict(report), "batch": batch.name, "sent_at": sent_at})


def _cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def run_load(port: int, *, count: int, watched: Sequence[int] = (), **options: float) -> Report:
    """Return the report of a run in a process of its own; `options` as on the command line."""
    command = [sys.executable, "-m", "benchmarks.load", f"--port={port}", f"--count={count}"]
    command += [f"--watched={','.join(map(str, watched))}"]
    command += [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
    finished = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=300)
    return Report(**json.loads(finished.stdout))


def parse_options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the options of one run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load", description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="on 127.0.0.1")
    parser.add_argument("--count", type=int, default=10_000, help="messages to sign, and at most to post")
    parser.add_argument("--seconds", type=float, default=60, help="closed loop: stop after so long")
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--rate", type=float, default=0, help="requests per second; 0 = as fast as answered")
    parser.add_argument("--conversations", type=int, default=0, help="0 = one for each message")
    parser.add_argument("--warm-up", type=int, default=0, help="messages posted before, not counted")
    parser.add_argument("--announced", type=int, default=0, help="1 = first post onConversationAdded of each")
    parser.add_argument("--times", type=int, default=0, help="1 = also list when each request was sent")
    parser.add_argument("--watched", default="", help="processes, with commas, whose processor time is counted")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    print(json.dumps(asdict(measure(parse_options()))))
