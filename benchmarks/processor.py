"""Counts processor time, user and system, of process trees (Linux): what waiting and a busy machine do not change."""

import os
import resource
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_PPID, _USER, _CHILDREN_SYSTEM = 1, 11, 14  # of the fields behind the name, see proc_pid_stat(5)


def cpu_seconds(roots: Iterable[int]) -> float:
    """Return what these processes and all they started have used, those of them included that have ended since."""
    fields = dict(_stat_of_all())
    return sum(_tree_ticks(root, fields) for root in roots) / _TICKS


def _stat_of_all() -> Iterator[tuple[int, list[int]]]:
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            behind_the_name = (directory / "stat").read_text().rpartition(")")[2].split()
        except OSError:  # it has ended
            continue
        yield int(directory.name), [0, *map(int, behind_the_name[1:])]


def _tree_ticks(root: int, fields: dict[int, list[int]]) -> int:
    if root not in fields:
        return 0
    own = sum(fields[root][_USER : _CHILDREN_SYSTEM + 1])  # with that of children that were waited for
    started = [pid for pid, of_one in fields.items() if of_one[_PPID] == root]
    return own + sum(_tree_ticks(pid, fields) for pid in started)


@dataclass
class Used:
    """Seconds of processor time; known once the block around it has ended."""

    seconds: float = 0.0

    def each_ms(self, count: int) -> float:
        """Return the milliseconds for each of so many."""
        return self.seconds / max(1, count) * 1000


@contextmanager
def used_by(roots: Iterable[int], *, commands: bool = False) -> Iterator[Used]:
    """Give what these process trees use during the block; `commands`: and what is started and ends in it."""
    roots, used = list(roots), Used()
    before = cpu_seconds(roots) + (_ended_children() if commands else 0.0)
    yield used
    used.seconds = cpu_seconds(roots) + (_ended_children() if commands else 0.0) - before


def _ended_children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
