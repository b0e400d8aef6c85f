"""Draws docs/images/packages.svg: the packages of app/ in their layers, and an arrow for who imports whom.

Usage: python .ci/picture.py [--check]. Layers are those of the contract in pyproject.toml, arrows the real imports;
one that follows from others is left out. With --check nothing is written; exit 1 when the picture is not that of today.
"""

import sys
import tomllib
from collections.abc import Mapping
from html import escape
from itertools import pairwise
from pathlib import Path

import grimp

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "docs" / "images" / "packages.svg"
ROW, MARGIN, TITLE = 88, 24, 56
BOX_WIDTH, BOX_HEIGHT, LINE_WIDTH = 130, 38, 22  # a line that only passes a row needs a place there, too
SWEEPS = 60
COLOURS = ("#7a3e9d", "#1f6f8b", "#b3541e", "#2e7d32", "#a4243b", "#37517e", "#8a6d00")
Arrow = tuple[str, str]
Node = str | tuple[Arrow, int]  # a package, or where an arrow passes a row


def layers(packages: set[str]) -> list[list[str]]:
    """Return the packages of each layer, from above, as the contract lists them; the root stands below testing."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (listed,) = (one["layers"] for one in contracts if one["type"] == "layers")
    rows = [[name for name in line.replace("|", " ").split() if name in packages] for line in listed]
    return [rows[0], ["create_app"], *rows[1:]]


def imports() -> tuple[set[str], set[Arrow]]:
    """Return the packages, and the pairs of which the first imports the second."""
    sys.path.insert(0, str(ROOT))
    graph = grimp.build_graph("app", cache_dir=None)

    def package_of(module: str) -> str:
        return module.split(".")[1] if "." in module else "create_app"

    found = {
        (package_of(module), package_of(other))
        for module in graph.modules
        for other in graph.find_modules_directly_imported_by(module)
    }
    return {package_of(module) for module in graph.modules}, {(one, other) for one, other in found if one != other}


def without_what_follows(arrows: set[Arrow]) -> list[Arrow]:
    """Return the arrows without those that go where a chain of other arrows goes."""

    def reached(start: str) -> set[str]:
        nearest = {other for one, other in arrows if one == start}
        return nearest.union(*(reached(other) for other in nearest))

    def follows(arrow: Arrow) -> bool:
        return any(one == arrow[0] and other != arrow[1] and arrow[1] in reached(other) for one, other in arrows)

    return sorted(arrow for arrow in arrows if not follows(arrow))


def places(rows: list[list[str]], arrows: list[Arrow]) -> tuple[dict[Node, float], dict[Arrow, list[Node]]]:
    """Return the x of each node, and the nodes that each arrow touches; few lines cross, most run straight down."""
    row_of = {name: number for number, row in enumerate(rows) for name in row}
    ways: dict[Arrow, list[Node]] = {}
    nodes: list[list[Node]] = [list(row) for row in rows]
    for arrow in arrows:
        passed: list[Node] = [(arrow, number) for number in range(row_of[arrow[0]] + 1, row_of[arrow[1]])]
        ways[arrow] = [arrow[0], *passed, arrow[1]]
        for number, node in enumerate(passed, start=row_of[arrow[0]] + 1):
            nodes[number].append(node)
    near: dict[Node, list[Node]] = {node: [] for row in nodes for node in row}
    for way in ways.values():
        for above, below in pairwise(way):
            near[above].append(below)
            near[below].append(above)
    x = {node: float(BOX_WIDTH * n) for row in nodes for n, node in enumerate(row)}
    for sweep in range(SWEEPS):
        for row in nodes if sweep % 2 else nodes[::-1]:
            wanted = {
                node: sum(x[other] for other in near[node]) / len(near[node]) if near[node] else x[node] for node in row
            }
            if sweep < SWEEPS // 2:
                row[:] = [node for _, _, node in sorted((wanted[node], str(node), node) for node in row)]
            x |= _apart(row, wanted)
    edge = min(x[node] - _half(node) for node in x) - MARGIN
    return {node: place - edge for node, place in x.items()}, ways


def _apart(row: list[Node], wanted: dict[Node, float]) -> dict[Node, float]:
    """Return places near the wanted ones, in this order and so far apart that nothing overlaps."""
    right, left = [wanted[row[0]]], [wanted[row[-1]]]
    for before, node in pairwise(row):
        right.append(max(wanted[node], right[-1] + _half(before) + _half(node)))
    for after, node in pairwise(row[::-1]):
        left.append(min(wanted[node], left[-1] - _half(after) - _half(node)))
    return {node: (one + other) / 2 for node, one, other in zip(row, right, left[::-1], strict=True)}


def _half(node: Node) -> float:
    """Return half of the width that a node needs."""
    return (BOX_WIDTH + 24 if isinstance(node, str) else LINE_WIDTH) / 2


def draw() -> str:
    """Return the picture as SVG; the same imports make the same text."""
    packages, found = imports()
    rows, arrows = layers(packages), without_what_follows(found)
    x, ways = places(rows, arrows)
    y: dict[Node, int] = {node: TITLE + ROW * n for n, row in enumerate(rows) for node in row}
    colour = {name: COLOURS[n % len(COLOURS)] for n, name in enumerate(name for row in rows for name in row)}
    width = round(max(x[node] + _half(node) for node in x)) + MARGIN
    height = TITLE + ROW * len(rows) - BOX_HEIGHT + MARGIN
    said = "An arrow: imports. What follows from other arrows is left out; all point down."
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif">',
            "<title>The packages of app/ in their layers, and who imports whom</title>",
            f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
            f'<text x="{MARGIN}" y="32" font-size="15" fill="#444444">{escape(said)}</text>',
            *(f'<path d="M0 {TITLE + ROW * n - 15}H{width}" stroke="#eeeeee"/>' for n in range(len(rows))),
            *(_line(way, x, y, colour[arrow[0]]) for arrow, way in ways.items()),
            *(_box(name, x[name], y[name], colour[name]) for row in rows for name in row),
            "</svg>\n",
        ]
    )


def _line(way: list[Node], x: Mapping[Node, float], y: Mapping[Node, int], colour: str) -> str:
    first, last = way[0], way[-1]
    here = (x[first], y[first] + BOX_HEIGHT)
    path = [f"M{here[0]:.0f} {here[1]}"]
    for n, node in enumerate(way[1:], start=1):
        top = y[last] - 8 if node == last else here[1] + ROW - BOX_HEIGHT
        middle = (here[1] + top) / 2
        path.append(f"C{here[0]:.0f} {middle:.0f} {x[node]:.0f} {middle:.0f} {x[node]:.0f} {top}")
        here = (x[node], top + BOX_HEIGHT)
        if n < len(way) - 1:
            path.append(f"V{here[1]}")
    tip = f"M{x[last] - 4:.0f} {y[last] - 9}h8l-4 9z"
    return (
        f'<path d="{"".join(path)}" fill="none" stroke="{colour}" stroke-width="1.5"/><path d="{tip}" fill="{colour}"/>'
    )


def _box(name: str, x: float, y: int, colour: str) -> str:
    return (
        f'<rect x="{round(x - BOX_WIDTH / 2)}" y="{y}" width="{BOX_WIDTH}" height="{BOX_HEIGHT}" rx="6" fill="#ffffff"'
        f' stroke="{colour}" stroke-width="2"/>'
        f'<text x="{x:.0f}" y="{y + 25}" font-size="15" text-anchor="middle">{escape(name)}</text>'
    )


def main(arguments: list[str]) -> int:
    """Write the picture, or only look whether it is that of today."""
    drawn = draw()
    if "--check" not in arguments:
        PICTURE.write_text(drawn, encoding="utf-8")
    elif not PICTURE.exists() or PICTURE.read_text(encoding="utf-8") != drawn:
        print("docs/images/packages.svg shows other imports than there are; draw it anew: make picture")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
