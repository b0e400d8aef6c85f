"""One thread that does things later: receipts, delayed posts, and a look at the timers every second."""

import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable

from app.emulator.pending import Pending

TICK_SECONDS = 1.0
_log = logging.getLogger(__name__)


class Scheduler:
    """Runs short functions after a delay; each counts as outstanding until it has run or was dropped."""

    def __init__(self, pending: Pending, on_tick: Callable[[], None]) -> None:
        self._pending = pending
        self._on_tick = on_tick
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._changed = threading.Condition()
        threading.Thread(target=self._run, name="emulator-scheduler", daemon=True).start()

    def after(self, seconds: float, deed: Callable[[], None]) -> None:
        """Do `deed` on the scheduler's thread, `seconds` from now."""
        self._pending.add()
        with self._changed:
            heapq.heappush(self._heap, (time.monotonic() + seconds, next(self._order), deed))
            self._changed.notify()

    def clear(self) -> None:
        """Forget everything that was still to be done."""
        with self._changed:
            dropped, self._heap = len(self._heap), []
        self._pending.done(dropped)

    def _run(self) -> None:
        next_tick = time.monotonic() + TICK_SECONDS
        while True:
            deed = self._next_deed(next_tick)
            if deed:
                self._do(deed)
                self._pending.done()
            if time.monotonic() >= next_tick:
                self._do(self._on_tick)
                next_tick = time.monotonic() + TICK_SECONDS

    def _next_deed(self, until: float) -> Callable[[], None] | None:
        with self._changed:
            while True:
                now = time.monotonic()
                if self._heap and self._heap[0][0] <= now:
                    return heapq.heappop(self._heap)[2]
                if now >= until:
                    return None
                self._changed.wait(min(until, self._heap[0][0] if self._heap else until) - now)

    def _do(self, deed: Callable[[], None]) -> None:
        try:
            deed()
        except Exception:  # noqa: BLE001  one bad deed must not end the thread
            _log.exception("the emulator's scheduler could not finish a deed")
