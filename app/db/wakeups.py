"""Hears when a lane may have become ready, in whatever process: at once on PostgreSQL, by a glance on SQLite.

Who does not hear it still polls.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

from sqlalchemy import Connection, Insert, Update, func, select

from app.db.database import Database, DatabaseUnavailable
from app.logs import describe_error

CHANNEL = "parley_lanes"
STOP_SECONDS = 0.5  # how long a listener may take to see that it shall stop
PROBE_SECONDS = 3.0  # a notification of our own that has not come by then will not come
RETRY_SECONDS = 2.0
LOST_RETRY_SECONDS = 60.0
NOTHING = ""  # the payload that says: a lane is ready; others are probes

log = logging.getLogger("parley.wakeups")
NO_NOTIFICATIONS = "no notification comes through this connection; a pooler in transaction mode? See docs/deploying.md"
Change = TypeVar("Change", Insert, Update)


def telling(dialect: str, change: Change) -> Change:
    """Return a statement on `lanes` that also notifies all listeners, at commit and once, if it changes a row.

    PostgreSQL sends equal notifications of one transaction once, so a whole group of events is one; and as a part of
    the statement it costs no round trip. On SQLite nobody can be notified.
    """
    return change.returning(func.pg_notify(CHANNEL, NOTHING)) if dialect == "postgresql" else change


class CommitWatch:
    """Sees whether anybody has written to the SQLite file, far more cheaply than by a query; for one thread at a time.

    Source: sqlite.org/pragma.html#pragma_data_version, read 2026-11-29: it changes with each commit of another
    connection, of this process or another; this connection writes nothing.
    """

    def __init__(self, db: Database) -> None:
        self._db = db
        self._connection: Connection | None = None
        self._driver: Any = None
        self._seen: int | None = None

    def has_changed(self) -> bool:
        """Return whether something was committed since this was asked last; also where that cannot be told."""
        try:
            if self._connection is None:
                self._connect()
            (version,) = self._driver.execute("PRAGMA data_version").fetchone()
        except Exception:  # noqa: BLE001 - whoever looks for work then finds out what is wrong, and says so
            self.close()
            return True
        before, self._seen = self._seen, int(version)
        return before != self._seen

    def _connect(self) -> None:
        self._connection = self._db.engine.connect()
        self._driver = self._connection.connection.driver_connection
        self._connection.detach()  # of no pool: it is kept

    def close(self) -> None:
        """Close the connection; the next question opens another."""
        connection, self._connection, self._seen = self._connection, None, None
        if connection is not None:
            with suppress(Exception):
                connection.close()


class NotificationsLost(Exception):
    """The connection works, but no notification comes through it."""


class Listener:
    """A thread with a connection of its own that calls `on_notify` for each notification, and connects again when cut.

    `on_notify` is called, too, when it has connected: something may have been missed.
    """

    def __init__(self, db: Database, on_notify: Callable[[], None]) -> None:
        self._db, self._on_notify = db, on_notify
        self._stopping = threading.Event()
        self._said = ""
        self._thread = threading.Thread(target=self._run, name="worker-listener", daemon=True)

    def start(self) -> None:
        """Start listening and return."""
        self._thread.start()

    def ask_to_stop(self) -> None:
        """Let the listening end, within half a second."""
        self._stopping.set()

    def stop(self) -> None:
        """Listen no longer; return when the connection is closed, or cannot be closed soon."""
        self.ask_to_stop()
        if self._thread.is_alive():
            self._thread.join(2 * STOP_SECONDS)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._listen()
            except NotificationsLost:
                self._say(logging.WARNING, "wakeups.polling", NO_NOTIFICATIONS)
                self._stopping.wait(LOST_RETRY_SECONDS)
            except Exception as error:  # noqa: BLE001 - it must go on trying; those who poll work meanwhile
                reason = str(error) if isinstance(error, DatabaseUnavailable) else describe_error(error)
                self._say(logging.WARNING, "wakeups.polling", reason)
                self._stopping.wait(RETRY_SECONDS)

    def _listen(self) -> None:
        with self._connection() as driver:
            driver.execute(f"LISTEN {CHANNEL}")
            if not self._is_notified(driver):
                return
            self._say(logging.INFO, "wakeups.listening", "")
            self._on_notify()
            while not self._stopping.is_set():
                for word in driver.notifies(timeout=STOP_SECONDS, stop_after=1):
                    if word.payload == NOTHING:
                        self._on_notify()

    def _is_notified(self, driver: Any) -> bool:
        """Notify over another connection and wait: some poolers let LISTEN pass, and nothing comes.

        Return False when it was asked to stop meanwhile. Raises NotificationsLost.
        """
        token = secrets.token_hex(8)
        with self._db.write() as tx:
            tx.execute(select(func.pg_notify(CHANNEL, token)))
        deadline = time.monotonic() + PROBE_SECONDS
        while not self._stopping.is_set():
            words = driver.notifies(timeout=STOP_SECONDS, stop_after=1)
            if any(word.payload == token for word in words):
                return True
            if time.monotonic() > deadline:
                raise NotificationsLost
        return False

    @contextmanager
    def _connection(self) -> Iterator[Any]:
        """Give a connection of the driver's that belongs to no pool and commits each statement."""
        with self._db.engine.connect() as tx:
            driver: Any = tx.connection.driver_connection
            tx.detach()
            driver.autocommit = True
            yield driver

    def _say(self, level: int, event: str, reason: str) -> None:
        """Log an event unless it was the last one that was logged."""
        if event + reason != self._said:
            self._said = event + reason
            log.log(level, event, extra={"reason": reason or None})
