"""Measures whether more worker processes on one PostgreSQL cost more for each message than one does."""

import statistics
import time

from benchmarks import sides
from benchmarks.messages import conversation_added, inbound_sms, new_batch, signed_post
from benchmarks.processor import used_by
from benchmarks.scale import Scale
from benchmarks.tables import Row, Table

BUDGET = 1.2
MESSAGES_EACH = 5  # in each conversation

Figures = tuple[float, float, float]  # of one run: milliseconds a message, of which the server's, messages a second


def workers(scale: Scale) -> Table:
    """Return the cost of a message, and how many are answered in a second, by the number of `flask worker`."""
    runs: dict[int, list[Figures]] = {count: [] for count in scale.workers}
    for number in range(scale.cost_rounds):
        for count in scale.workers if number % 2 == 0 else reversed(scale.workers):
            runs[count].append(_run(count, scale.workers_messages))
    return Table(
        "Worker processes on one PostgreSQL (`workers`)",
        [_row(count, runs[count], runs[scale.workers[0]]) for count in scale.workers],
        (
            f"{scale.workers_messages} messages in a burst, {MESSAGES_EACH} in each conversation; the API takes "
            f"{sides.LATENCY * 1000:.0f} ms; 8 threads in each process.",
            f"Processor time of web process, workers and server for each message; {scale.cost_rounds} rounds in turns.",
            "Messages a second: from the first webhook until the last reply is recorded, on this machine's cores.",
        ),
    )


def _run(count: int, messages: int) -> Figures:
    with sides.answering("PostgreSQL", workers=count) as side:
        assert side.store
        batch = new_batch(messages // MESSAGES_EACH)
        side.play([signed_post(conversation_added(batch, number)) for number in range(batch.conversations)])
        posts = [signed_post(inbound_sms(batch, number)) for number in range(messages)]
        began = time.monotonic()
        with used_by(side.store.server_pids) as server:
            each_ms = side.cost_ms(posts)
        return each_ms, server.each_ms(messages), messages / (time.monotonic() - began)


def _row(count: int, runs: list[Figures], alone: list[Figures]) -> Row:
    each, server, rate = (statistics.median(values) for values in zip(*runs, strict=True))
    ratio = statistics.median(ours[0] / one[0] for ours, one in zip(runs, alone, strict=True))
    is_judged = runs is not alone
    return Row(
        f"{count} x `flask worker`",
        f"{each:.2f} ms a message, of which the server {server:.2f}; {rate:.0f} messages/s",
        budget=f"<= {BUDGET:.1f} x one process" if is_judged else "-",
        ratio=f"{ratio:.2f}",
        kept=ratio <= BUDGET if is_judged else None,
    )
