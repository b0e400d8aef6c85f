"""Notices that the SQLite file was replaced while it is in use: overwritten (`cp`) or renamed over (`mv`).

What the log (-wal) holds belongs to the old file; with the new one it makes a mixture. Only checkpoints write to the
file itself, and ours happen under the writer lock: whoever acquires it finds the file as its last holder left it.
What a checkpoint of another program wrote is known by the log's index (-shm), which it has moved on.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
import threading
import time
import zlib
from pathlib import Path
from typing import NamedTuple

from app.db.faults import OTHER, Fault

CHECKPOINT_SECONDS = 1.0  # for one of another program to come to its end
SAMPLED = 2 * 1024 * 1024  # bytes from each end of the file that are compared
_WORDS = (
    "the database file was replaced while Parley runs, and nothing more is stored: stop all its processes, put the "
    "right file in place without the -wal and -shm beside it, and start again"
)
_STATE = struct.Struct("<?QQqQI12s")
# Where the log's index says what was checkpointed: the salts of the log, and how many frames.
# Source: sqlite.org/walformat.html, "The WAL-Index File Format" (read 2026-11-29)
_SALTS, _BACKFILLED = 32, 96
_NO_LOG = bytes(8)  # the salts before the first commit after a first connection


_Looks = tuple[int, int, int, int]  # device, inode, when it was changed, size


class FileReplaced(OSError):
    """The file is not the one that the last holder of the writer lock left."""

    fault = Fault(_WORDS, OTHER)

    def __init__(self) -> None:
        super().__init__(_WORDS)


class _State(NamedTuple):
    """The file as a writer left it; `is_writing` while one holds the lock, and it stays so when they die meanwhile."""

    is_writing: bool
    looks: _Looks
    sample: int
    log: bytes


class FileWatch:
    """Compares the file, as the writer lock is acquired, with what its last holder stored in a file beside the lock."""

    def __init__(self, database: Path) -> None:
        self._database = database
        self._index = database.with_name(database.name + "-shm")
        self._state_path = database.with_name(database.name + ".state")
        self._state_file: int | None = None
        self._last: _State | None = None
        self._replaced: _Looks | None = None

    def begin_write(self) -> None:
        """Raise FileReplaced when the file is another one, or overwritten. Call it with the lock held."""
        looks = _looks(self._database)
        stored = self._read_state()
        if looks and stored and stored.looks != looks and not stored.is_writing and self._is_replaced(stored, looks):
            raise FileReplaced
        self._last = stored if stored and stored.looks == looks else None
        if self._state_file is not None:
            os.pwrite(self._state_file, b"\x01", 0)

    def end_write(self) -> None:
        """Store what the file is now."""
        looks = _looks(self._database)
        if self._state_file is None or looks is None:
            return
        if self._last and self._last.looks == looks:
            os.pwrite(self._state_file, b"\x00", 0)
            return
        with contextlib.suppress(OSError):
            os.pwrite(self._state_file, _STATE.pack(False, *looks, self._sample(), self._checkpointed()), 0)

    def close(self) -> None:
        """Let go of the files; call it when no connection is open any more."""
        if self._state_file is not None:
            os.close(self._state_file)
            self._state_file = None
            for path in (self._database, self._index):
                _kept_open.let_go(path)

    def _is_replaced(self, stored: _State, looks: _Looks) -> bool:
        if looks == self._replaced:
            return True
        if (
            stored.log[:8] == _NO_LOG
        ):  # whoever then closed the last connection, whoever held the lock, may have written
            return False
        until = time.monotonic() + CHECKPOINT_SECONDS
        while self._checkpointed() == stored.log:
            is_same_file = (looks[0], looks[1], looks[3]) == (stored.looks[0], stored.looks[1], stored.looks[3])
            if is_same_file and self._sample() == stored.sample:
                return False
            if time.monotonic() > until:
                self._replaced = looks
                return True
            time.sleep(0.02)
        return False

    def _read_state(self) -> _State | None:
        if self._state_file is None:
            self._state_file = self._open_state_file()
        raw = os.pread(self._state_file, _STATE.size, 0)
        if len(raw) < _STATE.size:
            return None
        is_writing, *looks, sample, log = _STATE.unpack(raw)
        return _State(is_writing, tuple(looks), sample, log)

    def _open_state_file(self) -> int:
        """Open the state for as long as we use the database; whoever is the only one to use it begins anew."""
        file = os.open(self._state_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(file, 0)
        except BlockingIOError:
            pass
        fcntl.flock(file, fcntl.LOCK_SH)
        for path in (self._database, self._index):
            _kept_open.take(path)
        return file

    def _checkpointed(self) -> bytes:
        """Return what changes with each checkpoint, b"" when it is not known."""
        file = _kept_open.file(self._index)
        return b"" if file is None else os.pread(file, 8, _SALTS) + os.pread(file, 4, _BACKFILLED)

    def _sample(self) -> int:
        file = _kept_open.file(self._database)
        if file is None:
            return 0
        size = os.fstat(file).st_size
        start = zlib.crc32(os.pread(file, SAMPLED, 0))
        return zlib.crc32(os.pread(file, SAMPLED, max(0, size - SAMPLED)), start)


class _KeptOpen:
    """Files that stay open while anybody here uses them: closing one ends the locks of SQLite's on it in this process.

    Source: sqlite.org/howtocorrupt.html, "POSIX advisory locks canceled by a separate thread" (read 2026-11-29)
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users: dict[Path, int] = {}
        self._files: dict[Path, int] = {}

    def take(self, path: Path) -> None:
        with self._lock:
            self._users[path] = self._users.get(path, 0) + 1

    def let_go(self, path: Path) -> None:
        with self._lock:
            self._users[path] -= 1
            if not self._users[path]:
                del self._users[path]
                if (file := self._files.pop(path, None)) is not None:
                    os.close(file)

    def file(self, path: Path) -> int | None:
        """Return the open file of this name, None when there is none."""
        with self._lock:
            file = self._files.get(path)
            try:
                if file is not None and not os.path.samestat(os.fstat(file), path.stat()):
                    os.close(self._files.pop(path))
                    file = None
                if file is None:
                    file = self._files[path] = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                return None
            return file


_kept_open = _KeptOpen()


def _looks(path: Path) -> _Looks | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size
