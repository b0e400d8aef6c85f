"""The folder that the web processes of one gunicorn share their counters in.

In memory where the machine has a folder for that; each gunicorn has its own, which goes with it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from pathlib import Path

from app.common import private_files

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"  # prometheus-client looks for it when it is imported
BYTES = {"counter": 32 * 1024, "histogram": 8 * 1024}  # more than our labels need

_NAME, _LOCK = "parley-metrics-", "lock"
IN_MEMORY = Path("/dev/shm")  # noqa: S108 - only the place; mkdtemp makes a folder that is ours alone


def create(in_memory: Path = IN_MEMORY) -> Path:
    """Return a new, empty folder, ours while this process or one that it forked lives. Raises OSError.

    Removes those whose gunicorn ended without a chance to do so.
    """
    place = in_memory if os.access(in_memory, os.W_OK) else Path(tempfile.gettempdir())
    for other in place.glob(f"{_NAME}*"):
        if other.stat(follow_symlinks=False).st_uid == os.getuid() and not _is_in_use(other):
            remove(other)
    draft = Path(tempfile.mkdtemp(prefix=f"draft-{_NAME}", dir=place))
    lock = os.open(draft / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)  # stays open, here and in every fork
    fcntl.flock(lock, fcntl.LOCK_EX)
    return draft.rename(draft.with_name(draft.name.removeprefix("draft-")))


def _is_in_use(folder: Path) -> bool:
    try:
        lock = os.open(folder / _LOCK, os.O_RDWR)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False


def reserve(folder: Path, pid: int) -> None:
    """Make the files of a process before it counts, with all their room.

    They are written through memory: a disk that is full later would end the process. Raises OSError: it is full now.
    """
    for kind, size in BYTES.items():
        draft = folder / f"draft_{kind}_{pid}"
        with open(draft, "wb", opener=private_files.opener) as file:
            os.posix_fallocate(file.fileno(), 0, size)
        draft.replace(folder / f"{kind}_{pid}.db")


def remove(folder: Path) -> None:
    """Remove the folder and all counts in it."""
    with contextlib.suppress(OSError):
        shutil.rmtree(folder)
