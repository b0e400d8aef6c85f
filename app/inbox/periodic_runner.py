"""A thread that does chores at their times, beside the worker; in one process at a time, see chores.py."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from app.db.database import Database, DatabaseUnavailable
from app.inbox import periodic
from app.inbox.periodic import Turn
from app.logs import fault
from app.twilio_api.errors import SendError

LONGEST_PAUSE_SECONDS = 60.0

log = logging.getLogger("parley.chores")
Wait = Callable[[float], bool]


@dataclass(frozen=True)
class Chore:
    """What is done every so often. `do` gets its turn, and a function that waits and says whether to stop."""

    name: str
    every: timedelta
    do: Callable[[Turn, Wait], str]


class Rounds:
    """Does the chores whose time has come until stopped. What stops in between goes on at the next time."""

    def __init__(self, db: Database, wanted: Sequence[Chore]) -> None:
        self._db, self._wanted = db, wanted
        self._stopping = threading.Event()
        shortest = min((chore.every.total_seconds() for chore in wanted), default=LONGEST_PAUSE_SECONDS)
        self._pause = min(LONGEST_PAUSE_SECONDS, max(0.2, shortest / 4))
        self._thread = threading.Thread(target=self._run, name="worker-chores", daemon=True)

    def start(self) -> None:
        """Start the thread and return; it looks for the first time after a pause, so that it holds up no start."""
        self._thread.start()

    def ask_to_stop(self) -> None:
        """Let no chore begin, and let the one that is done come to a stop."""
        self._stopping.set()

    def stop(self, timeout_seconds: float) -> bool:
        """Wait for the thread to end; return whether it did."""
        self.ask_to_stop()
        if self._thread.is_alive():
            self._thread.join(max(0.0, timeout_seconds))
        return not self._thread.is_alive()

    def _run(self) -> None:
        while not self._stopping.wait(self._pause):
            for chore in self._wanted:
                if not self._stopping.is_set():
                    self._try(chore)

    def _try(self, chore: Chore) -> None:
        try:
            turn = periodic.take(self._db, chore.name, every=chore.every)
            if turn is not None:
                log.info("done", extra={"chore": chore.name, "outcome": chore.do(turn, self._stopping.wait)})
        except periodic.LeaseLost as lost:
            log.warning("left to another process", extra={"chore": chore.name, "reason": str(lost)})
        except (DatabaseUnavailable, SendError) as error:
            log.error("not done", extra={"chore": chore.name, "reason": str(error)})
        except Exception as error:  # noqa: BLE001 - the other chores must still be done
            log.error("fault", extra={"chore": chore.name, "fault": fault(error)})
