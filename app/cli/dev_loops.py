"""The offline loops that `flask dev` runs here, each in a folder of its own that says how it is reached, and by whom.

The first has instance/, the next ones instance/dev-2/ and so on. A folder belongs to a loop while it, or the app that
it has started, holds the lock in it: also one that was killed leaves it free.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import click

from app.common import private_files

FILE, LOCK = "dev.json", "dev.lock"
APP_PORT, EMULATOR_PORT = 8000, 4010  # the usual ones
MOST_LOOPS = 16
ENDING_SECONDS = 15.0  # how long the app of a loop that was killed may take to end


@dataclass(frozen=True)
class Loop:
    """One running loop: its process, its origins, and the credentials of its emulated account."""

    pid: int
    app_url: str
    emulator_url: str
    account_sid: str
    auth_token: str = field(repr=False)
    database: str  # the path of its SQLite file


@dataclass(frozen=True)
class Claim:
    """A folder that is ours; `lock` goes to the processes that use it too. `was_left` by a loop that did not end it."""

    number: int
    folder: Path
    lock: int
    was_left: bool

    @property
    def database(self) -> Path:
        return self.folder / "dev.db"

    def announce(self, loop: Loop) -> None:
        """Let other commands find the loop. Only its owner may read how: there is a token in it."""
        draft = self.folder / f"{FILE}.draft"
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            json.dump(asdict(loop), file, indent=2)
        draft.replace(self.folder / FILE)


@contextmanager
def claim(root: Path) -> Iterator[Claim]:
    """Give the first folder below `root` that no loop has, until the block ends. Raises ClickException."""
    for number, folder in enumerate(_folders(root), 1):
        private_files.make_folder(folder)
        lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            if not _lock(lock, 0.3 if _is_alive(_holder(folder)) else ENDING_SECONDS):
                continue
            os.ftruncate(lock, 0)
            os.write(lock, str(os.getpid()).encode())
            with _cleared(folder / FILE):
                yield Claim(number, folder, lock, (folder / FILE).exists())
            return
        finally:
            os.close(lock)
    raise click.ClickException(f"{MOST_LOOPS} loops run here already (`flask dev`); end some of them")


@contextmanager
def starting(root: Path) -> Iterator[None]:
    """Keep other loops from choosing ports at the same time."""
    lock = os.open(root / "dev-starting.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def running(root: Path) -> list[Loop]:
    """Return the loops that run, the first one first."""
    found = (_read(folder) for folder in _folders(root) if _is_held(folder))
    return [loop for loop in found if loop and _is_alive(loop.pid)]


@contextmanager
def _cleared(file: Path) -> Iterator[None]:
    try:
        yield
    finally:
        file.unlink(missing_ok=True)


def _folders(root: Path) -> list[Path]:
    return [root, *(root / f"dev-{number}" for number in range(2, MOST_LOOPS + 1))]


def _read(folder: Path) -> Loop | None:
    try:
        return Loop(**json.loads((folder / FILE).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def _holder(folder: Path) -> int:
    """Return the process that locked the folder last, 0 for none."""
    try:
        return int((folder / LOCK).read_text(encoding="ascii") or 0)
    except (OSError, ValueError):
        return 0


def _is_alive(pid: int) -> bool:
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _is_held(folder: Path) -> bool:
    try:
        lock = os.open(folder / LOCK, os.O_RDWR)
    except OSError:
        return False
    with contextlib.closing(os.fdopen(lock)):
        return not _lock(lock, 0, shared=True)


def _lock(lock: int, seconds: float, *, shared: bool = False) -> bool:
    """Return whether the lock is ours; others who only look have it for a moment too."""
    until = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(lock, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until:
                return False
            time.sleep(0.02)
        else:
            return True
