"""How far a message goes through the code: no further than it should, and as README.md shows it."""

import re
import subprocess
import sys

import pytest

from tests import call_path


@pytest.fixture(scope="module")
def drawn():
    """The picture that the command prints; in a process of its own nothing is remembered from other messages."""
    command = [sys.executable, "-m", "tests.call_path"]
    said = subprocess.run(command, cwd=call_path.ROOT, capture_output=True, text=True, timeout=110)
    assert said.returncode == 0, said.stderr
    return said.stdout.partition("arriving: ")[2].partition("\narriving: ")[0]


def test_a_message_arrives_through_5_packages_and_12_files(drawn):
    packages, files = map(int, re.match(r"(\d+) packages, (\d+) files", drawn).groups())

    assert packages <= 5, drawn
    assert files <= 12, drawn


def test_a_message_is_answered_through_7_packages_and_49_files(drawn):
    packages, files = map(int, re.search(r"being answered: (\d+) packages, (\d+) files", drawn).groups())

    assert packages <= 7, drawn
    assert files <= 49, drawn  # 30 are aimed at; this is what it is, and it must not grow


def test_readme_shows_the_paths_as_they_are_measured(drawn):
    readme = call_path.README.read_text(encoding="utf-8")
    shown = readme.partition(call_path.BEGIN)[2].partition(call_path.END)[0]

    assert shown == f"\n    arriving: {drawn}\n", "run: python -m tests.call_path --write"


def test_what_runs_is_told_apart_from_what_is_only_imported():
    with call_path.followed() as path:
        from app.rules import reply_length

        reply_length.parts("hello")

    assert path.files == ["rules/reply_length.py"]
