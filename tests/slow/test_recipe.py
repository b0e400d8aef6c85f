"""A recipe of CONTRIBUTING.md, followed to the letter in a copy, begins with a red test and ends green."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from app.config import PROJECT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
LEFT_OUT = shutil.ignore_patterns(".git", ".venv", "__pycache__", ".*_cache", "instance", "node_modules", "*.db*")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The project, to be changed."""
    return shutil.copytree(PROJECT, tmp_path / "parley", ignore=LEFT_OUT, symlinks=True)


def steps(title: str) -> list[list[str]]:
    """Return the blocks of code of each numbered step of a recipe."""
    page = (PROJECT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    recipe = page.split(f"### {title}\n")[1].split("\n### ")[0]
    return [list(blocks(step)) for step in re.split(r"^\d\. ", recipe, flags=re.MULTILINE)[1:]]


def blocks(step: str) -> Iterator[str]:
    """Yield the code of a step: what is indented by seven, block by block."""
    code = [line for line in step.splitlines()[1:] if not line or line.startswith(" " * 7)]
    yield from re.split(r"\n(?:\s*\n)+(?=\S)", dedent("\n".join(code)).strip("\n"))


def insert(file: Path, text: str, *, before: str = "", after: str = "") -> None:
    """Put lines into a file, before or after the only line that begins so."""
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    (at,) = (number for number, line in enumerate(lines) if line.startswith(before or after))
    lines.insert(at if before else at + 1, text)
    file.write_text("".join(lines), encoding="utf-8")


def run(copy: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
    return subprocess.run(command, cwd=copy, capture_output=True, text=True, timeout=800, check=False)


def test_the_recipe_of_a_condition_ends_in_green_tests(copy):
    (test,), (kind, field), (check, its_line), (words,), (shown,), (row, example) = steps("A condition of rules")
    with (copy / "tests/rules/test_conditions.py").open("a", encoding="utf-8") as tests:
        tests.write(f"\n\n{test}\n")
    assert run(copy, "tests/rules/test_conditions.py", "-k", "weekday").returncode == 1

    insert(copy / "app/rules/schema.py", f"{kind}\n\n\n", before="class Condition(")
    insert(copy / "app/rules/schema.py", f"    {field}\n", before="    keywords: SomeWords | None")
    insert(copy / "app/rules/conditions.py", f"{check}\n\n\n", before="CHECKS: ")
    insert(copy / "app/rules/conditions.py", f"    {its_line}\n", after="CHECKS: ")
    insert(copy / "app/rules/describe.py", f"    {words}\n", after="_WORDS: ")
    insert(copy / "app/rules/fault_words.py", f"    {shown}\n", after="EXAMPLES = ")
    insert(copy / "docs/rules.md", f"{row}\n", before="| `unanswered_for` |")
    with (copy / "docs/rules.md").open("a", encoding="utf-8") as page:
        page.write(f"\n{example}\n")

    ended = run(copy, "tests/rules")
    assert ended.returncode == 0, ended.stdout[-3000:]
