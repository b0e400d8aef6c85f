"""Parley as it is deployed: gunicorn and `flask worker` as real processes, and a sender that does not give up."""

import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import requests

from app import config
from app.db.database import Database
from app.emulator.client import Emulator
from app.inbox import admin
from tests.conftest import ORIGIN, TOKEN
from tests.support import webhook_fixtures
from tests.support.eventually import eventually

ROOT = Path(__file__).parents[2]
WEB = [sys.executable, "-m", "gunicorn", "wsgi:app", "--bind"]
WORKER = [sys.executable, "-m", "flask", "worker"]
OPEN_STATES = ("pending", "scheduled", "processing")


def environ_of(emulator: Emulator, database_url: str, rules: Path, **more: str) -> dict[str, str]:
    """Return the settings of an installation at the emulator; `more` are others beside them."""
    return {
        "TWILIO_ACCOUNT_SID": "AC" + "1".zfill(32),
        "TWILIO_AUTH_TOKEN": TOKEN,
        "TWILIO_API_BASE_URL": emulator.url,
        "PUBLIC_URL": ORIGIN,
        "DATABASE_URL": database_url,
        "BOT_RULES": str(rules),
        **more,
    }


class Service:
    """The processes of one installation: web, and `workers` workers.

    Unless said otherwise none with SQLite, where web works too, and one with PostgreSQL. `started_by` is a command
    that starts them.
    """

    def __init__(
        self, environ: Mapping[str, str], log: Path, *, workers: int | None = None, started_by: Sequence[str] = ()
    ) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._address = f"127.0.0.1:{free.getsockname()[1]}"
        self._environ = {"PATH": os.environ["PATH"], "WEB_CONCURRENCY": "2", **environ}
        self._log, self._started_by = log, started_by
        self._commands = {"web": [*WEB, self._address]}
        self.db = Database(config.from_environment(environ).database_url)
        if workers is None:
            workers = 0 if self.db.is_sqlite else 1
        self._commands |= {f"worker {n}": WORKER for n in range(1, workers + 1)}
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def names(self) -> list[str]:
        """Return the names of the processes: web, worker 1, ..."""
        return sorted(self._commands)

    @property
    def url(self) -> str:
        return f"http://{self._address}/conversations/webhook"

    def start(self, name: str) -> None:
        """Start a process, in a process group of its own."""
        with self._log.open("ab") as log:
            command = [*self._started_by, *self._commands[name]]
            self.processes[name] = subprocess.Popen(
                command, cwd=ROOT, env=self._environ, stdout=log, stderr=log, start_new_session=True
            )

    def signal(self, name: str, number: int) -> None:
        """Send a signal to a process and all its children."""
        os.killpg(self.processes[name].pid, number)

    def kill(self, name: str) -> None:
        """End a process and its children at once, as `kill -9` does."""
        self.signal(name, signal.SIGKILL)
        self.processes[name].wait()

    def kill_a_child(self, name: str, die: random.Random) -> None:
        """End one web process of gunicorn's at once; gunicorn starts another. Without children: the process."""
        if children := self.children(name):
            os.kill(die.choice(children), signal.SIGKILL)
        else:
            self.kill(name)

    def children(self, name: str) -> list[int]:
        """Return the process ids of the web processes of gunicorn's."""
        parent = self.processes[name].pid
        return [int(child) for child in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]

    def command(self, *arguments: str) -> str:
        """Return what `flask` prints for these arguments, with the settings of this installation; it must succeed."""
        command = [sys.executable, "-m", "flask", *arguments]
        done = subprocess.run(command, cwd=ROOT, env=self._environ, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def stop(self) -> dict[str, int]:
        """Ask all processes to end, as a platform does (SIGTERM); return their exit codes."""
        for process in self.processes.values():
            process.terminate()
        return {name: process.wait(timeout=30) for name, process in self.processes.items()}

    def close(self) -> None:
        """Leave nothing behind."""
        for process in self.processes.values():
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        self.db.close()

    def log_text(self) -> str:
        """Return what the processes have said."""
        return self._log.read_text()

    def stats(self) -> dict[str, int]:
        """Return the number of events in each state."""
        with self.db.read() as tx:
            return admin.stats(tx, self.db.now(tx))

    def drains(self, count: int, *, seconds: float) -> bool:
        """Return whether that many events are stored and none of them is open any more, within the time."""
        return eventually(lambda: self._is_drained(count), seconds=seconds, pause=0.1)

    def _is_drained(self, count: int) -> bool:
        counts = self.stats()
        return sum(counts.values()) == count and not any(counts[state] for state in OPEN_STATES)


def signed(form: Mapping[str, str | None]) -> tuple[bytes, dict[str, str]]:
    """Return body and headers of a webhook for an inbound SMS, signed."""
    request = webhook_fixtures.with_fields(webhook_fixtures.load("onMessageAdded__sms_text"), form)
    return request.body, webhook_fixtures.sign(request, ORIGIN, TOKEN)


def post_until_stored(url: str, forms: Sequence[Mapping[str, str | None]], *, pause: float = 0.0) -> int:
    """Post webhooks one after the other, each again and again until it is acknowledged; return how many were."""
    with requests.Session() as session:
        session.trust_env = False
        for form in forms:
            body, headers = signed(form)
            assert eventually(lambda: _acknowledged(session, url, body, headers), seconds=60)  # noqa: B023
            time.sleep(pause)  # the pace of the sender
    return len(forms)


def _acknowledged(session: requests.Session, url: str, body: bytes, headers: Mapping[str, str]) -> bool:
    try:
        return session.post(url, body, headers=headers, timeout=10).status_code == 204
    except requests.RequestException:
        return False
