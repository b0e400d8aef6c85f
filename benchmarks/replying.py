"""Measures how fast stored messages are answered: when idle, in one busy conversation, and from a backlog."""

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.engines import ENGINES, Store
from benchmarks.load import percentile, run_load
from benchmarks.messages import Batch
from benchmarks.processor import used_by
from benchmarks.scale import TWO, Scale
from benchmarks.servers import (
    Layout,
    Server,
    arrivals,
    parley,
    parley_environment,
    run_worker_drain,
    slow_api,
    workplace,
    yardstick,
)
from benchmarks.tables import Row, Table

IDLE_RATE = 20  # webhooks per second: one every 50 ms, each answered before the next comes
COLD_MESSAGES = 40  # within two seconds of the start, while threads connect and modules load
THREADS = 8
BACKLOG_LATENCY = 0.1


@dataclass(frozen=True)
class Drain:
    """What `flask worker --drain` did: replies that reached the API, and seconds from the first to the last."""

    messages: int
    replies: int
    seconds: float
    command_seconds: float
    cpu_seconds: float  # of the command, its start included, and of the database's server

    @property
    def per_message_ms(self) -> float:
        """Return the mean time between two replies."""
        return self.seconds / max(1, self.replies - 1) * 1000

    @property
    def is_complete(self) -> bool:
        """Return whether every message got one reply."""
        return self.replies == self.messages


def latency(scale: Scale) -> Table:
    """Return the time from a webhook's arrival to the arrival of its reply at the REST API, one at a time."""
    with (
        workplace() as directory,
        slow_api(BACKLOG_LATENCY) as api,
        parley(TWO, directory, api.url, inline_worker="on") as server,
    ):
        with used_by([server.pid]) as used_cold:
            cold = _reply_delays(server, api, COLD_MESSAGES, announced=1)
        with used_by([server.pid]) as used:
            ours = _reply_delays(server, api, scale.latency_messages, announced=1)
    with slow_api(BACKLOG_LATENCY) as api, yardstick("naive_flask", TWO, api.url) as server:
        naive_cold = _reply_delays(server, api, COLD_MESSAGES)
        naive = _reply_delays(server, api, scale.latency_messages)
    p50, p99 = percentile(ours, 0.5), percentile(ours, 0.99)
    rows = [
        Row(
            f"{TWO} inline worker, first {COLD_MESSAGES} after start",
            _spread(cold),
            yardstick=_spread(naive_cold),
            cpu=f"{used_cold.each_ms(COLD_MESSAGES):.1f} ms",
        ),
        Row(
            f"{TWO} inline worker, next {scale.latency_messages}",
            _spread(ours),
            budget="p50 <= 10, p99 <= 100 ms",
            yardstick=_spread(naive),
            ratio=f"{p50 / percentile(naive, 0.5):.2f}",
            kept=p50 <= 10 and p99 <= 100 and len(ours) == scale.latency_messages,
            cpu=f"{used.each_ms(scale.latency_messages):.1f} ms",
        ),
    ]
    return Table(
        "Idle: webhook in -> reply request out (`latency`)",
        rows,
        (
            f"{IDLE_RATE} webhooks per second, each in a conversation that onConversationAdded told of before.",
            "The yardstick is the naive handler, which replies before it answers and stores nothing.",
            "CPU of a message with that other webhook, both acknowledged and worked off.",
        ),
    )


def _spread(delays: list[float]) -> str:
    p50, p99 = percentile(delays, 0.5), percentile(delays, 0.99)
    return f"p50 {p50:.1f}, p99 {p99:.1f}, max {delays[-1]:.1f} ms, {len(delays)} replies"


def _reply_delays(server: Server, api: Server, messages: int, announced: int = 0) -> list[float]:
    """Return the sorted delays in milliseconds; raises SystemExit when no reply came at all."""
    report = run_load(server.port, count=messages, rate=IDLE_RATE, connections=4, times=1, announced=announced)
    batch = Batch(report.batch, conversations=messages)
    arrived_at = _wait_for_replies(api, {batch.conversation_sid(number) for number in range(messages)})
    delays = [
        (arrived_at[batch.conversation_sid(number)] - sent_at) * 1000
        for number, sent_at in enumerate(report.sent_at)
        if batch.conversation_sid(number) in arrived_at
    ]
    if not delays:
        raise SystemExit(f"none of {messages} webhooks was replied to ({report.errors} not acknowledged)")
    return sorted(delays)


def _wait_for_replies(api: Server, expected: set[str], seconds: float = 20) -> dict[str, float]:
    deadline = time.monotonic() + seconds
    while True:
        came = {conversation_sid: at for at, conversation_sid in arrivals(api)}
        if expected <= came.keys() or time.monotonic() > deadline:
            return came
        time.sleep(0.2)


