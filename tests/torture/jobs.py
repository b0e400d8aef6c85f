"""Plays schedules in several processes at once, each with an emulator and databases of its own."""

import logging
import multiprocessing
import os
import signal
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from pathlib import Path

from app.emulator.client import Emulator
from tests.torture.installation import Installation, install
from tests.torture.places import memory, new_database, start_postgresql
from tests.torture.playing import play, rehearse
from tests.torture.schedules import Schedule, draw
from tests.torture.verdict import faults_in


@dataclass(frozen=True)
class Result:
    """What became of one schedule."""

    number: int
    database: str
    faults: tuple[str, ...]
    story: tuple[str, ...]
    ended: Counter[str] = field(default_factory=Counter)
    places: frozenset[str] = frozenset()
    deeds: Counter[str] = field(default_factory=Counter)
    messages: int = 0
    webhooks: int = 0
    seconds: float = 0.0


def results(numbers: Sequence[int], *, seed: int, jobs: int, postgresql: str = "") -> Iterator[Result]:
    """Give the results of the schedules with these numbers as they come; starts a PostgreSQL unless one is given."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="parley-torture-", dir=memory())))
        server = postgresql or start_postgresql(stack)
        running = [_start_job(stack, server, folder / f"job-{n}", seed) for n in range(min(jobs, len(numbers)))]
        yield from _deal(running, list(reversed(numbers)))


def _start_job(stack: ExitStack, server: str, folder: Path, seed: int) -> Connection:
    emulator = stack.enter_context(Emulator.start_set_up(receipt_delay=0.002))
    postgresql = new_database(server, f"torture_{os.getpid()}_{folder.name[4:]}", stack)
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    job = context.Process(target=_work, args=(theirs, seed, emulator.url, folder, postgresql))
    job.start()
    theirs.close()
    stack.callback(job.join)
    stack.enter_context(closing(ours))  # before the join: it ends the job
    return ours


def _deal(jobs: Sequence[Connection], numbers: list[int]) -> Iterator[Result]:
    busy = {job for job in jobs if _give(job, numbers)}
    while busy:
        for job in wait(list(busy)):
            assert isinstance(job, Connection)
            yield job.recv()  # EOFError: the job has failed, and said why
            if not _give(job, numbers):
                busy.remove(job)


def _give(job: Connection, numbers: list[int]) -> bool:
    if numbers:
        job.send(numbers.pop())
        return True
    return False


def _work(orders: Connection, seed: int, emulator_url: str, folder: Path, postgresql: str) -> None:
    """Play the schedules whose numbers come, one after the other; this process has one thread, so that it may fork."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who gave the orders ends us
    emulator = Emulator(emulator_url)
    installations = {
        "sqlite": install(emulator_url, folder / "sqlite"),
        "postgresql": install(emulator_url, folder / "postgresql", postgresql),
    }
    logging.getLogger("parley").handlers[:] = [logging.NullHandler()]  # each forked process has a file of its own
    for installation in installations.values():
        rehearse(installation, emulator)
    with suppress(EOFError, ConnectionError):  # no more orders
        while True:
            schedule = draw(seed, orders.recv())
            orders.send(_result(schedule, installations[schedule.database], emulator))


def _result(schedule: Schedule, installation: Installation, emulator: Emulator) -> Result:
    played = play(schedule, installation, emulator)
    faults = tuple(faults_in(played, installation.url, emulator))
    story = (*played.story, *(installation.log.read_text().splitlines() if faults else ()))
    return Result(
        schedule.number,
        schedule.database,
        faults,
        story,
        played.ended,
        frozenset(played.places),
        played.deeds,
        len(played.sids),
        played.webhooks,
        played.seconds,
    )
