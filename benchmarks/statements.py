"""Counts the SQL statements that reach the database's driver for each kind of event; begins and ends are not counted.

`python -m benchmarks.statements` plays them in one process, one thread, with the settings of its environment, and
prints one JSON document: statements for each event that was acknowledged, and for each that was worked off.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, event, select

from benchmarks.messages import (
    PUBLIC_URL,
    ROUTE,
    VALIDATOR,
    conversation_added,
    inbound_sms,
    new_batch,
    receipt,
)
from benchmarks.servers import ROOT

EVENTS = 40
STATUSES = ("sent", "delivered", "read")
_NOT_COUNTED = ("BEGIN", "COMMIT", "ROLLBACK", "PRAGMA")
_counted = 0


def count_statements(environment: Mapping[str, str]) -> dict[str, float]:
    """Return the statements for each event by its name, counted in a process of its own with these settings."""
    command = [sys.executable, "-m", "benchmarks.statements"]
    finished = subprocess.run(
        command, cwd=ROOT, env={**environment}, capture_output=True, text=True, timeout=120, check=False
    )
    if finished.returncode != 0:
        raise SystemExit(f"benchmarks.statements ended with {finished.returncode}:\n{finished.stderr[-2000:]}")
    counted: dict[str, float] = json.loads(finished.stdout)
    return counted


def _count_on_connect(connection: Any, _record: Any) -> None:
    """Count what an SQLite connection runs."""
    if hasattr(connection, "set_trace_callback"):
        connection.set_trace_callback(_note)


def _note(statement: str) -> None:
    global _counted
    _counted += not statement.lstrip().upper().startswith(_NOT_COUNTED)


def _count_postgresql() -> None:
    """Count what any cursor of psycopg runs."""
    import psycopg

    for name in ("execute", "executemany"):
        original = getattr(psycopg.Cursor, name)

        def counted(self: Any, query: Any, *rest: Any, _original: Any = original, **options: Any) -> Any:
            _note(query if isinstance(query, str) else "other")
            return _original(self, query, *rest, **options)

        setattr(psycopg.Cursor, name, counted)


@contextmanager
def _counting(into: dict[str, float], name: str, events: int) -> Iterator[None]:
    before = _counted
    yield
    into[name] = round((_counted - before) / events, 2)


def _play() -> dict[str, float]:
    from app import create_app
    from app.db.tables import replies
    from app.runtime.worker import make_worker

    app, found = create_app(), dict[str, float]()
    runtime = app.extensions["parley"]
    worker, client = make_worker(runtime.settings, runtime.db), app.test_client()

    def post(form: dict[str, str]) -> None:
        signature = VALIDATOR.compute_signature(PUBLIC_URL + ROUTE, form)
        answer = client.post(ROUTE, data=form, headers={"X-Twilio-Signature": signature})
        if answer.status_code != 204:
            raise SystemExit(f"a webhook was answered with {answer.status_code}")

    def work() -> None:
        while worker.work_along():
            pass

    def play(name: str, forms: list[dict[str, str]], then: Callable[[], None]) -> None:
        with _counting(found, f"{name} acknowledged", len(forms)):
            for form in forms:
                post(form)
        with _counting(found, f"{name} worked off", len(forms)):
            then()

    batch = new_batch(EVENTS)
    play("conversation", [conversation_added(batch, n) for n in range(EVENTS)], work)
    play("first message", [inbound_sms(batch, n) for n in range(EVENTS)], work)
    play("message", [inbound_sms(batch, n) for n in range(EVENTS, 2 * EVENTS)], work)
    with runtime.db.read() as tx:
        sent = tx.execute(select(replies.c.message_sid, replies.c.conversation_sid)).all()
    if len(sent) != 2 * EVENTS:
        raise SystemExit(f"{len(sent)} replies to {2 * EVENTS} messages")
    play(
        "receipt",
        [receipt(reply.message_sid, reply.conversation_sid, status) for status in STATUSES for reply in sent],
        work,
    )
    return found


if __name__ == "__main__":
    event.listen(Engine, "connect", _count_on_connect)
    _count_postgresql()
    print(json.dumps(_play()))
