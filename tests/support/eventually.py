"""Waiting in tests: look until it is so, with a deadline, instead of sleeping and hoping."""

import time
from collections.abc import Callable


def eventually(condition: Callable[[], object], *, seconds: float = 60.0, pause: float = 0.02) -> bool:
    """Return True as soon as the condition holds, False when it does not within the time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(pause)
    return True
