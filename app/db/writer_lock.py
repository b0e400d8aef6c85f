"""A fair lock for the threads and processes of one machine that write to one SQLite file; knows nothing of SQL.

SQLite's own busy handler sleeps for longer and longer and is unfair: under load a process waits for
seconds while another writes again and again. Here those with priority (who answer Twilio) go first, in whatever
process: of each process one waits right behind the writer (`.queue`). All others (who work the inbox off) wait in a
line of their own (`.patient`); the first of it writes when nobody with priority waits, and after PATIENCE_SECONDS waits
among those with priority, so that no load can stop it.
"""

from __future__ import annotations

import fcntl
import math
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from app.db.faults import LOCKED, Fault
from app.db.replaced_file import FileWatch

PATIENCE_SECONDS = 0.05
_PAUSE_SECONDS = 0.0001  # between two looks at a lock that another process holds
LEAST_SECONDS = 0.1  # what was sent when the time was up may still be answered


class _Thread(threading.local):
    ends_at: float | None = None


_this_thread = _Thread()


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Let all that the block does with the database take no longer than this in all; math.inf: what it needs."""
    before, _this_thread.ends_at = _this_thread.ends_at, time.monotonic() + seconds
    try:
        yield
    finally:
        _this_thread.ends_at = before


def time_left(unless_limited: float) -> float | None:
    """Return how many seconds this thread may wait now for a server, a lock or a turn; None: any number."""
    ends_at = _this_thread.ends_at
    if ends_at is None:
        return unless_limited
    return None if ends_at == math.inf else max(LEAST_SECONDS, ends_at - time.monotonic())


class LockTimeout(Exception):
    """The lock was not free within the time; nothing was written."""

    def __init__(self, words: str) -> None:
        super().__init__(words)
        self.fault = Fault(words, LOCKED)


class WriterLock:
    """A lock over threads and processes. The files are opened when it is first acquired, so after a fork."""

    def __init__(self, database: Path) -> None:
        self._writer, self._next, self._line = (
            _LockFile(database.with_name(database.name + ending)) for ending in (".lock", ".queue", ".patient")
        )
        self._file = FileWatch(database)
        self._here = threading.Lock()  # held by the thread that writes
        self._line_here = threading.Lock()
        self._priority = 0  # threads that wait here
        self._counting = threading.Lock()

    def acquire(self, timeout_seconds: float, *, priority: bool = False) -> None:
        """Return when the lock is ours; raise LockTimeout after `timeout_seconds`, or FileReplaced."""
        deadline = time.monotonic() + timeout_seconds
        if priority:
            self._acquire_with_priority(deadline)
        else:
            self._acquire_in_line(deadline)
        try:
            self._file.begin_write()
        except BaseException:
            self._release()
            raise

    def release(self) -> None:
        """Give the lock back."""
        with suppress(OSError):
            self._file.end_write()
        self._release()

    def _release(self) -> None:
        self._writer.unlock()
        self._here.release()

    def close(self) -> None:
        """Close the lock files; acquiring it opens them again."""
        for file in (self._writer, self._next, self._line):
            file.close()
        self._file.close()

    def _acquire_with_priority(self, deadline: float) -> None:
        self._count(1)
        try:
            _acquire(self._here, deadline)
            try:
                self._next.lock(deadline)
                try:
                    self._writer.lock(deadline)
                finally:
                    self._next.unlock()
            except BaseException:
                self._here.release()
                raise
        finally:
            self._count(-1)

    def _acquire_in_line(self, deadline: float) -> None:
        _acquire(self._line_here, deadline)
        try:
            self._line.lock(deadline)
            try:
                waits_until = min(deadline, time.monotonic() + PATIENCE_SECONDS)
                while not self._acquire_if_free():
                    if time.monotonic() > waits_until:
                        return self._acquire_with_priority(deadline)
                    time.sleep(_PAUSE_SECONDS)
            finally:
                self._line.unlock()
        finally:
            self._line_here.release()

    def _acquire_if_free(self) -> bool:
        """Take the lock if nobody writes and nobody with priority waits, here or in another process."""
        if self._priority or not self._here.acquire(blocking=False):
            return False
        taken = False
        try:
            if self._next.try_lock():
                try:
                    taken = self._writer.try_lock()
                finally:
                    self._next.unlock()
        finally:
            if not taken:
                self._here.release()
        return taken

    def _count(self, more: int) -> None:
        with self._counting:
            self._priority += more


def _acquire(lock: threading.Lock, deadline: float) -> None:
    if not lock.acquire(timeout=max(0.0, deadline - time.monotonic())):
        raise LockTimeout("other threads have been writing for too long")


class _LockFile:
    """A file that one process at a time can lock; the dead hold nothing. Used by one thread at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: int | None = None

    def try_lock(self) -> bool:
        if self._file is None:
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def lock(self, deadline: float) -> None:
        while not self.try_lock():
            if time.monotonic() > deadline:
                raise LockTimeout("another process of Parley has been writing for too long")
            time.sleep(_PAUSE_SECONDS)

    def unlock(self) -> None:
        if self._file is not None:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None
