"""Lets the threads and processes of one machine write to one SQLite file in turn; knows nothing of SQL.

SQLite's own busy handler sleeps for longer and longer and is unfair: under load a process waits for
seconds while another writes again and again. Here a process that waits holds the place behind the
writer, so two processes alternate; and within a process the urgent (who answer Twilio) and the patient
(who work the inbox off) alternate, so that many workers cannot hold up an answer.
"""

from __future__ import annotations

import fcntl
import os
import threading
import time
from pathlib import Path

_PAUSE_SECONDS = 0.0001  # between two looks at a lock that another process holds


class TurnNotGiven(Exception):
    """No turn within the time; nothing was written."""


class Turns:
    """A lock over threads and processes. The files are opened at the first turn, so after a fork."""

    def __init__(self, database: Path) -> None:
        self._paths = [database.with_name(database.name + ending) for ending in (".queue", ".lock")]
        self._threads = _Alternating()
        self._files: tuple[int, int] | None = None

    def take(self, timeout_seconds: float, *, urgent: bool = False) -> None:
        """Return when it is our turn; raise TurnNotGiven after `timeout_seconds`."""
        deadline = time.monotonic() + timeout_seconds
        if not self._threads.acquire(timeout_seconds, urgent):
            raise TurnNotGiven(f"other threads have been writing for {timeout_seconds} s")
        try:
            queue, writer = self._open()
            _lock(queue, deadline)
            try:
                _lock(writer, deadline)
            finally:
                fcntl.flock(queue, fcntl.LOCK_UN)
        except BaseException:
            self._threads.release()
            raise

    def give_back(self) -> None:
        """End our turn."""
        assert self._files is not None
        fcntl.flock(self._files[1], fcntl.LOCK_UN)
        self._threads.release()

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


class _Alternating:
    """A lock for threads of two kinds; while both kinds wait, they get it by turns."""

    def __init__(self) -> None:
        lock = threading.Lock()
        self._free = {urgent: threading.Condition(lock) for urgent in (True, False)}
        self._waiting = {True: 0, False: 0}
        self._held = False
        self._next = True  # the kind whose turn it is, where both wait

    def acquire(self, timeout_seconds: float, urgent: bool) -> bool:
        with self._free[urgent]:
            self._waiting[urgent] += 1
            try:
                got = self._free[urgent].wait_for(lambda: self._may_have(urgent), timeout_seconds)
            finally:
                self._waiting[urgent] -= 1
            if got:
                self._held, self._next = True, not urgent
            else:
                self._call_next()  # who waited for us to go first
            return got

    def release(self) -> None:
        with self._free[True]:
            self._held = False
            self._call_next()

    def _may_have(self, urgent: bool) -> bool:
        return not self._held and (self._next == urgent or not self._waiting[not urgent])

    def _call_next(self) -> None:
        kind = self._next if self._waiting[self._next] else not self._next
        self._free[kind].notify()
