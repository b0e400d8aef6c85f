"""What happens to storage, for as long as a block lasts: locks, silence, frozen processes, a full disk, failover."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from pathlib import Path

import psycopg
import pytest

from tests.support.postgresql_server import Server, Standby
from tests.support.silent_front import SilentFront

ROOT = Path(__file__).parents[2]


@contextmanager
def frozen_process(program: str, *arguments: str) -> Iterator[None]:
    """Run a Python program that says a word, and stand still then; it is killed at the end."""
    head = "import os, signal, sys\n"
    foot = "\nprint('here', flush=True)\nos.kill(os.getpid(), signal.SIGSTOP)\n"
    command = [sys.executable, "-c", head + textwrap.dedent(program) + foot, *arguments]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
    try:
        assert process.stdout and process.stdout.readline() == b"here\n"
        os.waitpid(process.pid, os.WUNTRACED)  # it stands
        yield
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


def worker_frozen_in_a_transaction(url: str, lanes: Sequence[str]) -> AbstractContextManager[None]:
    """Let a process with our connections hold some lanes."""
    program = """
        from sqlalchemy import text
        from app import config
        from app.db.database import Database
        db = Database(config.from_environment({"DATABASE_URL": sys.argv[1]}).database_url)
        tx = db.transaction().tx
        tx.execute(text("UPDATE lanes SET lease_token = 'held' WHERE lane = ANY(:names)"), {"names": sys.argv[2:]})
    """
    return frozen_process(program, url, *lanes)


def program_frozen_in_a_transaction(url: str, lanes: Sequence[str]) -> AbstractContextManager[None]:
    """Let a process hold some lanes that no time-out of ours reaches."""
    program = """
        import psycopg
        connection = psycopg.connect(sys.argv[1])
        connection.execute("UPDATE lanes SET lease_token = 'held' WHERE lane = ANY(%s)", [sys.argv[2:]])
    """
    return frozen_process(program, url, *lanes)


def web_process_frozen_in_its_turn(file: Path) -> AbstractContextManager[None]:
    """Let a process of ours hold the turn to write to an SQLite file."""
    program = """
        from pathlib import Path
        from app.db.writer_lock import WriterLock
        turns = WriterLock(Path(sys.argv[1]))
        turns.acquire(5)
    """
    return frozen_process(program, str(file))


@contextmanager
def locked_by_another_program(file: Path) -> Iterator[None]:
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("PRAGMA busy_timeout = 10000")
        other.execute("BEGIN EXCLUSIVE")
        yield
        other.execute("ROLLBACK")


@contextmanager
def full_disk(folder: Path) -> Iterator[None]:
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(b"x" * 4096)
    try:
        yield
    finally:
        filler.unlink()


@contextmanager
def unwritable_files(folder: Path) -> Iterator[None]:
    """Let nobody whom permissions bind write in a folder; who has a file there open goes on."""
    for path in (*folder.iterdir(), folder):
        path.chmod(path.stat().st_mode & ~0o222)
    try:
        yield
    finally:
        for path in (folder, *folder.iterdir()):
            path.chmod(path.stat().st_mode | 0o200)


def bound_by_permissions() -> list[str]:
    """Return a command that starts another without root's right to write whatever permissions say, if we have it."""
    if os.geteuid() != 0:
        return []
    command = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all"]
    if shutil.which("setpriv") is None or subprocess.run([*command, "true"], capture_output=True).returncode:
        pytest.skip("no process can be started here that permissions bind: we are root, and setpriv is of no use")
    return command


@contextmanager
def table_locked(url: str, table: str = "inbox") -> Iterator[None]:
    with psycopg.connect(url) as other:
        other.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        yield


@contextmanager
def frozen_server(server: Server) -> Iterator[None]:
    server.freeze()
    try:
        yield
    finally:
        server.thaw()


@contextmanager
def silent_network(front: SilentFront) -> Iterator[None]:
    front.silence(new_ones_too=True)
    try:
        yield
    finally:
        front.speak()


@contextmanager
def read_only(url: str) -> Iterator[None]:
    """Let a server take no writes, also in sessions that are open."""
    _set_read_only(url, "on")
    try:
        yield
    finally:
        _set_read_only(url, "off")


def fail_over(server: Server, standby: Standby, front: SilentFront) -> float:
    """Let the standby take the place of the server, to which open connections lead on; return when it was done."""
    _set_read_only(server.url, "on")
    standby.promote()
    front.point_to(standby.folder)
    return time.monotonic()


def _set_read_only(url: str, value: str) -> None:
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute("SET default_transaction_read_only = off")
        admin.execute(f"ALTER SYSTEM SET default_transaction_read_only = {value}")
        admin.execute("SELECT pg_reload_conf()")


@contextmanager
def mounted(*, megabytes: int) -> Iterator[Path]:
    """Give a small file system, where the user that PostgreSQL runs as can reach it."""
    folder = Path(tempfile.mkdtemp(prefix="parley-disk-"))
    folder.chmod(0o755)
    options = f"size={megabytes}m,mode=777"
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], capture_output=True)
    if done.returncode:
        folder.rmdir()
        pytest.skip("no file system can be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)
        folder.rmdir()
