"""Measures the page with a long history: how fast it answers, and whether acks stay fast while people look."""

from __future__ import annotations

import os
import shutil
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from benchmarks.acknowledging import ACK_BUDGET, CONNECTIONS, DEPLOYED_LATENCY, OFFERED_RATE, is_within_budget
from benchmarks.history import fill
from benchmarks.load import Report, run_load
from benchmarks.onlooker import PASSWORD, Onlooker, people_looking
from benchmarks.processor import used_by
from benchmarks.scale import TWO, Scale
from benchmarks.servers import Server, parley, slow_api, workplace
from benchmarks.tables import Row, Table, cpu_each, errors_of, generator_share, interleaved, median_of, throughput

BUDGET_MS = 100
PEOPLE = 10


@dataclass(frozen=True)
class Look:
    """How many people have the page open while webhooks come, and whether an inline worker answers meanwhile."""

    people: int
    inline_worker: str

    @property
    def name(self) -> str:
        """Return it in words."""
        who = f"{self.people} people look" if self.people else "nobody looks"
        return f"{who}, {'ack only' if self.inline_worker == 'off' else 'inline worker on'}"

    @property
    def of_nobody(self) -> Look:
        """Return the same while nobody looks."""
        return replace(self, people=0)


def page(scale: Scale) -> Table:
    """Return how long the page takes, and acknowledging with and without people who have it open."""
    with workplace() as history:
        sids = fill(history, scale.shown_messages, scale.shown_conversations)
        with _served(history, "on") as server:
            rows = _page_rows(server, sids, scale.page_requests)
        looks = [Look(people, inline) for inline in ("off", "on") for people in (0, PEOPLE)]
        by_name = {look.name: look for look in looks}
        reports = interleaved(
            list(by_name), scale.offered_rounds, lambda name: _offer(by_name[name], history, sids, scale)
        )
    title = f"The page with {scale.shown_messages:,} messages in {len(sids):,} conversations (`page`)"
    return Table(
        title,
        [*rows, *(_ack_row(look, reports) for look in looks)],
        (
            f"Medians of {scale.page_requests} requests, one after the other; as many replies, with their receipts.",
            f"Then {OFFERED_RATE} webhooks per second while {PEOPLE} pages are open and ask for news; with the inline",
            "worker on, so many messages keep it at full stretch, and every page has news all the time.",
            generator_share([one for some in reports.values() for one in some], os.cpu_count() or 1),
        ),
    )


@contextmanager
def _served(history: Path, inline_worker: str) -> Iterator[Server]:
    """Run Parley on a copy of the history, which is on disk: else it would be written while times are taken."""
    with workplace() as directory, slow_api(DEPLOYED_LATENCY) as api:
        shutil.copy(history / "parley.db", directory / "parley.db")
        os.sync()
        with parley(TWO, directory, api.url, inline_worker=inline_worker, admin_password=PASSWORD) as server:
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
    rows = [_page_row(name, partial(person.look, path), requests, server.pid) for name, path in looked_at.items()]
    polled = {"no news in the list": "/fragments/list", "no news in a conversation": f"/fragments/c/{longest}?lines=50"}
    rows += [
        _page_row(name, partial(person.look_for_news, path), requests, server.pid) for name, path in polled.items()
    ]
    person.close()
    return rows


def _page_row(name: str, look: Callable[[], object], requests: int, pid: int) -> Row:
    look()
    with used_by([pid]) as used:
        median = statistics.median(_timed(look) for _ in range(requests)) * 1000
    cpu = f"{used.each_ms(requests):.1f} ms"
    return Row(name, f"{median:.1f} ms", budget=f"< {BUDGET_MS} ms", kept=median < BUDGET_MS, cpu=cpu)


def _timed(look: Callable[[], object]) -> float:
    started = time.perf_counter()
    look()
    return time.perf_counter() - started


def _offer(look: Look, history: Path, sids: list[str], scale: Scale) -> Report:
    count = int(OFFERED_RATE * scale.offered_seconds)
    with _served(history, look.inline_worker) as server, people_looking(server.port, sids[: look.people]):
        watched = [server.pid]
        return run_load(
            server.port, count=count, watched=watched, rate=OFFERED_RATE, connections=CONNECTIONS, warm_up=320
        )


def _ack_row(look: Look, reports: dict[str, list[Report]]) -> Row:
    ours, alone = reports[look.name], reports[look.of_nobody.name]
    p50, p99 = median_of(ours, "p50_ms"), median_of(ours, "p99_ms")
    nobody = f"p50 {median_of(alone, 'p50_ms'):.1f}, p99 {median_of(alone, 'p99_ms'):.1f} ms"
    return Row(
        f"{OFFERED_RATE}/s, {look.name}",
        throughput(ours),
        budget=ACK_BUDGET,
        yardstick=nobody if look.people else "-",
        ratio=f"{p50 / median_of(alone, 'p50_ms'):.2f}",
        kept=is_within_budget(p50, p99) and errors_of(ours) == 0,
        cpu=cpu_each(ours),
    )
