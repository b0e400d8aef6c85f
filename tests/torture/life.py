"""What one forked process does: posts webhooks to the app, works the inbox off, and is stopped in front of a step.

It writes to a pipe, one JSON list a line, what came of it; nobody else would know how far a dead process came.
"""

import json
import logging
import os
import random
import re
import signal
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, NoReturn

from flask import Flask

from app import logs
from app.db.database import DatabaseUnavailable
from app.inbox import admin, clock_steps
from app.inbox.leases import LeaseLost
from app.inbox.worker import Worker
from app.recordings.files import RecordedRequest
from app.runtime.process import Runtime
from app.twilio_api.bounded_http import Answer, BoundedHttp
from tests.support.hostile_requests import deliver
from tests.support.power_cuts import Step, telling_steps
from tests.torture.installation import Installation
from tests.torture.schedules import End

PATIENCE = 0.5  # seconds for an answer of Twilio's in place of 8: the time-outs of a thousand schedules take too long
STUCK_SECONDS = 60
SLEEP_SECONDS = 20.0  # more than a lease


@dataclass(frozen=True)
class Order:
    """A webhook to post, under a key that is told when it is acknowledged; `works`: then work on one event."""

    key: int
    request: RecordedRequest
    works: bool


@dataclass
class Steps:
    """The steps of this process, and in front of which of them something happens to it.

    `sleep` lets so many seconds pass, for everybody.
    """

    end: End
    tell: Callable[..., None]
    sleep: Callable[[float], None] = lambda _seconds: None
    count: int = 0
    count_there: int = 0  # of those that `end` counts
    places: set[str] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)
    doing: threading.local = field(default_factory=threading.local)

    def passed(self, step: Step) -> None:
        """Count a step, and let happen what shall in front of it; a request that leaves is told."""
        with self.lock:
            self.count += 1
            place = _place(step, getattr(self.doing, "what", "working"))
            if place.startswith(self.end.place):
                self.count_there += 1
                if self.count_there == self.end.n:
                    self._meet(place)
            self.places.add(place)
            if step.name in ("GET", "POST"):
                self.tell("asks")

    def _meet(self, place: str) -> None:
        self.tell(self.end.how, self.count, place)
        if self.end.how == "slept":
            self.sleep(SLEEP_SECONDS)
        else:
            os.kill(os.getpid(), signal.SIGSTOP if self.end.how == "frozen" else signal.SIGKILL)


def _place(step: Step, doing: str) -> str:
    table = re.search(r"\b(?:FROM|INTO|UPDATE)\s+(\w+)", step.statement)
    return f"{doing}: {step.name}" + (f" {table[1]}" if table else "")


def live(
    here: Installation, worker: Worker, orders: Sequence[Order], *, end: End, threads: int, seed: str, pipe: int
) -> NoReturn:
    """Do what there is to do, and end this process: with SIGKILL in front of a step, or when it is done."""

    def tell(*said: Any) -> None:
        os.write(pipe, json.dumps(said).encode() + b"\n")

    signal.alarm(STUCK_SECONDS)
    random.seed(seed)
    try:
        _log_to(str(here.log), tell)
        _lose_patience(tell)
        steps = Steps(end, tell, here.clock.advance)
        parley: Runtime = here.app.extensions["parley"]
        with telling_steps(parley.db.engine, steps.passed):
            work_through(here.app, worker, orders, steps, threads=threads)
        with parley.db.read() as tx:
            counts = admin.stats(tx, parley.db.now(tx))
        tell("done", steps.count, sorted(steps.places), counts)
    except DatabaseUnavailable as error:
        tell("unavailable", str(error))
    except BaseException as error:
        tell("fault", f"{type(error).__name__}: {error}")
    os._exit(0)


def work_through(app: Flask, worker: Worker, orders: Sequence[Order], steps: Steps, *, threads: int = 1) -> None:
    """Look at the clock, as whoever starts does, post the webhooks, and work off what is due."""
    clock_steps.Watch(app.extensions["parley"].db).look()
    _post_all(app, worker, orders, steps)
    _work_off(worker, threads)


def _post_all(app: Flask, worker: Worker, orders: Sequence[Order], steps: Steps) -> None:
    for order in orders:
        steps.doing.what = "arriving"
        status = deliver(app, order.request).status_code
        steps.passed(Step("answer"))
        steps.doing.what = "working"
        if status not in (204, 503):
            steps.tell("fault", f"a webhook was answered {status}")
        if status == 204:
            steps.tell("acknowledged", order.key)
        if order.works:
            worker.work_once()


def _work_off(worker: Worker, threads: int) -> None:
    """Work on all that is due; also on what the responder answers meanwhile, which stop() waits for."""
    worked = True
    while worked:
        if threads == 1:
            worked = _work(worker)
        else:
            with ThreadPoolExecutor(threads) as pool:
                worked = any(list(pool.map(_work, [worker] * threads)))
        worker.stop()


def _work(worker: Worker) -> bool:
    worked = False
    while worker.work_along():
        worked = True
    return worked


def _log_to(path: str, tell: Callable[..., None]) -> None:
    """Write the log to a file; what the app calls a fault is told, for it is one."""

    class Told(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.levelno >= logging.ERROR and hasattr(record, "error"):
                tell("fault", f"{record.getMessage()}: {record.error}")

    ours = logging.getLogger("parley")
    to_file = logging.FileHandler(path)
    to_file.setFormatter(logs.formatter("text"))
    ours.handlers[:] = [to_file, Told()]


def _lose_patience(tell: Callable[..., None]) -> None:
    request = BoundedHttp.request

    def requested(http: BoundedHttp, *args: Any, **options: Any) -> Answer:
        try:
            return request(http, *args, **options | {"timeout": (PATIENCE, PATIENCE)})
        except LeaseLost:
            tell("refrains")
            raise

    BoundedHttp.request = requested  # type: ignore[method-assign]