def drain(engine: str, messages: int, conversations: int, threads: int, latency_seconds: float) -> Drain:
    """Store `messages` in an empty database, then return how `flask worker --drain` answered them."""
    with ENGINES[engine]() as store:
        return drain_into(store, messages, conversations, threads, latency_seconds)


def drain_into(store: Store, messages: int, conversations: int, threads: int, latency_seconds: float) -> Drain:
    """Store `messages` through the webhook, then return how `flask worker --drain` answered them."""
    with slow_api(latency_seconds) as api:
        with parley(Layout(1, 16), store.directory, api.url, database_url=store.url) as server:
            report = run_load(server.port, count=messages, conversations=conversations, seconds=250, announced=1)
        stored = report.requests - report.non_2xx
        if stored != messages:
            raise SystemExit(f"only {stored} of {messages} messages were stored")
        environment = parley_environment(store.directory, api.url, threads, store.url)
        with used_by(store.server_pids, commands=True) as used:
            command_seconds = run_worker_drain(environment, seconds=600)
        times = [at for at, _ in arrivals(api)]
    seconds = max(times, default=0.0) - min(times, default=0.0)
    return Drain(messages, len(times), seconds, command_seconds, used.seconds)


def cpu_of(drains: Sequence[Drain]) -> str:
    """Return the processor time of a message, for the printed cell."""
    return f"{statistics.median(each.cpu_seconds / each.messages for each in drains) * 1000:.1f} ms"


def faults_of(drains: Sequence[Drain]) -> str:
    """Return, for the printed cell, where the number of replies was not the number of messages."""
    wrong = [f"{each.replies:,} replies to {each.messages:,}" for each in drains if not each.is_complete]
    return "".join(f", {fault}" for fault in wrong)


def hot(scale: Scale) -> Table:
    """Return one conversation that holds all messages against as many conversations of one message each."""
    rows = [_hot_row(engine, scale, threads) for engine in ENGINES for threads in (1, THREADS)]
    return Table(
        "One hot conversation against many (`hot`)",
        rows,
        (
            "REST answers at once. Per-message time, first to last reply, median of the rounds; lower is better.",
            "One conversation is answered one message after the other, so with more threads only the",
            "many can gain; the promise is that one thread is no slower on one than on many (10 % noise allowed).",
        ),
    )


def _hot_row(engine: str, scale: Scale, threads: int) -> Row:
    total, ones, manys = scale.hot_messages, [], []
    for _ in range(scale.hot_rounds):
        ones.append(drain(engine, total, 1, threads, 0))
        manys.append(drain(engine, total, total, threads, 0))
    one = statistics.median(each.per_message_ms for each in ones)
    many = statistics.median(each.per_message_ms for each in manys)
    complete = all(each.is_complete for each in (*ones, *manys))
    return Row(
        f"{engine}: {total:,} in 1, {threads} thread{'s' if threads > 1 else ''}",
        f"{one:.2f} ms each, {one * total / 1000:.1f} s{faults_of(ones)}",
        budget="<= 1.10 of many" if threads == 1 else "-",
        yardstick=f"in {total:,}: {many:.2f} ms each, {many * total / 1000:.1f} s{faults_of(manys)}",
        ratio=f"{one / many:.2f}",
        kept=(one <= 1.1 * many and complete) if threads == 1 else None if complete else False,
        cpu=cpu_of(ones),
    )


def backlog(scale: Scale) -> Table:
    """Return how near the worker comes to what its threads and the REST latency allow."""
    note = f"REST takes {BACKLOG_LATENCY * 1000:.0f} ms. From the first reply's arrival to the last one's answer."
    rows = [_backlog_row(engine, scale) for engine in ENGINES]
    return Table("Backlog, emptied by `flask worker --drain` (`backlog`)", rows, (note,))


def _backlog_row(engine: str, scale: Scale) -> Row:
    done = drain(engine, scale.backlog_messages, scale.backlog_conversations, THREADS, BACKLOG_LATENCY)
    ideal = THREADS / BACKLOG_LATENCY
    rate = done.replies / (done.seconds + BACKLOG_LATENCY)
    return Row(
        f"{engine}: {done.messages:,} in {scale.backlog_conversations:,}, {THREADS} threads",
        f"{rate:.1f}/s, {done.replies:,} replies in {done.seconds:.1f} s (command {done.command_seconds:.1f} s)",
        budget=">= 0.95 x threads / latency",
        yardstick=f"{ideal:.0f}/s",
        ratio=f"{rate / ideal:.3f}",
        kept=rate >= 0.95 * ideal and done.is_complete,
        cpu=cpu_of([done]),
    )
