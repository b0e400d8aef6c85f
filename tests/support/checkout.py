"""A checkout of its own for a test: with an instance/ folder that no other test and no person uses."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.support.eventually import eventually

ROOT = Path(__file__).parents[2]
FILES = ("wsgi.py", "gunicorn.conf.py", "rules.toml")


class Checkout:
    """A copy of the program, as a fresh clone has it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        shutil.copytree(ROOT / "app", folder / "app", ignore=shutil.ignore_patterns("__pycache__"))
        for name in FILES:
            shutil.copy(ROOT / name, folder / name)
        self._commands: list[Command] = []

    def files(self) -> set[str]:
        """Return the names of the files there are, without those of the program itself."""
        found = (path.relative_to(self.folder) for path in self.folder.rglob("*") if path.is_file())
        return {str(path) for path in found if path.parts[0] not in ("app", "__pycache__", *FILES)}

    def start(self, *arguments: str, **environ: str) -> "Command":
        """Start a `flask` command that goes on."""
        command = Command(self, arguments, environ)
        self._commands.append(command)
        return command

    def run(self, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run a `flask` command to its end."""
        return subprocess.run(
            [sys.executable, "-m", "flask", *arguments],
            cwd=self.folder,
            env=self.environ(environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )

    def environ(self, more: dict[str, str]) -> dict[str, str]:
        return {"PATH": os.environ["PATH"], "PYTHONUNBUFFERED": "1", **more}

    def end(self) -> None:
        """End what still runs."""
        for command in self._commands:
            command.end()


class Command:
    """A running command; `said` is all it has printed so far, errors included."""

    def __init__(self, checkout: Checkout, arguments: tuple[str, ...], environ: dict[str, str]) -> None:
        self._output = checkout.folder / f"output-{len(checkout._commands)}.txt"
        with self._output.open("wb") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "flask", *arguments],
                cwd=checkout.folder,
                env=checkout.environ(environ),
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
            )

    def said(self) -> str:
        return self._output.read_text(encoding="utf-8")

    def says(self, words: str, *, seconds: float = 60) -> bool:
        """Return whether it says these words, or ends without."""
        eventually(lambda: words in self.said() or self.process.poll() is not None, seconds=seconds)
        return words in self.said()

    def found(self, pattern: str) -> str:
        """Return the first group of a pattern that it says, in time."""
        assert eventually(lambda: re.search(pattern, self.said()) or self.process.poll() is not None, seconds=60)
        match = re.search(pattern, self.said())
        assert match, self.said()
        return match[1]

    def ends(self, *signals: int, seconds: float = 60) -> int:
        """Send signals, and return the exit code."""
        for number in signals:
            self.process.send_signal(number)
        return self.process.wait(seconds)

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
