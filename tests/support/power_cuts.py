"""Ends whatever runs at its n-th step, as a power cut would; a step is an SQL statement, a commit or a REST request."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest import mock

from sqlalchemy import Connection, Engine, event

from app.twilio_api.bounded_http import Answer, BoundedHttp


class PowerCut(BaseException):
    """The process ends here: no handler of exceptions sees it."""


@dataclass(frozen=True)
class Step:
    """What is about to be done: an SQL verb, "COMMIT" or a REST method; a REST request is two steps.

    "POST" comes before it leaves and "POST answered" when it is back.
    """

    name: str
    statement: str = ""
    tx: Connection | None = None


@contextmanager
def cut_at(engine: Engine, step: int) -> Iterator[list[str]]:
    """Raise PowerCut before the step with this number, counted from 1; 0 cuts nothing. Gives the steps so far."""
    steps: list[str] = []

    def pass_step(passed: Step) -> None:
        steps.append(passed.name)
        if len(steps) == step:
            if passed.tx is not None:
                passed.tx.invalidate()  # the database sees the connection end
            raise PowerCut(passed.name)

    with telling_steps(engine, pass_step):
        yield steps


@contextmanager
def telling_steps(engine: Engine, pass_step: Callable[[Step], None]) -> Iterator[None]:
    """Call `pass_step` before each step that is done within the block, in the thread that does it."""
    request = BoundedHttp.request

    def requested(http: BoundedHttp, method: str, *args: Any, **options: Any) -> Answer:
        pass_step(Step(method))
        answer = request(http, method, *args, **options)
        pass_step(Step(f"{method} answered"))
        return answer

    def before_statement(tx: Connection, _cursor: Any, statement: str, *_more: Any) -> None:
        pass_step(Step(statement.split()[0], statement, tx))

    def before_commit(tx: Connection) -> None:
        pass_step(Step("COMMIT", tx=tx))

    listeners: dict[str, Callable[..., None]] = {"before_cursor_execute": before_statement, "commit": before_commit}
    with mock.patch.object(BoundedHttp, "request", requested), _listening(engine, listeners):
        yield


@contextmanager
def _listening(engine: Engine, listeners: dict[str, Callable[..., None]]) -> Iterator[None]:
    for name, listener in listeners.items():
        event.listen(engine, name, listener)
    try:
        yield
    finally:
        for name, listener in listeners.items():
            event.remove(engine, name, listener)
