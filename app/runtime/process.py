"""Runtime: settings, database and, where one runs, the worker of this process."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from app.config import Settings
from app.db.database import Database
from app.twilio_api.client import CallCounts

if TYPE_CHECKING:
    from app.inbox.worker import Worker
    from app.rules.reload import WatchedRules

START_AGAIN_SECONDS = 1.0

log = logging.getLogger("parley")


@dataclass
class Runtime:
    """The parts of one process; create_app() puts them under app.extensions["parley"]."""

    settings: Settings
    db: Database
    worker: Worker | None = None
    rules: WatchedRules | None = None  # what the worker in this process answers by
    rest_calls: CallCounts = field(default_factory=CallCounts)
    said_nobody_works: bool = False
    no_worker_because: str = ""  # what keeps the worker of this process from starting
    stored: Callable[[], None] = field(
        init=False
    )  # to be told that a new event is on disk: the worker, if there is one

    def __post_init__(self) -> None:
        self.stored = self._say_once_that_nobody_works

    def _say_once_that_nobody_works(self) -> None:
        if self.settings.runs_inline_worker and not self.said_nobody_works:
            self.said_nobody_works = True
            hint = "this process stores events and works none off; start `flask worker`, or use gunicorn"
            log.warning("worker.missing", extra={"hint": hint})

    def record_start(self) -> None:
        """Let whoever reconciles know that this process has started, as soon as the database can be reached."""
        from app.inbox.periodic import until_it_works
        from app.reconcile.starting import Start

        step = Start(self.db).record
        threading.Thread(target=until_it_works, args=(step, threading.Event().wait), daemon=True).start()

    def start_worker(self) -> Worker:
        """Start a worker in this process; webhooks stored here wake it at once.

        Raises RulesError, ResponderError, OSError.
        """
        from app.runtime.from_settings import watch_rules
        from app.runtime.worker import make_worker  # brings along what answers: a process that only stores needs none

        self.rules = watch_rules(self.settings)
        self.worker = make_worker(self.settings, self.db, self.rules, self.rest_calls)
        self.worker.start()
        self.stored = self.worker.wake
        return self.worker

    def start_worker_when_possible(self) -> None:
        """Start the worker now or, while rules or responder cannot be used, as soon as they can.

        What they were at the start of the server passed; a process that takes another's place must not end with it:
        the server would stop as a whole, and webhooks can be stored without rules.
        """
        if not self._has_started():
            threading.Thread(target=self._try_to_start, name="worker-start", daemon=True).start()

    def _has_started(self) -> bool:
        try:
            self.start_worker()
        except (ValueError, OSError) as error:  # RulesError, ResponderError
            reason = str(error) if isinstance(error, ValueError) else type(error).__name__
            if reason != self.no_worker_because:
                log.error("worker.not_started", extra={"reason": reason})
            self.no_worker_because = reason
            return False
        self.no_worker_because = ""
        return True

    def _try_to_start(self) -> None:
        wait = threading.Event().wait
        while not wait(START_AGAIN_SECONDS):
            if self._has_started():
                return
