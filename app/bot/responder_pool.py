"""Calls the responder in threads of its own, so that a slow one holds up no conversation but its own.

A call has a row from the question to the decision: it is deleted in the transaction that stores what was decided.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, delete, select, update

from app.db.database import Database, DatabaseUnavailable, Record, insert_into
from app.db.tables import responder_calls
from app.inbox import queue
from app.logs import describe_error
from app.responder import Context, Function, Message, ResponderError, checked_reply

THREADS = 8
MOST_WAITING = 64  # calls that wait for a thread
MARGIN = timedelta(seconds=1)  # after its deadline a call is not waited for; by then its event is due
PAUSES = (0.1, 0.5, 2.0)  # seconds between the attempts to store an answer

log = logging.getLogger("parley.responder")


@dataclass(frozen=True, slots=True)
class Call:
    """One question to the responder, the lane that waits for the answer, and until when it waits."""

    message: Message
    context: Context
    lane: str
    deadline: datetime


class Responder:
    """A function that may take its time. What it answers is stored, and wakes the lane that waits for it.

    At most `threads` calls run and, give or take a few, `most_waiting` wait for a thread. A call cannot be broken
    off: one that never returns keeps its thread.
    """

    def __init__(
        self, function: Function, db: Database, *, threads: int = THREADS, most_waiting: int = MOST_WAITING
    ) -> None:
        self._function, self._db = function, db
        self._threads, self._most_waiting = threads, most_waiting
        self._lock = threading.Lock()
        self._waiting: deque[Call] = deque()
        self._deadlines: dict[str, datetime] = {}  # of all calls that wait or run
        self._running = 0

    @property
    def is_full(self) -> bool:
        with self._lock:
            return len(self._waiting) >= self._most_waiting

    def ask(self, call: Call) -> None:
        """Call the function as soon as a thread is free, and return at once."""
        with self._lock:
            self._deadlines[call.message.message_sid] = call.deadline
            self._waiting.append(call)
            more = self._running < self._threads
            self._running += more
        if more:
            threading.Thread(target=self._run, name="responder", daemon=True).start()

    def is_awaited(self) -> bool:
        """Return whether an answer may still come in time, so that it is worth waiting for."""
        with self._lock:
            deadlines = list(self._deadlines.values())
        try:
            return bool(deadlines) and self._now() < max(deadlines) + MARGIN
        except DatabaseUnavailable:
            return True

    def _run(self) -> None:
        while call := self._next():
            try:
                self._work_on(call)
            except Exception as error:  # noqa: BLE001 - the next call still wants its thread
                _log(logging.ERROR, "answer lost", call, fault=describe_error(error))
            finally:
                with self._lock:
                    self._deadlines.pop(call.message.message_sid, None)

    def _next(self) -> Call | None:
        with self._lock:
            if self._waiting:
                return self._waiting.popleft()
            self._running -= 1
            return None

    def _work_on(self, call: Call) -> None:
        if self._now() >= call.deadline:
            return _log(logging.WARNING, "responder.busy", call)
        started = time.monotonic()
        answer = self._answer(call)
        if not self._store(call, answer):
            spent = round((time.monotonic() - started) * 1000)
            _log(logging.WARNING, "responder.too_late", call, ms=spent)
        return None

    def _answer(self, call: Call) -> Mapping[str, Any]:
        """Return what is to be stored: a reply, that there is none, or what failed, without anybody's words."""
        try:
            reply = checked_reply(self._function(call.message, call.context))
        except ResponderError as error:
            failed = str(error)
        except BaseException as error:  # noqa: BLE001 - also SystemExit: somebody else's function may raise anything
            failed = describe_error(error)
        else:
            return {"reply": asdict(reply) if reply else None}
        _log(logging.ERROR, "responder.failed", call, error=failed)
        return {"failed": failed}

    def _store(self, call: Call, answer: Mapping[str, Any]) -> bool:
        for pause in PAUSES:
            try:
                return self._store_once(call, answer)
            except DatabaseUnavailable:
                time.sleep(pause)
        return self._store_once(call, answer)

    def _store_once(self, call: Call, answer: Mapping[str, Any]) -> bool:
        with self._db.write() as tx:
            instant = self._db.instant(tx)
            in_time = record_answer(tx, call.message.message_sid, answer, instant.at)
            if in_time:
                queue.pull_forward(tx, call.lane, instant)
        return in_time

    def _now(self) -> datetime:
        with self._db.read() as tx:
            return self._db.now(tx)


def _log(level: int, event: str, call: Call, **facts: object) -> None:
    sids = {"message_sid": call.message.message_sid, "conversation_sid": call.context.conversation_sid}
    log.log(level, event, extra=sids | facts)


def find_call(tx: Connection, message_sid: str) -> Record | None:
    """Return the call about a message: `answered_at` is None while it is under way. None: nobody was asked."""
    return tx.execute(select(responder_calls).where(responder_calls.c.message_sid == message_sid)).first()


def record_question(tx: Connection, message_sid: str, lane: str, members: Sequence[str], now: datetime) -> None:
    """Write down that the responder is about to be asked, about these later messages of a burst too."""
    row = {"message_sid": message_sid, "lane": lane, "asked_at": now, "members": list(members)}
    tx.execute(insert_into(tx.dialect.name, responder_calls).on_conflict_do_nothing(), row)


def record_answer(tx: Connection, message_sid: str, answer: Mapping[str, Any], now: datetime) -> bool:
    """Store what came back; return False when that was too late, because the decision has been made."""
    open_call = (responder_calls.c.message_sid == message_sid, responder_calls.c.answered_at.is_(None))
    stored = tx.execute(update(responder_calls).where(*open_call).values(answer=dict(answer), answered_at=now))
    return stored.rowcount > 0


def take_call(tx: Connection, message_sid: str) -> Record | None:
    """Return the call about a message and delete it: the decision is about to be stored. None: nobody was asked."""
    this = responder_calls.c.message_sid == message_sid
    return tx.execute(delete(responder_calls).where(this).returning(responder_calls)).first()
