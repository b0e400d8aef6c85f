"""Starts and stops what is measured, each a process group of its own on a free port of 127.0.0.1."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.messages import ACCOUNT_SID, AUTH_TOKEN, PUBLIC_URL

ROOT = Path(__file__).parent.parent
OUT = Path(__file__).parent / "out"
START_SECONDS = 30
STOP_SECONDS = 40

RULES = """\
[bot]
reply_budget = [{ count = 100000, per = "1s" }, { count = 1000000, per = "1d" }]

[[rule]]
name = "bench"
reply = "ok"
"""


@dataclass(frozen=True)
class Layout:
    """How many gunicorn processes (`-w`) with how many threads each (`--threads`)."""

    processes: int
    threads: int

    def __str__(self) -> str:
        return f"{self.processes} x {self.threads}"


@dataclass(frozen=True)
class Server:
    """A running server: its port on 127.0.0.1 and the process that was started."""

    port: int
    pid: int

    @property
    def url(self) -> str:
        """Return the origin it answers at."""
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def workplace() -> Iterator[Path]:
    """Give an empty directory beside this file, on the checkout's own disk, and remove it afterwards.

    Not the system's temporary directory: where that is memory, fsync costs nothing and the figures lie.
    """
    OUT.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=OUT) as directory:
        yield Path(directory)


@contextmanager
def yardstick(name: str, layout: Layout, api_url: str = "") -> Iterator[Server]:
    """Run one of the apps in yardsticks.py under gunicorn, without Parley's gunicorn.conf.py."""
    with workplace() as directory:
        configuration = directory / "gunicorn_yardstick.py"
        configuration.write_text("control_socket_disable = True\n")
        app = f"benchmarks.yardsticks:{name}()"
        environment = _clean_environment() | {"BENCH_API_URL": api_url, "BENCH_FILE": str(directory / "appended")}
        with gunicorn(app, layout, environment, directory, f"--config={configuration}") as server:
            yield server


@contextmanager
def queueing(layout: Layout, api_url: str, threads: int = 8) -> Iterator[tuple[Server, int]]:
    """Run the app of queueing.py under gunicorn and its consumer beside it; give also the consumer's process."""
    with workplace() as directory:
        configuration, log = directory / "gunicorn_yardstick.py", directory / "consumer.log"
        configuration.write_text("control_socket_disable = True\n")
        environment = _clean_environment() | {"BENCH_API_URL": api_url, "BENCH_FILE": str(directory / "huey.db")}
        environment |= {"PYTHONPATH": str(ROOT)}
        consumer = [str(Path(sys.executable).parent / "huey_consumer"), "benchmarks.queueing.huey", f"-w{threads}"]
        app = "benchmarks.queueing:queueing_flask()"
        with (
            gunicorn(app, layout, environment, directory, f"--config={configuration}") as server,
            _running([*consumer, "-kthread"], environment, log) as process,
        ):
            _wait_until(lambda: "started" in log.read_text(), process, "said that it started")
            yield server, process.pid


@contextmanager
def parley(
    layout: Layout,
    directory: Path,
    api_url: str = "http://127.0.0.1:9",
    inline_worker: str = "off",
    admin_password: str = "",
    database_url: str = "",
) -> Iterator[Server]:
    """Run Parley as deployed, with its own gunicorn.conf.py; its database is an SQLite file in `directory` or given."""
    more = {"BOT_INLINE_WORKER": inline_worker, "BOT_ADMIN_PASSWORD": admin_password}
    environment = parley_environment(directory, api_url, database_url=database_url) | more
    with gunicorn("wsgi:app", layout, environment, directory) as server:
        yield server


@contextmanager
def worker(environment: Mapping[str, str], directory: Path, log_name: str = "worker.log") -> Iterator[int]:
    """Run `flask worker` in a process of its own, and give its number once it works."""
    log = directory / log_name
    with _running([sys.executable, "-m", "flask", "worker"], environment, log) as process:
        _wait_until(lambda: "ready" in log.read_text(), process, "said that it was ready")
        yield process.pid


