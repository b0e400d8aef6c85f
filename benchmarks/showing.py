"""Measures the page with a long history: how fast it answers, and whether acks stay fast while people look."""

import os
import shutil
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from benchmarks.acknowledging import CONNECTIONS, DEPLOYED_LATENCY, OFFERED_RATE
from benchmarks.history import fill
from benchmarks.load import Report, run_load
from benchmarks.onlooker import PASSWORD, Onlooker, people_looking
from benchmarks.scale import TWO, Scale
from benchmarks.servers import Server, parley, slow_api, workplace
from benchmarks.tables import Row, Table, errors_of, generator_share, interleaved, median_of, throughput

BUDGET_MS = 100
PEOPLE = 10
NOBODY, TEN = "nobody looks", f"{PEOPLE} people look"


def page(scale: Scale) -> Table:
    """Return how long the page takes, and acknowledging with and without people who have it open."""
    with workplace() as history:
        sids = fill(history, scale.shown_messages, scale.shown_conversations)
        with _served(history) as server:
            rows = _page_rows(server, sids, scale.page_requests)
        names = [NOBODY, TEN]
        reports = interleaved(names, scale.offered_rounds, lambda name: _offer(name, history, sids, scale))
    title = f"The page with {scale.shown_messages:,} messages in {len(sids):,} conversations (`page`)"
    return Table(
        title,
        [*rows, *(_ack_row(name, reports) for name in names)],
        (
            f"Medians of {scale.page_requests} requests, one after the other; as many replies, with their receipts.",
            f"Then {OFFERED_RATE} webhooks per second, answered by the inline worker, while {PEOPLE} pages are open.",
            generator_share([one for some in reports.values() for one in some], os.cpu_count() or 1),
        ),
    )


@contextmanager
def _served(history: Path) -> Iterator[Server]:
    """Run Parley as deployed on a copy of the history."""
    with workplace() as directory, slow_api(DEPLOYED_LATENCY) as api:
        shutil.copy(history / "parley.db", directory / "parley.db")
        with parley(TWO, directory, api.url, inline_worker="on", admin_password=PASSWORD) as server:
            yield server


def _page_rows(server: Server, sids: list[str], requests: int) -> list[Row]:
    person = Onlooker(server.port)
    longest, ordinary = sids[0], sids[len(sids) // 2]
    looked_at = {
        "/": "/",
        "/, waiting for a human": "/?only=waiting",
        "/, failed": "/?only=failed",
        "a conversation": f"/c/{ordinary}",
        "the longest conversation": f"/c/{longest}",
        "the longest one, 200 lines": f"/c/{longest}?lines=200",
        "search for a number": "/?search=0004711",
        "search for words": "/?search=number+4711",
    }
    rows = [_page_row(name, partial(person.look, path), requests) for name, path in looked_at.items()]
    polled = {"no news in the list": "/fragments/list", "no news in a conversation": f"/fragments/c/{longest}?lines=50"}
    rows += [_page_row(name, partial(person.look_for_news, path), requests) for name, path in polled.items()]
    person.close()
    return rows


def _page_row(name: str, look: Callable[[], object], requests: int) -> Row:
    look()
    median = statistics.median(_timed(look) for _ in range(requests)) * 1000
    return Row(name, f"{median:.1f} ms", budget=f"< {BUDGET_MS} ms", kept=median < BUDGET_MS)


def _timed(look: Callable[[], object]) -> float:
    started = time.perf_counter()
    look()
    return time.perf_counter() - started


def _offer(name: str, history: Path, sids: list[str], scale: Scale) -> Report:
    count = int(OFFERED_RATE * scale.offered_seconds)
    with _served(history) as server, people_looking(server.port, sids[: PEOPLE if name == TEN else 0]):
        return run_load(server.port, count=count, rate=OFFERED_RATE, connections=CONNECTIONS, warm_up=320)


def _ack_row(name: str, reports: dict[str, list[Report]]) -> Row:
    ours, alone = reports[name], reports[NOBODY]
    p50, p99 = median_of(ours, "p50_ms"), median_of(ours, "p99_ms")
    return Row(
        f"{OFFERED_RATE}/s, {name}",
        throughput(ours),
        budget="p50 <= 5, p99 <= 25 ms, no errors",
        yardstick="-"
        if name == NOBODY
        else f"p50 {median_of(alone, 'p50_ms'):.1f}, p99 {median_of(alone, 'p99_ms'):.1f} ms",
        ratio=f"{p50 / median_of(alone, 'p50_ms'):.2f}",
        kept=p50 <= 5 and p99 <= 25 and errors_of(ours) == 0,
    )
