"""Gives the sides that `cost` and `workers` compare: where to post, whose processor time counts, when all is done."""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from sqlalchemy import text

from benchmarks.engines import ENGINES, Store
from benchmarks.load import Exchange, offer, saturate
from benchmarks.processor import used_by
from benchmarks.scale import ONE
from benchmarks.servers import arrivals, parley, parley_environment, queueing, slow_api, worker, yardstick

LATENCY = 0.01  # of the REST API
CONNECTIONS = 16
PATIENCE_SECONDS = 120.0
LOOK_SECONDS = 0.2
SETTLE_SECONDS = 1.0  # until a side that has just started is idle
_UNFINISHED = text("SELECT count(*) FROM inbox WHERE finished_at IS NULL")


@dataclass
class Side:
    """Where to post, all processes of this side (its database server's too), and whether so many are worked off."""

    port: int
    pids: Sequence[int]
    is_done: Callable[[int], bool] = lambda posted: True
    store: Store | None = None
    posted: int = field(default=0, init=False)

    def play(self, posts: Sequence[bytes], rate: float = 0) -> None:
        """Post all, at a rate or as fast as they are answered, and wait until they are worked off."""
        if rate:
            run = offer(self.port, posts, CONNECTIONS, rate)
        else:
            run = saturate(self.port, posts, CONNECTIONS, PATIENCE_SECONDS)
        _check(asyncio.run(run), len(posts))
        self.posted += len(posts)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not self.is_done(self.posted):
            if time.monotonic() > deadline:
                raise SystemExit(f"{len(posts)} webhooks were not worked off in {PATIENCE_SECONDS:.0f} s")
            time.sleep(LOOK_SECONDS)

    def cost_ms(self, posts: Sequence[bytes], rate: float = 0) -> float:
        """Return the milliseconds of processor that each of these took, of all processes of the side."""
        with used_by(self.pids) as used:
            self.play(posts, rate)
        return used.each_ms(len(posts))


def _check(exchanges: Sequence[Exchange], wanted: int) -> None:
    bad = [one.status for one in exchanges if not 200 <= one.status < 300]
    if bad or len(exchanges) != wanted:
        raise SystemExit(f"{len(bad)} of {wanted} webhooks were not acknowledged (statuses {set(bad)})")


@contextmanager
def bare() -> Iterator[Side]:
    """Give Flask and gunicorn that do nothing."""
    with yardstick("bare_flask", ONE) as server:
        yield Side(server.port, [server.pid])


@contextmanager
def huey() -> Iterator[Side]:
    """Give Flask + Huey (SqliteHuey, fsync on) and its consumer; done is what has reached the REST API."""
    with slow_api(LATENCY) as api, queueing(ONE, api.url) as (server, consumer):
        time.sleep(SETTLE_SECONDS)
        yield Side(server.port, [server.pid, consumer], lambda posted: len(arrivals(api)) >= posted)


@contextmanager
def acknowledging(engine: str) -> Iterator[Side]:
    """Give Parley that stores and acknowledges, with nobody to work it off."""
    with ENGINES[engine]() as store, parley(ONE, store.directory, database_url=store.url) as server:
        yield Side(server.port, [server.pid, *store.server_pids], store=store)


@contextmanager
def answering(engine: str, workers: int = 1) -> Iterator[Side]:
    """Give Parley as deployed on this engine: SQLite with its inline worker, PostgreSQL with so many `flask worker`."""
    with ENGINES[engine]() as store, slow_api(LATENCY) as api, ExitStack() as stack:
        environment = parley_environment(store.directory, api.url, database_url=store.url)
        inline = "on" if store.is_sqlite else "off"
        server = stack.enter_context(parley(ONE, store.directory, api.url, inline, database_url=store.url))
        pids = [server.pid, *store.server_pids]
        for number in range(0 if store.is_sqlite else workers):
            pids.append(stack.enter_context(worker(environment, store.directory, f"worker-{number}.log")))
        time.sleep(SETTLE_SECONDS)
        yield Side(server.port, pids, lambda posted: not _unfinished(store), store)


def _unfinished(store: Store) -> int:
    with store.connection() as database:
        return int(database.execute(_UNFINISHED).scalar_one())