def parley_environment(
    directory: Path, api_url: str, worker_threads: int = 8, database_url: str = ""
) -> dict[str, str]:
    """Return the settings of a Parley that answers every message, without cool-down or budget."""
    rules = directory / "rules.toml"
    rules.write_text(RULES)
    return _clean_environment() | {
        "TWILIO_ACCOUNT_SID": ACCOUNT_SID,
        "TWILIO_AUTH_TOKEN": AUTH_TOKEN,
        "TWILIO_API_BASE_URL": api_url,
        "PUBLIC_URL": PUBLIC_URL,
        "DATABASE_URL": database_url or f"sqlite:///{directory / 'parley.db'}",
        "BOT_RULES": str(rules),
        "BOT_WORKER_THREADS": str(worker_threads),
    }


def _clean_environment() -> dict[str, str]:
    """Return this environment less everything that could set up a server, also from a `.env` file."""
    foreign = ("TWILIO_", "BOT_", "FLASK_", "GUNICORN_", "WEB_CONCURRENCY", "DATABASE_URL", "PUBLIC_URL", "DYNO")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    return kept | {"FLASK_SKIP_DOTENV": "1"}


@contextmanager
def gunicorn(app: str, layout: Layout, environment: Mapping[str, str], directory: Path, *more: str) -> Iterator[Server]:
    """Run `app` under gunicorn until the block ends; ready when every process has answered or started."""
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", app, f"--bind=127.0.0.1:{port}", "--keep-alive=15"]
    command += [f"--workers={layout.processes}", f"--threads={layout.threads}", "--worker-class=gthread", *more]
    with _running(command, environment, directory / "gunicorn.log") as process:
        _wait_until(lambda: len(children(process.pid)) == layout.processes, process, "started all processes")
        _wait_until(lambda: _answers(port), process, "answered")
        yield Server(port, process.pid)


@contextmanager
def slow_api(latency: float) -> Iterator[Server]:
    """Run slow_api.py with this latency in seconds."""
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.slow_api", f"--port={port}", f"--latency={latency}"]
    with workplace() as directory, _running(command, _clean_environment(), directory / "api.log") as process:
        _wait_until(lambda: _answers(port), process, "answered")
        yield Server(port, process.pid)


def arrivals(api: Server) -> list[tuple[float, str]]:
    """Return when each message reached the slow API (monotonic clock, seconds) and its ConversationSid."""
    connection = http.client.HTTPConnection("127.0.0.1", api.port, timeout=10)
    connection.request("GET", "/arrivals")
    listed = json.loads(connection.getresponse().read())
    connection.close()
    return [(seconds, conversation_sid) for seconds, conversation_sid in listed]


def run_worker_drain(environment: Mapping[str, str], seconds: float) -> float:
    """Return how many seconds `flask worker --drain` took; it is stopped and fails after `seconds`."""
    command = [sys.executable, "-m", "flask", "worker", "--drain"]
    started = time.monotonic()
    finished = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=seconds)
    if finished.returncode != 0:
        raise SystemExit(f"flask worker --drain ended with {finished.returncode}:\n{finished.stderr[-2000:]}")
    return time.monotonic() - started


def children(pid: int) -> list[int]:
    """Return the processes that `pid` started and that still run (Linux)."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def resident_megabytes(pid: int) -> float:
    """Return the resident memory of one process (Linux), shared pages included."""
    status = Path(f"/proc/{pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) / 1024


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def _running(command: list[str], environment: Mapping[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=output, stderr=output, start_new_session=True
        )
    try:
        yield process
    except NotReadyError as fault:
        raise SystemExit(f"{' '.join(command[1:4])}: {fault}\n{log.read_text()[-3000:]}") from fault
    finally:
        _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(timeout=STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


class NotReadyError(Exception):
    """A server ended, or was not ready in time; says which."""


def _wait_until(condition: Callable[[], bool], process: subprocess.Popen[bytes], what: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not condition():
        if process.poll() is not None:
            raise NotReadyError(f"ended with {process.returncode} before it {what}")
        if time.monotonic() > deadline:
            raise NotReadyError(f"had not {what} after {START_SECONDS} s")
        time.sleep(0.05)


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/healthz")
        connection.getresponse().read()
    except OSError:
        return False
    finally:
        connection.close()
    return True
