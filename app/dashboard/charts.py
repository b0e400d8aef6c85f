"""Chart geometry: numbers in, rectangles out; colours are CSS, labels HTML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

Key = TypeVar("Key")

STEP, GAP, HEIGHT = 10, 2, 100  # in the units of the viewBox; the page stretches it


@dataclass(frozen=True)
class Block(Generic[Key]):
    """One piece of a column: how many of `key` there are."""

    key: Key
    count: int
    y: float
    height: float


@dataclass(frozen=True)
class Column(Generic[Key]):
    """What there is in one step of time, piled up from the bottom."""

    x: float
    total: int
    blocks: tuple[Block[Key], ...]


@dataclass(frozen=True)
class Columns(Generic[Key]):
    """A chart of columns; `top` is the number at its upper edge."""

    columns: tuple[Column[Key], ...]
    top: int

    @property
    def width(self) -> int:
        return len(self.columns) * STEP

    @property
    def bar_width(self) -> int:
        return STEP - GAP


def columns(steps: Sequence[Mapping[Key, int]], keys: Sequence[Key]) -> Columns[Key]:
    """Return a column for each step, in which the keys are piled up in their order, the first at the bottom."""
    top = round_up(max((sum(step.values()) for step in steps), default=0))
    return Columns(tuple(_column(n * STEP + GAP / 2, step, keys, HEIGHT / top) for n, step in enumerate(steps)), top)


def round_up(number: int) -> int:
    """Return the next number that is good to read at an axis: 1, 2, 5, 10, 20, 50 ..."""
    size = 1
    while True:
        for digit in (1, 2, 5):
            if digit * size >= number:
                return digit * size
        size *= 10


def ranked(steps: Sequence[Mapping[Key, int]]) -> dict[Key, int]:
    """Return the keys of all steps with their sums, the largest first."""
    sums: dict[Key, int] = {}
    for step in steps:
        for key, count in step.items():
            sums[key] = sums.get(key, 0) + count
    return dict(sorted(sums.items(), key=lambda pair: -pair[1]))


def _column(x: float, step: Mapping[Key, int], keys: Sequence[Key], scale: float) -> Column[Key]:
    blocks, floor = [], float(HEIGHT)
    for key in keys:
        if count := step.get(key, 0):
            floor -= count * scale
            blocks.append(Block(key, count, round(floor, 3), round(count * scale, 3)))
    return Column(x, sum(step.values()), tuple(blocks))
