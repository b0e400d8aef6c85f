"""The commands of docs/operations.md, run one after the other as they stand there."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from flask import Flask

from app.emulator.client import Emulator
from app.testing.bot_tester import Clock

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
_READY = "curl -s localhost:8000"


def commands_of(heading: str) -> list[str]:
    """Return the command lines of a case, without their comments."""
    found = re.search(rf"^## {re.escape(heading)}$(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL)
    assert found, f"docs/operations.md has no case {heading!r}"
    return [re.sub(r"\s+# .*", "", line[4:]) for line in found[1].splitlines() if line.startswith("    ")]


def headings() -> list[str]:
    """Return the cases of the document that have commands."""
    return [heading for heading in re.findall(r"^## (.+)$", TEXT, re.MULTILINE) if commands_of(heading)]


def deployment(folder: Path) -> Path:
    """Make a folder like the one that Parley is deployed in, with an instance folder of its own."""
    folder.mkdir()
    (folder / "instance").mkdir()
    for name in ("wsgi.py", "app"):
        (folder / name).symlink_to(ROOT / name)
    return folder


class Steps:
    """The steps of one case. `flask` runs in this process, what works the inbox or is no `flask` in a shell."""

    def __init__(self, heading: str, app: Flask, folder: Path, environ: Mapping[str, str]) -> None:
        self.left = commands_of(heading)
        self._app, self._folder, self._environ = app, folder, environ

    def run(self, beginning: str, *, status: int = 0, only_if_installed: bool = False, **values: object) -> str:
        """Run the next command, which must begin so, and return what it printed; it must end with `status`.

        `values` stand in for what is written in capitals: ID=5, CH="CH...".
        """
        command = self.left.pop(0)
        assert command.startswith(beginning), f"the document's next step is: {command}"
        if only_if_installed and not shutil.which(command.split()[0]):
            return ""
        for name, value in values.items():
            command = re.sub(rf"\b{name}(\.\.\.|\b)", str(value), command)
        return self._run(command, status)

    def now(self, app: Flask) -> None:
        """Go on with a process that was restarted."""
        self._app = app

    def _run(self, command: str, status: int) -> str:
        command = command.replace(" refused.http", f" {self._folder}/refused.http")
        if command.startswith(_READY):
            return self._app.test_client().get(command.removeprefix(_READY)).text
        if command.startswith("flask ") and not command.startswith("flask worker"):
            result = self._app.test_cli_runner().invoke(args=shlex.split(command)[1:])
            assert result.exit_code == status, f"{command}: {result.output}"
            return str(result.output)
        return self._in_shell(command, status)

    def _in_shell(self, command: str, status: int) -> str:
        here = Path(sys.executable).parent
        path = os.pathsep.join([str(here), self._environ.get("PATH", ""), os.environ["PATH"]])
        finished = subprocess.run(
            ["bash", "-c", command],
            cwd=self._folder,
            env={**self._environ, "PATH": path},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert finished.returncode == status, f"{command}: {finished.stderr}"
        return finished.stdout


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder that Parley is deployed in."""
    return deployment(tmp_path / "deployed")


@pytest.fixture
def sqlite_url(folder: Path, sqlite_template: Path) -> str:
    """The database where the document says it is."""
    (folder / "instance" / "parley.db").write_bytes(sqlite_template.read_bytes())
    return f"sqlite:///{folder}/instance/parley.db"


@pytest.fixture
def follow(app: Flask, folder: Path, environ: Mapping[str, str]) -> Iterator[Callable[[str], Steps]]:
    """Begin a case of the document; at the end of the test all its commands must have been run."""
    begun: list[Steps] = []

    def begin(heading: str) -> Steps:
        begun.append(Steps(heading, app, folder, environ))
        return begun[-1]

    yield begin
    assert [command for steps in begun for command in steps.left] == []


@pytest.fixture
def time_passes(clock: Clock, emulator: Emulator) -> Callable[[float], None]:
    """Let so many seconds pass, here and at Twilio."""

    def advance(seconds: float) -> None:
        clock.advance(seconds)
        emulator.advance(seconds)

    return advance
