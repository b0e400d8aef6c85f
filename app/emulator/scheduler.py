"""What is still to be done: a count of it that a test can wait for, and the one thread that does things later."""

import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable

TICK_SECONDS = 1.0
_log = logging.getLogger(__name__)


class Pending:
    """Counts webhook posts and receipts from the moment they are decided until they are done."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._count = 0

    def add(self, count: int = 1) -> None:
        """Note work that is now outstanding."""
        with self._changed:
            self._count += count

    def done(self, count: int = 1) -> None:
        """Note work that is finished or given up."""
        with self._changed:
            self._count -= count
            if self._count <= 0:
                self._changed.notify_all()

    def count(self) -> int:
        """Return how much is outstanding now."""
        with self._changed:
            return self._count

    def settle(self, timeout: float) -> bool:
        """Wait until nothing is outstanding; return False when `timeout` seconds were not enough."""
        deadline = time.monotonic() + timeout
        with self._changed:
            while self._count > 0:
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                self._changed.wait(left)
        return True


class Scheduler:
    """Runs short functions after a delay; each counts as outstanding until it has run or was dropped."""

    def __init__(self, pending: Pending, on_tick: Callable[[], None]) -> None:
        self._pending = pending
        self._on_tick = on_tick
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._changed = threading.Condition()
        threading.Thread(target=self._run, name="emulator-scheduler", daemon=True).start()

    def after(self, seconds: float, task: Callable[[], None]) -> None:
        """Do `deed` on the scheduler's thread, `seconds` from now."""
        self._pending.add()
        with self._changed:
            heapq.heappush(self._heap, (time.monotonic() + seconds, next(self._order), task))
            self._changed.notify()

    def clear(self) -> None:
        """Forget everything that was still to be done."""
        with self._changed:
            dropped, self._heap = len(self._heap), []
        self._pending.done(dropped)

    def _run(self) -> None:
        next_tick = time.monotonic() + TICK_SECONDS
        while True:
            task = self._next_task(next_tick)
            if task:
                self._do(task)
                self._pending.done()
            if time.monotonic() >= next_tick:
                self._do(self._on_tick)
                next_tick = time.monotonic() + TICK_SECONDS

    def _next_task(self, until: float) -> Callable[[], None] | None:
        with self._changed:
            while True:
                now = time.monotonic()
                if self._heap and self._heap[0][0] <= now:
                    return heapq.heappop(self._heap)[2]
                if now >= until:
                    return None
                self._changed.wait(min(until, self._heap[0][0] if self._heap else until) - now)

    def _do(self, task: Callable[[], None]) -> None:
        try:
            task()
        except Exception:  # noqa: BLE001  one bad deed must not end the thread
            _log.exception("emulator.task_failed")
