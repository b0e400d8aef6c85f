"""Two web and two worker processes, one of each frozen and thawed at random, for longer than a lease and for less.

`KILL_SECONDS` in the environment says for how long; a minute unless set. What is frozen at its end is thawed first.
"""

import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from sqlalchemy import func, select

from app.db.tables import inbox
from app.inbox.leases import LEASE_SECONDS
from tests.support.eventually import eventually
from tests.support.running_service import Service
from tests.support.steady_load import RULES, answered, steady_load

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
KILL_SECONDS = float(os.environ.get("KILL_SECONDS", "60"))
SEED = 20261129


@pytest.fixture
def service(environ: dict[str, str], tmp_path: Path) -> Iterator[Service]:
    (tmp_path / "echo.toml").write_text(RULES)
    environ = {**environ, "BOT_INLINE_WORKER": "off", "BOT_RULES": str(tmp_path / "echo.toml")}
    service = Service(environ, tmp_path / "log", workers=2)
    for name in service.names:
        service.start(name)
    assert service.db.is_sqlite or eventually(lambda: service.log_text().count("wakeups.listening") == 2, seconds=30)
    assert eventually(lambda: len(service.children("web")) == 2, seconds=30)
    yield service
    service.close()


def test_of_two_web_and_two_worker_processes_one_of_each_frozen_at_random_doubles_and_loses_nothing(service, emulator):
    emulator.faults(latency=0.3)
    with steady_load(emulator, service.url, customers=20, pause=1.0) as load:
        assert eventually(lambda: service.stats()["processed"] > 20, seconds=60)
        with freezing(a_worker(service)) as workers_frozen, freezing(a_web_process(service)) as web_frozen:
            time.sleep(KILL_SECONDS)

    assert service.drains(load.count, seconds=240), outcomes(service)
    assert service.stats()["dead"] == 0
    assert answered(emulator) == load.written  # none lost, none twice, each conversation in its order
    assert max(workers_frozen) > LEASE_SECONDS
    assert web_frozen
    assert taken_over(service) > 0


def a_worker(service: Service) -> Callable[[random.Random], int]:
    return lambda die: service.processes[die.choice(["worker 1", "worker 2"])].pid


def a_web_process(service: Service) -> Callable[[random.Random], int]:
    return lambda die: die.choice(service.children("web"))


@contextmanager
def freezing(choose: Callable[[random.Random], int]) -> Iterator[list[float]]:
    """Freeze one process and thaw it, again and again, first for longer than a lease; gives for how many seconds."""
    die, stop, frozen = random.Random(SEED), threading.Event(), []

    def freeze() -> None:
        lengths = [LEASE_SECONDS + 3.0]
        while lengths:
            process, seconds = choose(die), lengths.pop()
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGSTOP)
                try:
                    began = time.monotonic()
                    time.sleep(seconds)
                    frozen.append(time.monotonic() - began)
                finally:
                    os.kill(process, signal.SIGCONT)
            if not stop.wait(die.uniform(0.1, 1.0)):
                lengths.append(die.choice([die.uniform(0.1, 2.0), die.uniform(LEASE_SECONDS, LEASE_SECONDS + 5)]))

    thread = threading.Thread(target=freeze)
    thread.start()
    try:
        yield frozen
    finally:
        stop.set()
        thread.join()


def outcomes(service: Service) -> list[tuple[str, str, int]]:
    """Return how many events are in which state for which reason, most first."""
    counted = select(inbox.c.state, inbox.c.outcome, func.count()).group_by(inbox.c.state, inbox.c.outcome)
    with service.db.read() as tx:
        return [
            (state, outcome, count)
            for state, outcome, count in tx.execute(counted.order_by(func.count().desc()).limit(20))
        ]


def taken_over(service: Service) -> int:
    """Return how many events another worker has taken over."""
    with service.db.read() as tx:
        return tx.scalar(select(func.count()).where(inbox.c.attempts > 1)) or 0
