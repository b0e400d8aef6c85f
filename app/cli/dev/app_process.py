"""Runs the app, its worker included, as a process beside a command."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import ProxyHandler, build_opener

import click

from app.common import private_files
from app.config import PROJECT

START_SECONDS = 20.0
STOP_SECONDS = 40.0
_REFUSAL = "Parley does not start"  # how gunicorn's log tells what is wrong with the settings
_MOST_WORDS = 5
_direct = build_opener(ProxyHandler({}))


@contextmanager
def serving(
    environment: Mapping[str, str], port: int, log: Path, *, locks: Sequence[int] = ()
) -> Iterator[subprocess.Popen[bytes]]:
    """Give the process of an app that is ready on `port`; it ends with us, also when we are killed.

    What it prints goes to `log`. Ctrl-C does not reach it: we end it. It holds the `locks` as long as it lives.
    """
    command = [
        sys.executable,
        "-m",
        "app.cli.dev.gunicorn_child",
        *_what_to_serve(),
        "--bind",
        f"127.0.0.1:{port}",
        "--workers",
        "1",
    ]
    with open(log, "wb", opener=private_files.opener) as output:
        app = subprocess.Popen(  # noqa: S603 - our own program
            command,
            cwd=PROJECT,
            env={**os.environ, **environment},
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            start_new_session=True,
            pass_fds=locks,
        )
    try:
        _wait_until_ready(app, port, log)
        yield app
    finally:
        app.terminate()
        _wait_for(app)


def _what_to_serve() -> list[str]:
    """Return gunicorn's application: the checkout's own; where pip has installed us, the package's."""
    if (PROJECT / "wsgi.py").exists():
        return ["wsgi:app"]
    return ["app:create_app()", "--config", "python:app.runtime.gunicorn"]


def _wait_for(app: subprocess.Popen[bytes]) -> None:
    try:
        app.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        app.kill()
        app.wait()
    if app.stdin:
        app.stdin.close()


def _wait_until_ready(app: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    answer = ""
    while time.monotonic() < deadline:
        if app.poll() is not None:
            raise ended_by_itself(log, "the app did not start")
        try:
            with _direct.open(f"http://127.0.0.1:{port}/readyz", timeout=1):
                return
        except HTTPError as error:
            answer = f" (/readyz: {error.read(500).decode('utf-8', 'replace').strip()})"
        except OSError:
            pass
        time.sleep(0.05)
    raise click.ClickException(f"the app was not ready within {START_SECONDS:.0f} s{answer}; see {_short(log)}")


def ended_by_itself(log: Path, what: str = "the app ended by itself") -> click.ClickException:
    """Return what to raise when the app is gone: with its own words, from the end of its log."""
    said = "\n".join(f"  {line}" for line in _last_words(log))
    return click.ClickException(f"{what}; it said (more is in {_short(log)}):\n{said}" if said else f"{what}, silently")


def _last_words(log: Path) -> list[str]:
    """Return why it refused to start; else the last lines that tell of more than the ordinary, each once."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    refusal = next((n for n, line in enumerate(lines) if line.startswith(_REFUSAL)), None)
    if refusal is not None:
        return lines[refusal:]
    unusual = [re.sub(r"^\d\d:\d\d:\d\d ", "", line) for line in lines if " info " not in line[:20]]
    return list(dict.fromkeys(unusual))[-_MOST_WORDS:]


def _short(path: Path) -> str:
    return str(path.relative_to(PROJECT)) if path.is_relative_to(PROJECT) else str(path)
