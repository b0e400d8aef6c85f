"""The web process as it is deployed: `gunicorn wsgi:app` with its own configuration, on a free port of loopback."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
START_SECONDS = 60.0
_LISTENING = re.compile(r"Listening at: http://127\.0\.0\.1:(\d+)")


@dataclass(frozen=True)
class Gunicorn:
    """A running server; `output` is the file with all it printed."""

    process: subprocess.Popen[bytes]
    output: Path
    port: int

    def printed(self) -> str:
        """Return every whole line printed so far: the last may be in the middle of being written."""
        printed = self.output.read_text(encoding="utf-8")
        return printed[: printed.rfind("\n") + 1]

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Ask it to end, wait, and return its exit code."""
        self.process.send_signal(number)
        return self.process.wait(40)


def launch(environ: Mapping[str, str], output: Path, *options: str) -> subprocess.Popen[bytes]:
    """Start gunicorn with exactly these settings, and none of a `.env`; both its outputs go to one file."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "XDG_RUNTIME_DIR") if name in os.environ}
    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    empty = dict.fromkeys(re.findall(r"^(\w+)=", example, re.MULTILINE), "")  # the environment wins over .env
    settings = empty | {"WEB_CONCURRENCY": "2"} | environ
    command = [sys.executable, "-m", "gunicorn", "wsgi:app", "--bind", "127.0.0.1:0", *options]
    with output.open("wb") as file:
        return subprocess.Popen(command, cwd=ROOT, env=kept | settings, stdout=file, stderr=file)


@contextmanager
def serving(environ: Mapping[str, str], output: Path, *options: str) -> Iterator[Gunicorn]:
    """Give a server that answers; it is gone afterwards."""
    process = launch(environ, output, *options)
    try:
        yield Gunicorn(process, output, _port(process, output))
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(40)


def _port(process: subprocess.Popen[bytes], output: Path) -> int:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if listening := _LISTENING.search(output.read_text(encoding="utf-8")):
            return int(listening[1])
        time.sleep(0.02)
    raise RuntimeError(f"gunicorn did not start: {output.read_text(encoding='utf-8')}")
