"""Draws results as one SVG file of line and bar panels; numbers in, text out, no library."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

WIDTH, PLOT_LEFT, PLOT_RIGHT = 760, 76, 730
LINE_HEIGHT, BAR_HEIGHT, GAP = 150, 24, 70
BAR_LEFT, BAR_RIGHT = 300, 640
COLOURS = ("#1f6feb", "#d1570a", "#2f7d4f", "#8250df")
STYLE = (
    "text{font:12px sans-serif;fill:#57606a}.title{font-weight:bold;font-size:13px;fill:#24292f}"
    "svg{background:#fff}.grid{stroke:#d0d7de}.line{fill:none;stroke-width:1.5}"
)
Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Lines:
    """A panel with one line for each name: (x, y) in order of x."""

    title: str
    unit: str
    lines: Mapping[str, Points]
    x_unit: str = "s"


@dataclass(frozen=True)
class Bars:
    """A panel with one bar for each name, in their order."""

    title: str
    unit: str
    values: Mapping[str, float]


Panel = Lines | Bars


def draw(panels: Sequence[Panel]) -> str:
    """Return the panels below each other as an SVG document."""
    top, parts = 34.0, []
    for panel in panels:
        drawn = _lines(panel, top) if isinstance(panel, Lines) else _bars(panel, top)
        parts.append(drawn)
        top += _height(panel) + GAP
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {top:.0f}" role="img">'
    return "\n".join([head, f"<style>{STYLE}</style>", *parts, "</svg>", ""])


def round_up(value: float) -> float:
    """Return the next larger of 1, 2, 2.5, 5 and 10 times a power of ten: where an axis ends."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 2.5, 5, 10) if step * power >= value)


def _height(panel: Panel) -> float:
    return LINE_HEIGHT if isinstance(panel, Lines) else BAR_HEIGHT * len(panel.values)


def _lines(panel: Lines, top: float) -> str:
    points = [point for line in panel.lines.values() for point in line]
    most_x = max((x for x, _ in points), default=0.0) or 1.0
    most_y = round_up(max((y for _, y in points), default=0.0))
    bottom = top + LINE_HEIGHT
    parts = [_title(panel, top)]
    for share in (0, 0.5, 1):
        y = bottom - share * LINE_HEIGHT
        parts.append(f'<path class="grid" d="M{PLOT_LEFT} {y:.1f}H{PLOT_RIGHT}"/>')
        parts.append(_text(PLOT_LEFT - 6, y + 4, f"{share * most_y:g}", "end"))
    parts.append(_text(PLOT_RIGHT, bottom + 16, f"{most_x:g} {panel.x_unit}", "end"))
    for (name, line), colour, place in zip(panel.lines.items(), COLOURS, range(len(COLOURS)), strict=False):
        path = " ".join(
            f"{PLOT_LEFT + x / most_x * (PLOT_RIGHT - PLOT_LEFT):.1f},{bottom - y / most_y * LINE_HEIGHT:.1f}"
            for x, y in line
        )
        parts.append(f'<polyline class="line" stroke="{colour}" points="{path}"/>')
        parts.append(
            f'<rect x="{PLOT_LEFT + 150 * place}" y="{bottom + 8:.1f}" width="10" height="10" fill="{colour}"/>'
        )
        parts.append(_text(PLOT_LEFT + 150 * place + 15, bottom + 17, name))
    return "\n".join(parts)


def _bars(panel: Bars, top: float) -> str:
    most = max(panel.values.values(), default=0.0) or 1.0
    parts = [_title(panel, top)]
    for place, (name, value) in enumerate(panel.values.items()):
        y, length = top + place * BAR_HEIGHT, value / most * (BAR_RIGHT - BAR_LEFT)
        parts.append(_text(BAR_LEFT - 8, y + 16, name, "end"))
        parts.append(f'<rect x="{BAR_LEFT}" y="{y + 4:.1f}" width="{length:.1f}" height="16" fill="{COLOURS[0]}"/>')
        parts.append(_text(BAR_LEFT + length + 6, y + 16, f"{value:,.0f}"))
    return "\n".join(parts)


def _title(panel: Panel, top: float) -> str:
    said = escape(f"{panel.title} ({panel.unit})")
    return f'<text class="title" x="15" y="{top - 14:.1f}">{said}</text>'


def _text(x: float, y: float, text: str, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
