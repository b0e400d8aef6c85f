"""What the endpoint wants to have told: that it refuses many webhooks, that it could store none for a while.

Both are written down beside the requests, by threads that no answer waits for; whoever sends looks up who is to know.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime

from app.db.database import Database, DatabaseUnavailable
from app.notify.recording import NotificationCause, Recorder

MANY, WITHIN_SECONDS = 20, 300.0  # refused webhooks of one process
TRY_EVERY_SECONDS = 2.0  # to write down what could not be stored

log = logging.getLogger("parley.webhooks")


class RejectionAlarm:
    """Counts refused webhooks; above a rate it is written down, once in five minutes for all processes."""

    def __init__(self, db: Database, recorder: Recorder) -> None:
        self._db, self._recorder = db, recorder
        self._lately: deque[tuple[float, int]] = deque()
        self._not_before = 0.0

    def count(self, count: int, reason: str) -> None:
        """Count so many refused webhooks; called in the thread that explains them."""
        now = time.monotonic()
        self._lately.append((now, count))
        while self._lately[0][0] < now - WITHIN_SECONDS:
            self._lately.popleft()
        number = sum(one for _, one in self._lately)
        if number < MANY or now < self._not_before:
            return
        self._not_before = now + WITHIN_SECONDS
        told = f"{number} within {WITHIN_SECONDS / 60:.0f} minutes, the last one for: {reason}"
        try:
            with self._db.write() as tx:
                at = self._db.now(tx)
                key = f"rejected {int(at.timestamp() // WITHIN_SECONDS)}"
                cause = NotificationCause("rejected_signatures", key, told, "/refusals", facts={"count": number})
                self._recorder.record_unrouted(tx, cause, at)
        except DatabaseUnavailable as unavailable:
            log.warning("notify.alarm_not_recorded", extra={"reason": str(unavailable)})


class StorageAlarm:
    """Counts webhooks that were answered 503, and writes it down as soon as something can be stored again."""

    def __init__(self, db: Database, recorder: Recorder, *, pause: Callable[[float], object] = time.sleep) -> None:
        self._db, self._recorder, self._pause = db, recorder, pause
        self._lock = threading.Lock()
        self._count = 0
        self._began = datetime.now(UTC)

    def count(self) -> None:
        """Count one; the first begins a thread that waits for storage to work."""
        with self._lock:
            self._count += 1
            if self._count > 1:
                return
            self._began = datetime.now(UTC)
        threading.Thread(target=self._tell, name="storage-alarm", daemon=True).start()

    def _tell(self) -> None:
        while not self._is_written_down():
            self._pause(TRY_EVERY_SECONDS)

    def _is_written_down(self) -> bool:
        try:
            with self._db.write() as tx:
                at, number = self._db.now(tx), self._count
                span = f"{self._began:%H:%M:%S} to {at:%H:%M:%S} UTC"
                told = f"{number} were answered 503 from {span}; `flask reconcile` fetches what is missing"
                key = f"not stored {os.getpid()} {self._began.isoformat()}"
                cause = NotificationCause("storage_refusals", key, told, facts={"count": number})
                self._recorder.record_unrouted(tx, cause, at)
        except DatabaseUnavailable:
            return False
        with self._lock:
            self._count = max(0, self._count - number)
            if self._count:
                self._began = datetime.now(UTC)
        return self._count == 0
