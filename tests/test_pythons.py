"""`.ci/pythons.py`: every Python that is there runs the quick tests on SQLite, and the absent ones are named."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

PROJECT = Path(__file__).parent.parent
STAND_IN = """#!/bin/sh
echo "$@" >> {calls}
case "$2" in
  import*) echo {version} ;;
  venv) /bin/mkdir -p "$3/bin" && /bin/cp "$0" "$3/bin/python" ;;
  pip) exit {pip} ;;
  pytest) exit {tests} ;;
esac
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with the requirements of a project."""
    folder = tmp_path / "project"
    folder.mkdir()
    for name in ("requirements.txt", "requirements-dev.txt", "requirements.lock"):
        (folder / name).write_text("")
    return folder


@pytest.fixture
def calls(tmp_path: Path) -> Path:
    """What the interpreters were called with, a line each."""
    return tmp_path / "calls"


@pytest.fixture
def interpreter(tmp_path: Path, calls: Path) -> Callable[..., None]:
    """Put something that behaves as a Python does on the PATH, or below the home folder."""

    def make(version: str, folder: str = "bin", *, says: str = "", pip: int = 0, tests: int = 0) -> None:
        path = tmp_path / folder / f"python{version}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(STAND_IN.format(calls=calls, version=says or version, pip=pip, tests=tests))
        path.chmod(0o755)

    return make


@pytest.fixture
def told(tmp_path: Path, project: Path) -> Callable[..., tuple[int, list[str]]]:
    """Run it and return its exit code and what it says at its end."""

    def run(**more: str) -> tuple[int, list[str]]:
        environ = {"PATH": str(tmp_path / "bin"), "HOME": str(tmp_path), **more}
        command = [sys.executable, PROJECT / ".ci" / "pythons.py", project]
        ended = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=100)
        assert ended.stderr == ""
        _, lines = ended.stdout.split("The quick tests on SQLite:\n")
        return ended.returncode, [re.sub(r" in \d+ s", "", line.strip()) for line in lines.splitlines()]

    return run


def test_each_that_is_there_runs_the_tests_and_the_absent_are_named(interpreter, told):
    interpreter("3.12")
    interpreter("3.13", ".pyenv/versions/3.13.0/bin")

    assert told() == (0, ["Python 3.11: absent", "Python 3.12: passed", "Python 3.13: passed"])


def test_one_that_fails_fails_all_after_the_others_have_run(interpreter, told):
    interpreter("3.11", tests=1)
    interpreter("3.12", pip=1)
    interpreter("3.13")

    assert told() == (
        1,
        [
            "Python 3.11: FAILED (1)",
            "Python 3.12: FAILED, what the tests need could not be installed",
            "Python 3.13: passed",
        ],
    )


def test_a_stand_in_for_one_that_is_not_chosen_is_passed_over(interpreter, told):
    interpreter("3.12", says="nothing")
    interpreter("3.12", ".local/share/uv/python/cpython-3.12.1-linux/bin")

    assert told() == (0, ["Python 3.11: absent", "Python 3.12: passed", "Python 3.13: absent"])


def test_the_one_that_has_run_all_tests_already_is_left_out(interpreter, told):
    interpreter("3.11", tests=1)
    assert told(HAS_RUN="3.11") == (0, ["Python 3.12: absent", "Python 3.13: absent"])

    interpreter("3.12", tests=1)
    assert told(HAS_RUN="3.11") == (1, ["Python 3.12: FAILED (1)", "Python 3.13: absent"])


def test_a_machine_with_none_of_them_has_tried_nothing(told):
    assert told() == (1, ["Python 3.11: absent", "Python 3.12: absent", "Python 3.13: absent"])


def test_an_environment_is_made_anew_only_for_other_requirements(interpreter, told, calls, project):
    def made() -> int:
        return sum(line.startswith("-m venv ") for line in calls.read_text().splitlines())

    interpreter("3.12")
    assert (told()[0], told()[0], made()) == (0, 0, 1)
    (project / "requirements.lock").write_text("click==8.5.1\n")

    assert (told()[0], made()) == (0, 2)


def subset(*arguments: str) -> str:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.support.sqlite_subset", "-p", "no:cacheprovider"]
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    ended = subprocess.run(
        [*command, *arguments], cwd=PROJECT, env=environ, capture_output=True, text=True, timeout=100
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def test_no_test_that_needs_postgresql_is_among_them():
    collected = subset("--seconds", "90", "--collect-only", "tests/db", "tests/db/test_rolling_deploys.py")

    assert "[sqlite]" in collected
    assert "postgresql" not in collected
    assert "test_wakeups" not in collected


def test_what_does_not_fit_is_counted():
    assert "] tests/support/sqlite_subset.py:" in subset("--seconds", "0", "tests/twilio_api/test_identity.py")
