"""Ends whatever runs at its n-th step, as a power cut would; a step is an SQL statement, a commit or a REST request."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import requests
from sqlalchemy import Connection, Engine, event


class PowerCut(BaseException):
    """The process ends here: no handler of exceptions sees it."""


@contextmanager
def cut_at(engine: Engine, step: int) -> Iterator[list[str]]:
    """Raise PowerCut before the step with this number, counted from 1; 0 cuts nothing. Gives the steps so far.

    A REST request is two steps, "POST" before it leaves and "POST answered" when it is back.
    """
    steps: list[str] = []

    def pass_step(name: str, tx: Connection | None = None) -> None:
        steps.append(name)
        if len(steps) == step:
            if tx is not None:
                tx.invalidate()  # the database sees the connection end
            raise PowerCut(name)

    send = requests.Session.send

    def sent(session: requests.Session, request: Any, **options: Any) -> requests.Response:
        pass_step(request.method)
        response = send(session, request, **options)
        pass_step(f"{request.method} answered")
        return response

    def before_statement(tx: Connection, _cursor: Any, statement: str, *_more: Any) -> None:
        pass_step(statement.split()[0], tx)

    def before_commit(tx: Connection) -> None:
        pass_step("COMMIT", tx)

    listeners = {"before_cursor_execute": before_statement, "commit": before_commit}
    with mock.patch.object(requests.Session, "send", sent), _listening(engine, listeners):
        yield steps


@contextmanager
def _listening(engine: Engine, listeners: dict[str, Callable[..., None]]) -> Iterator[None]:
    for name, listener in listeners.items():
        event.listen(engine, name, listener)
    try:
        yield
    finally:
        for name, listener in listeners.items():
            event.remove(engine, name, listener)
