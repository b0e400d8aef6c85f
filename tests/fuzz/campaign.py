"""Sends many requests from several processes, each to an app of its own, and counts what came back."""

import multiprocessing
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from pathlib import Path
from random import Random

from tests.fuzz import mutations
from tests.fuzz.shots import Shot
from tests.fuzz.target import Target, keep_faults, target_app
from tests.torture.places import memory

TELL_SECONDS = 1.0
WORKED_OFF = 100  # events after each second of sending; the others are only stored and read
FRESH_AFTER = 50_000  # inputs: then a new database, so that a long run does not fill the disk


@dataclass(frozen=True)
class Batch:
    """What came back since the last one; a failure is the input's number, what was wrong, and the shot."""

    statuses: Counter[int] = field(default_factory=Counter)
    failures: tuple[tuple[int, str, Shot], ...] = ()
    slowest_seconds: float = 0.0


def results(*, seed: int, seconds: float, inputs: int, jobs: int) -> Iterator[Batch]:
    """Give what comes back, until that many seconds (0: no limit) or inputs (0: no limit) are over."""
    context = multiprocessing.get_context("spawn")
    with ExitStack() as stack:
        running = []
        for n in range(jobs):
            ours, theirs = context.Pipe()
            job = context.Process(target=_work, args=(theirs, seed, n, jobs, seconds, inputs))
            job.start()
            theirs.close()
            stack.callback(job.join)
            running.append(stack.enter_context(closing(ours)))
        yield from _listen(running)


def _listen(running: list[Connection]) -> Iterator[Batch]:
    while running:
        for job in wait(running):
            assert isinstance(job, Connection)
            batch = job.recv()  # EOFError: the job has failed, and said why
            if batch is None:
                running.remove(job)
            else:
                yield batch


def _work(told: Connection, seed: int, first: int, step: int, seconds: float, inputs: int) -> None:
    """Send the inputs first, first + step, ... and tell of them every second; None at the end."""
    started = time.monotonic()
    number = first
    with tempfile.TemporaryDirectory(prefix="parley-fuzz-", dir=memory(), ignore_cleanup_errors=True) as folder:
        while not _is_over(started, number, seconds, inputs):
            with target_app(Path(folder)) as target:
                keep_faults(target.faults)
                stop = number + FRESH_AFTER * step
                while number < stop and not _is_over(started, number, seconds, inputs):
                    limit = min(stop, inputs or stop)
                    number, batch = _send_some(target, seed, range(number, limit, step), started + (seconds or 1e9))
                    told.send(batch)
    told.send(None)


def _is_over(started: float, number: int, seconds: float, inputs: int) -> bool:
    return bool((seconds and time.monotonic() - started >= seconds) or (inputs and number >= inputs))


def _send_some(target: Target, seed: int, numbers: range, until: float) -> tuple[int, Batch]:
    """Send inputs for a second; return the number of the next one, and what came back."""
    until = min(until, time.monotonic() + TELL_SECONDS)
    statuses: Counter[int] = Counter()
    failures = []
    slowest = 0.0
    number = numbers.start
    for number in numbers:
        shot = mutations.draw(seed, number)
        seen = target.take(shot)
        statuses[seen.status] += 1
        slowest = max(slowest, seen.seconds)
        if seen.wrong:
            failures.append((number, seen.wrong, shot))
        if time.monotonic() >= until:
            break
    failures += [(number, wrong, shot) for wrong, shot in target.work(WORKED_OFF)]
    return number + numbers.step, Batch(statuses, tuple(failures), slowest)


def some_number(seed: int) -> int:
    """Return a seed, drawn when none is given."""
    return seed or Random().randrange(1, 2**31)
