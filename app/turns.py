"""Lets the threads and processes of one machine write to one SQLite file in turn; knows nothing of SQL.

SQLite's own busy handler sleeps for longer and longer and is unfair: under load a process waits for
seconds while another writes again and again. Here a process that waits holds the place behind the
writer, so two processes alternate.
"""

from __future__ import annotations

import fcntl
import os
import threading
import time
from pathlib import Path

_PAUSE_SECONDS = 0.0003  # between two looks at a lock that another process holds


class TurnNotGiven(Exception):
    """No turn within the time; nothing was written."""


class Turns:
    """A lock over threads and processes. The files are opened at the first turn, so after a fork."""

    def __init__(self, database: Path) -> None:
        self._paths = [database.with_name(database.name + ending) for ending in (".queue", ".lock")]
        self._mine = threading.Lock()
        self._files: tuple[int, int] | None = None

    def take(self, timeout_seconds: float) -> None:
        """Return when it is our turn; raise TurnNotGiven after `timeout_seconds`."""
        deadline = time.monotonic() + timeout_seconds
        if not self._mine.acquire(timeout=timeout_seconds):
            raise TurnNotGiven(f"another thread has been writing for {timeout_seconds} s")
        try:
            queue, writer = self._open()
            _lock(queue, deadline)
            try:
                _lock(writer, deadline)
            finally:
                fcntl.flock(queue, fcntl.LOCK_UN)
        except BaseException:
            self._mine.release()
            raise

    def give_back(self) -> None:
        """End our turn."""
        assert self._files is not None
        fcntl.flock(self._files[1], fcntl.LOCK_UN)
        self._mine.release()

    def close(self) -> None:
        """Close the lock files; the next turn opens them again."""
        for file in self._files or ():
            os.close(file)
        self._files = None

    def _open(self) -> tuple[int, int]:
        if self._files is None:
            queue, writer = (os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600) for path in self._paths)
            self._files = (queue, writer)
        return self._files


def _lock(file: int, deadline: float) -> None:
    while True:
        try:
            return fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise TurnNotGiven("another process has been writing for too long") from None
            time.sleep(_PAUSE_SECONDS)
