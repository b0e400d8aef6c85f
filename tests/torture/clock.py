"""The clock of a schedule, which all its processes share: time passes for those that are frozen, too."""

import mmap
import struct
import time
from datetime import UTC, datetime

_TWO_NUMBERS = struct.Struct("dd")


class SharedClock:
    """The real time, moved forward at will and shown wrongly; forked processes move and see the same one."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, _TWO_NUMBERS.size)

    def __call__(self) -> datetime:
        """Return the time it is, aware, in UTC, as the clock shows it."""
        ahead, set_by = self._read()
        return datetime.fromtimestamp(time.time() + ahead + set_by, UTC)

    def boot_seconds(self) -> float:
        """Return the seconds since some moment, which setting the clock does not change."""
        return time.time() + self.ahead

    @property
    def ahead(self) -> float:
        """Return by how much time was moved forward, in seconds."""
        return self._read()[0]

    def advance(self, seconds: float) -> None:
        """Move the time forward."""
        ahead, set_by = self._read()
        self._write(ahead + seconds, set_by)

    def set_by(self, seconds: float) -> None:
        """Set the clock forward, or back, while no time passes."""
        ahead, set_by = self._read()
        self._write(ahead, set_by + seconds)

    def set_right(self) -> None:
        """Undo whatever it was set by."""
        self._write(self.ahead, 0.0)

    def _read(self) -> tuple[float, float]:
        ahead, set_by = _TWO_NUMBERS.unpack(self._memory[:])
        return ahead, set_by

    def _write(self, ahead: float, set_by: float) -> None:
        self._memory[:] = _TWO_NUMBERS.pack(ahead, set_by)
