"""Makes files and folders that only their owner may read, whatever the umask: messages and tokens are in them."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


def make_folder(folder: Path) -> None:
    """Make a folder, and those above it that are missing; one that is there stays as it is. Raises OSError."""
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)


def opener(path: str, flags: int) -> int:
    """Open a file for open(..., opener=opener)."""
    return os.open(path, flags, 0o600)


def write(path: Path, content: bytes) -> None:
    """Write a file. Raises OSError."""
    with open(path, "wb", opener=opener) as file:
        file.write(content)


def touch(path: Path) -> None:
    """Make an empty file where there is none, and never open one that is there. Raises OSError.

    Closing a database file that SQLite has open ends its locks in this process.
    Source: sqlite.org/howtocorrupt.html, "POSIX advisory locks canceled by a separate thread" (read 2026-11-29)
    """
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
