"""A deadline of the current thread for storage: whatever waits for a server or a lock asks here for how long."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

LEAST_SECONDS = 0.1  # what was sent when the time was up may still be answered


class _Thread(threading.local):
    at: float | None = None


_this_thread = _Thread()


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Let all that the block does with the database take no longer than this in all; math.inf: what it needs."""
    before, _this_thread.at = _this_thread.at, time.monotonic() + seconds
    try:
        yield
    finally:
        _this_thread.at = before


def left(unless_said: float) -> float | None:
    """Return how many seconds a wait that begins now may take, `unless_said` otherwise; None: any number."""
    at = _this_thread.at
    if at is None:
        return unless_said
    return None if at == math.inf else max(LEAST_SECONDS, at - time.monotonic())
