"""What the emulator still has to do: a counter that a test can wait for, instead of sleeping."""

import threading
import time


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
