"""SQLAlchemy engines of one database, created lazily; translates what their drivers raise."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

from sqlalchemy import URL, Engine, event, exc
from sqlalchemy.engine import ExceptionContext

from app.db import faults, sqlite

if TYPE_CHECKING:
    from app.db.postgresql import Era

WAIT_SECONDS = 3.0  # nobody waits longer than this for storage


class Engines:
    """SQLAlchemy's engines for one database; `in_words` returns what is raised instead of a driver's error."""

    def __init__(self, url: URL, connections: int, *, in_words: Callable[[BaseException], Exception]) -> None:
        self._url, self._connections, self._in_words = url, connections, in_words
        self._is_sqlite = url.get_backend_name() == "sqlite"

    @cached_property
    def shared(self) -> Engine:
        """The engine of everybody, with at most so many connections to PostgreSQL."""
        if self._is_sqlite:
            return self._with_words(sqlite.make_engine(self._url, WAIT_SECONDS))
        return self._postgresql(self._connections)

    @cached_property
    def priority(self) -> Engine:
        """The engine of transactions with priority, which wait for no connection that others use."""
        return self.shared if self._is_sqlite else self._postgresql(1, priority=True)

    def dispose(self) -> None:
        """Close every connection that is not in use."""
        for engine in {id(made): made for name in ("shared", "priority") if (made := vars(self).get(name))}.values():
            engine.dispose()

    @cached_property
    def _era(self) -> Era:
        from app.db.postgresql import Era

        return Era()

    def _postgresql(self, connections: int, *, priority: bool = False) -> Engine:
        from app.db import postgresql  # and so psycopg, which a process with SQLite does without

        made = postgresql.make_engine(self._url, connections, WAIT_SECONDS, self._era, priority=priority)
        return self._with_words(made)

    def _with_words(self, engine: Engine) -> Engine:
        event.listen(engine, "handle_error", self._fault_of_driver)
        return engine

    def _fault_of_driver(self, context: ExceptionContext) -> None:
        """Raise in words what the driver raised, wherever a statement is run; called by SQLAlchemy.

        What is wrong with the data stays what it is, and so does a deadlock: the database works, and the same
        statements will pass one by one.
        """
        error, cause = context.sqlalchemy_exception, context.original_exception
        if faults.is_about_this_statement_only(cause) or isinstance(error, exc.IntegrityError | exc.DataError):
            return
        if isinstance(error, exc.DBAPIError):
            context.is_disconnect |= faults.is_of_a_read_only_session(cause)
            if context.is_disconnect and not self._is_sqlite:
                self._era.end()  # the others lead to the same server
            raise self._in_words(cause) from cause
