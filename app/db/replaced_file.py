"""Notices that an SQLite file was replaced while it is used: overwritten (`cp`), or another file has its name (`mv`).

What the log (-wal) holds belongs to the old file; with the new one it makes a mixture. Only checkpoints write to the
file itself, and ours happen in a turn to write: whoever begins a turn finds the file as the last turn left it. What a
checkpoint of another program wrote is known by the log's index (-shm), which it has moved on.
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
    """The file is not the one that the last turn left."""

    fault = Fault(_WORDS, OTHER)

    def __init__(self) -> None:
        super().__init__(_WORDS)


class _State(NamedTuple):
    """The file as a turn left it; `in_turn` while somebody's turn lasts, so that it stays so when they die in it."""

    in_turn: bool
    looks: _Looks
    sample: int
    log: bytes


class FileWatch:
    """Compares the file at the beginning of each turn with what the last turn noted, in a file beside the lock."""

    def __init__(self, database: Path) -> None:
        self._database = database
        self._index = database.with_name(database.name + "-shm")
        self._notes_path = database.with_name(database.name + ".state")
        self._notes: int | None = None
        self._last: _State | None = None
        self._replaced: _Looks | None = None

    def begin_turn(self) -> None:
        """Raise FileReplaced when the file is another one, or overwritten. Call it with the turn ours."""
        looks = _looks(self._database)
        noted = self._read_notes()
        if looks and noted and noted.looks != looks and not noted.in_turn and self._is_replaced(noted, looks):
            raise FileReplaced
        self._last = noted if noted and noted.looks == looks else None
        if self._notes is not None:
            os.pwrite(self._notes, b"\x01", 0)

    def end_turn(self) -> None:
        """Note what the file is now."""
        looks = _looks(self._database)
        if self._notes is None or looks is None:
            return
        if self._last and self._last.looks == looks:
            os.pwrite(self._notes, b"\x00", 0)
            return
        with contextlib.suppress(OSError):
            os.pwrite(self._notes, _STATE.pack(False, *looks, self._sample(), self._checkpointed()), 0)

    def close(self) -> None:
        """Let go of the files; call it when no connection is open any more."""
        if self._notes is not None:
            os.close(self._notes)
            self._notes = None
            for path in (self._database, self._index):
                _kept_open.let_go(path)

    def _is_replaced(self, noted: _State, looks: _Looks) -> bool:
        if looks == self._replaced:
            return True
        if noted.log[:8] == _NO_LOG:  # whoever then closed the last connection, in whatever turn, may have written
            return False
        until = time.monotonic() + CHECKPOINT_SECONDS
        while self._checkpointed() == noted.log:
            is_same_file = (looks[0], looks[1], looks[3]) == (noted.looks[0], noted.looks[1], noted.looks[3])
            if is_same_file and self._sample() == noted.sample:
                return False
            if time.monotonic() > until:
                self._replaced = looks
                return True
            time.sleep(0.02)
        return False

    def _read_notes(self) -> _State | None:
        if self._notes is None:
            self._notes = self._open_notes()
        raw = os.pread(self._notes, _STATE.size, 0)
        if len(raw) < _STATE.size:
            return None
        in_turn, *looks, sample, log = _STATE.unpack(raw)
        return _State(in_turn, tuple(looks), sample, log)

    def _open_notes(self) -> int:
        """Open the notes for as long as we use the database; whoever is the only one to use it begins anew."""
        notes = os.open(self._notes_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(notes, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(notes, 0)
        except BlockingIOError:
            pass
        fcntl.flock(notes, fcntl.LOCK_SH)
        for path in (self._database, self._index):
            _kept_open.take(path)
        return notes

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
