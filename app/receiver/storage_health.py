"""This process's view of its storage: when it last stored something, why it cannot, and the thread that finds out."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from app.db.database import DatabaseUnavailable

FRESH_SECONDS = 2.0  # what was stored so recently says that storage works
UNASKED_SECONDS = 10.0  # then nobody wants to know whether it works again
MOST_FAILED = 16  # of the items that could not be stored, enough to try as much

log = logging.getLogger("parley.webhooks")
Item = TypeVar("Item")


class StorageHealth(Generic[Item]):
    """One process's view: whoever writes updates it, many threads read it; while storage fails one thread probes it."""

    def __init__(self, watch: Callable[[], None]) -> None:
        self.failure: DatabaseUnavailable | None = None
        self.failed_items: Sequence[Item] = ()
        self.one_asks = threading.Lock()
        self._watch = watch
        self._lock = threading.Lock()
        self._watcher: threading.Thread | None = None
        self._works_again = threading.Event()
        self._stored_at = self._asked_at = float("-inf")

    def is_fresh(self) -> bool:
        """Return whether something was stored just now, and nothing has failed since."""
        return self.failure is None and time.monotonic() < self._stored_at + FRESH_SECONDS

    def watched_failure(self) -> DatabaseUnavailable | None:
        """Return what is wrong while somebody finds out whether it still is; asking keeps them at it."""
        self.record_asked()
        return self.failure if self._watcher else None

    def record_asked(self) -> None:
        """Remember that somebody wants to know."""
        self._asked_at = time.monotonic()

    def record_stored(self) -> None:
        """Storage has taken something."""
        self._stored_at = time.monotonic()
        if self.failure:
            self.failure = None
            self._works_again.set()
            log.warning("storage.recovered")

    def record_failed(self, failure: DatabaseUnavailable, items: Sequence[Item]) -> None:
        """Storage took nothing of these items; see to it that somebody watches it."""
        with self._lock:
            self.failure = failure
            self.failed_items = items[:MOST_FAILED] or self.failed_items
            if not self._watcher:
                self.record_asked()
                self._works_again.clear()
                self._watcher = threading.Thread(target=self._watch, name="storage-watch", daemon=True)
                self._watcher.start()

    def is_to_be_tried(self, pause_seconds: float) -> bool:
        """Wait, or until it works again; return whether the watching thread shall try, else it is dismissed."""
        self._works_again.wait(pause_seconds)
        with self._lock:
            is_wanted = time.monotonic() < self._asked_at + UNASKED_SECONDS
            if self.failure and is_wanted:
                self._works_again.clear()
                return True
            self._watcher = None
            return False
