"""`make check`: its own two checks find what was planted, and pre-commit asks the same."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parent.parent


def run(root, *arguments):
    return subprocess.run([sys.executable, *arguments], cwd=root, capture_output=True, text=True, timeout=100)


@pytest.mark.parametrize(
    ("text", "status", "said"),
    [
        pytest.param(
            "x = 1\n" * 300, 0, "no file is too long, and the formatter lays out every line\n", id="300 lines"
        ),
        pytest.param(
            "x = 1\n" * 301,
            1,
            "tests/test_planted.py: has 301 lines, 300 are allowed; split it by subject\n",
            id="301 lines",
        ),
        pytest.param(
            "x = 1\ny  = 2  # fmt: " + "skip\n",
            1,
            "tests/test_planted.py:2: keeps the formatter off; let it lay out the line, or make the line shorter\n",
            id="a line kept from the formatter",
        ),
        pytest.param(
            "#fmt:" + "off\ny  = 2\n",
            1,
            "tests/test_planted.py:1: keeps the formatter off; let it lay out the line, or make the line shorter\n",
            id="lines kept from the formatter",
        ),
    ],
)
def test_a_long_file_and_a_line_kept_from_the_formatter_are_named(tmp_path, text, status, said):
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_planted.py").write_text(text)

    found = run(PROJECT, ".ci/check_files.py", str(tmp_path))

    assert (found.returncode, found.stdout) == (status, said)


def test_a_picture_of_other_imports_is_refused_and_drawn_anew_the_same_each_time(tmp_path):
    for folder in ("app", ".ci"):
        shutil.copytree(PROJECT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(PROJECT / "pyproject.toml", tmp_path)
    picture = tmp_path / "docs" / "images" / "packages.svg"
    picture.parent.mkdir(parents=True)
    assert run(tmp_path, ".ci/picture.py").returncode == 0
    drawn = picture.read_text()
    assert run(tmp_path, ".ci/picture.py", "--check").returncode == 0
    (tmp_path / "app" / "store" / "late.py").write_text("from app import responder\n")

    stale = run(tmp_path, ".ci/picture.py", "--check")
    assert run(tmp_path, ".ci/picture.py").returncode == 0

    assert (stale.returncode, stale.stdout) == (
        1,
        "docs/images/packages.svg shows other imports than there are; draw it anew: make picture\n",
    )
    assert picture.read_text() != drawn
    assert all(f">{name}</text>" in drawn for name in ("twilio_api", "inbox", "create_app", "dashboard"))


def test_pre_commit_asks_what_make_check_asks():
    (asked,) = re.findall(r"^check:.*\n((?:\t.*\n)+)", (PROJECT / "Makefile").read_text(), re.MULTILINE)
    hooks = re.findall(r"^ *entry: (.*)$", (PROJECT / ".pre-commit-config.yaml").read_text(), re.MULTILINE)

    assert hooks == [line.strip().replace("$(BIN)", ".venv/bin") for line in asked.splitlines()]
