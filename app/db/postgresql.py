"""PostgreSQL engines whose connections time out, so that a silent server, network or pooler blocks no thread.

Here alone psycopg is imported, and only where the database is PostgreSQL.
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future
from typing import Any

import psycopg
from sqlalchemy import Engine, create_engine, event, exc

from app.db.faults import SILENT, Fault
from app.db.writer_lock import time_left

LOCK_SECONDS = 0.5  # of a transaction with priority: longer than ordinary locks, shorter than anybody's patience
IDLE_IN_TRANSACTION_SECONDS = 5.0  # then a process that is frozen or gone holds its rows no longer
CONNECT_SECONDS = 2.0  # then another attempt may find the way that this one did not
SILENCE_SECONDS = 3.5  # one answer of the server; its own time-out comes before
MOST_ATTEMPTS = 16  # to connect, at once; each may hang for as long as a name is looked up


class NoAnswer(psycopg.OperationalError):
    """The other side is there, and says nothing."""

    fault = Fault("PostgreSQL does not answer", SILENT)


class BoundedConnection(psycopg.Connection[Any]):
    """A connection that ends when an answer does not come in time: whoever needs the next takes a new one."""

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        """Wait for the server as psycopg does, but no longer than this thread may. Raises NoAnswer."""
        may = time_left(SILENCE_SECONDS)
        if may is None or (timeout is not None and timeout < may):
            return super().wait(gen, interval, timeout)
        until = time.monotonic() + may
        try:
            return super().wait(gen, interval, may)
        except psycopg.OperationalError as error:
            if time.monotonic() < until or error.sqlstate:
                raise
            self.pgconn.finish()
            raise NoAnswer("no answer in time") from error


class Era:
    """Counts the times at which all connections of a process became doubtful; they are shared by its engines."""

    def __init__(self) -> None:
        self.number = 0

    def end(self) -> None:
        """Let every connection that is open now be thrown away before it is used again."""
        self.number += 1


def make_engine(url: Any, connections: int, wait_seconds: float, era: Era, *, priority: bool = False) -> Engine:
    """Return an engine with at most that many connections, which stay open.

    One with priority waits for locks for LOCK_SECONDS only, and does not ask a connection whether it lives before
    using it: who writes urgently tries again.
    """
    engine = create_engine(
        url,
        pool_size=connections,
        max_overflow=0,
        pool_timeout=wait_seconds,
        isolation_level="READ COMMITTED",  # whatever the role or the server has as default
        hide_parameters=True,
        connect_args=_connect_args(url, wait_seconds, LOCK_SECONDS if priority else wait_seconds),
    )

    @event.listens_for(engine, "do_connect")
    def connect(_dialect: Any, _record: Any, args: Any, params: Any) -> BoundedConnection:
        return _connect_in_time(min(time_left(wait_seconds) or wait_seconds, CONNECT_SECONDS), args, params)

    @event.listens_for(engine, "checkout")
    def trust(connection: Any, record: Any, _proxy: Any) -> None:
        """Throw away what was connected before the last fault, and what is found dead."""
        is_fresh = "era" not in record.info
        if record.info.setdefault("era", era.number) != era.number:
            raise exc.DisconnectionError("connected before the last fault")
        if not (is_fresh or priority):
            _ping(engine, connection)

    return engine


def _connect_args(url: Any, wait_seconds: float, lock_seconds: float) -> dict[str, Any]:
    limits = {
        "statement_timeout": wait_seconds,
        "lock_timeout": lock_seconds,
        "idle_in_transaction_session_timeout": IDLE_IN_TRANSACTION_SECONDS,
    }
    given = {
        "connect_timeout": int(wait_seconds),
        "tcp_user_timeout": int(wait_seconds * 1000),
        "keepalives_idle": 10,  # a connection on which nobody speaks finds out too that the other side is gone
        "keepalives_interval": 3,
        "options": " ".join(f"-c {name}={int(seconds * 1000)}" for name, seconds in limits.items()),
    }
    # Of several hosts the one that takes writes, and after a failover not its former self.
    return given if "target_session_attrs" in url.query else given | {"target_session_attrs": "read-write"}


def _ping(engine: Engine, connection: Any) -> None:
    try:
        engine.dialect.do_ping(connection)
    except psycopg.Error as error:
        raise exc.DisconnectionError("the connection is dead") from error


_attempts = threading.BoundedSemaphore(MOST_ATTEMPTS)


def _connect_in_time(seconds: float, args: Any, params: Any) -> BoundedConnection:
    """Return a new connection, or raise NoAnswer: a thread of its own waits for names and handshakes that hang."""
    if not _attempts.acquire(blocking=False):
        raise NoAnswer("too many attempts to connect hang")
    attempt: Future[BoundedConnection] = Future()
    threading.Thread(target=_attempt, args=(attempt, args, params), name="db-connect", daemon=True).start()
    try:
        return attempt.result(seconds)
    except TimeoutError:
        attempt.add_done_callback(_close)
        raise NoAnswer("no connection in time") from None


def _attempt(attempt: Future[BoundedConnection], args: Any, params: Any) -> None:
    try:
        attempt.set_result(BoundedConnection.connect(*args, **params))
    except BaseException as error:  # noqa: BLE001 - whoever waits for it raises it
        attempt.set_exception(error)
    finally:
        _attempts.release()


def _close(attempt: Future[BoundedConnection]) -> None:
    if attempt.exception() is None:
        attempt.result().close()
