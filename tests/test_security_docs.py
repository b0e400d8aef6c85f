"""docs/security.md is true: every threat has its tests, and every test that it names is there; links lead somewhere."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", TEXT)))
ROWS = [line for line in TEXT.splitlines() if line.startswith("| ") and not line.startswith(("| threat ", "| --- "))]


@cache
def functions_in(path: str) -> set[str]:
    file = ROOT / path
    tree = ast.parse(file.read_text(encoding="utf-8")) if file.exists() else ast.Module([], [])
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize(("path", "name"), NAMED, ids=[name for _, name in NAMED])
def test_every_test_it_names_is_there(path, name):
    assert name.startswith("test_")
    assert name in functions_in(path)


@pytest.mark.parametrize("row", ROWS, ids=[row.split("|")[1].strip() for row in ROWS])
def test_every_threat_has_a_test(row):
    assert re.search(r"`tests/[\w/]+\.py::test_\w+` \|$|`tests/[\w/]+\.py::test_\w+`, ", row)


@pytest.mark.parametrize(
    "threat",
    [
        "forged",
        "replayed",
        "downgraded key",
        "oversized",
        "log injection",
        "template injection",
        "SQL injection",
        "SSRF",
        "DNS rebinding",
        "XSS",
        "CSRF",
        "secrets in logs",
        "brute force",
        "slow-loris",
    ],
)
def test_the_threats_that_everybody_thinks_of_are_in_a_row(threat):
    assert [row for row in ROWS if threat.lower() in row.split("|")[1].lower()]


def links() -> list[tuple[str, str, str]]:
    """Return which page of docs/ links to which heading of which page."""
    pages = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "docs").glob("*.md")}
    found = [(page, *link) for page, text in pages.items() for link in re.findall(r"\]\(([\w./]*)#([\w-]+)\)", text)]
    return [(page, target or page, anchor) for page, target, anchor in found]


@pytest.mark.parametrize(("page", "target", "anchor"), links(), ids=[" ".join(link) for link in links()])
def test_a_link_to_a_heading_leads_there(page, target, anchor):
    text = (ROOT / "docs" / target).read_text(encoding="utf-8")
    anchors = {
        re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in re.findall(r"^#+ (.+)$", text, re.M)
    }

    assert anchor in anchors
