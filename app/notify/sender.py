"""Sends what was written down: one thread for each target, so that one that hangs holds up no other and no reply."""

from __future__ import annotations

import logging
import random
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from sqlalchemy import Connection

from app.db.database import Database, DatabaseUnavailable
from app.logs import Sparingly, describe_error
from app.notify import through_apprise, words
from app.notify.posting import Poster
from app.notify.recording import Recorder
from app.notify.targets import NotifyTarget, Outcome, targets_of
from app.rules.notices import Notify
from app.store import notifications
from app.store.notifications import Notification

POLL_SECONDS = 0.5
FIRST_BACK_OFF, LONGEST_BACK_OFF = 5.0, 3600.0  # seconds; between two attempts at one
GIVE_UP_AFTER = timedelta(days=3)
LONGEST_PAUSE_SECONDS = 60.0  # of a target of which nothing is heard: the next one would wait for it as long
FOREIGN_AFTER = timedelta(hours=1)  # then a target that is not in BOT_NOTIFY is not one of another process's either
LOOK_FOR_FOREIGN_SECONDS = 60.0

log = logging.getLogger("parley.notify")


class Sender:
    """Threads that send until they are stopped; `asked` returns `[notify]` of the rules in force."""

    def __init__(
        self,
        db: Database,
        addresses: Mapping[str, str],
        recorder: Recorder,
        poster: Poster,
        asked: Callable[[], Notify],
    ) -> None:
        self._db, self._recorder, self._poster, self._asked = db, recorder, poster, asked
        self._targets = targets_of(addresses)
        self._stopping = threading.Event()
        self._troubles = Sparingly(log)
        self._looked_for_foreign = float("-inf")
        self._threads = [
            threading.Thread(target=self._run, args=(one,), name=f"notify-{one.name}", daemon=True)
            for one in self._targets
        ]

    def start(self) -> None:
        """Start the threads and return."""
        for thread in self._threads:
            thread.start()

    def ask_to_stop(self) -> None:
        """Begin nothing more."""
        self._stopping.set()

    def stop(self, timeout_seconds: float) -> bool:
        """Wait for what is being sent; return whether all of it ended."""
        self.ask_to_stop()
        until = time.monotonic() + timeout_seconds
        for thread in self._threads:
            if thread.is_alive():
                thread.join(max(0.0, until - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def send_due(self) -> None:
        """Send what is due now, each once; call it instead of start(). Raises DatabaseUnavailable."""
        for target in self._targets:
            while not self._stopping.is_set() and self.send_next(target) is not None:
                pass

    def _run(self, target: NotifyTarget) -> None:
        failures = 0
        while not self._stopping.is_set():
            outcome = self._try_next(target)
            failures = 0 if outcome is None or outcome.result != "again" else failures + 1
            if outcome is None or failures:
                self._stopping.wait(min(POLL_SECONDS * int(2 ** min(failures, 10)), LONGEST_PAUSE_SECONDS))

    def _try_next(self, target: NotifyTarget) -> Outcome | None:
        try:
            outcome = self.send_next(target)
            self._troubles.forget()
            return outcome
        except DatabaseUnavailable as unavailable:
            self._troubles.error("notify.database_unavailable", reason=str(unavailable))
        except Exception as error:  # noqa: BLE001 - a thread that ended would be missed by nobody
            self._troubles.error("notify.failed", error=describe_error(error))
        self._stopping.wait(1.0)
        return None

    def send_next(self, target: NotifyTarget) -> Outcome | None:
        """Send what a target is to be told next and return what came of it; None when nothing is due.

        Raises DatabaseUnavailable.
        """
        self._route()
        claimed = self._claim(target)
        if claimed is None:
            return None
        outcome = self._send(target, *claimed)
        with self._db.write() as tx:
            state = _record(tx, claimed[0], outcome, self._db.now(tx))
        _log(target, claimed[0], state, outcome)
        return outcome

    def _claim(self, target: NotifyTarget) -> tuple[Notification, datetime] | None:
        with self._db.read() as tx:
            if not notifications.is_anything_due(tx, target.name, self._db.now(tx)):
                return None
        claim = notifications.claim if target.is_posted else notifications.claim_group
        with self._db.write() as tx:
            now = self._db.now(tx)
            found = claim(tx, target.name, secrets.token_hex(8), now)
        return (found, now) if found else None

    def _send(self, target: NotifyTarget, told: Notification, now: datetime) -> Outcome:
        if target.is_posted:
            return self._poster.post(target, told, int(now.timestamp()))
        title, text = words.subject(told.payload, told.others), words.body(told.payload, told.others)
        return through_apprise.send(target, title, text)

    def _route(self) -> None:
        """Find out whom to tell of what was written down by a process that does not know."""
        with self._db.read() as tx:
            if not notifications.is_anything_due(tx, "", self._db.now(tx)):
                return self._give_up_foreign()
        with self._db.write() as tx:
            self._recorder.route(tx, self._asked(), self._db.now(tx))
        return None

    def _give_up_foreign(self) -> None:
        if time.monotonic() < self._looked_for_foreign + LOOK_FOR_FOREIGN_SECONDS:
            return
        self._looked_for_foreign = time.monotonic()
        with self._db.write() as tx:
            now = self._db.now(tx)
            names = [one.name for one in self._targets]
            notifications.end_those_without(tx, names, now - FOREIGN_AFTER, now)


def _log(target: NotifyTarget, told: Notification, state: str, outcome: Outcome) -> None:
    facts = {"target": target.name, "kind": told.kind, "webhook_id": told.webhook_id, "attempt": told.attempts}
    if outcome.result == "sent":
        log.info("notification.sent", extra=facts)
    else:
        more = {"state": state, "reason": outcome.reason}
        log.warning("notification.not_sent", extra=facts | more)


def _record(tx: Connection, told: Notification, outcome: Outcome, now: datetime) -> str:
    """Write down what came of an attempt and return it in a word."""
    if outcome.result == "again":
        due_at = now + back_off(told.attempts, outcome.retry_after)
        notifications.release_gathered(tx, told, outcome.reason, due_at)
        if now < told.created_at + GIVE_UP_AFTER:
            notifications.postpone(tx, told, outcome.reason, due_at)
            return notifications.WAITING
    ends = {"sent": notifications.SENT, "uncertain": notifications.UNCERTAIN}
    state = ends.get(outcome.result, notifications.FAILED)
    reason = f"given up after {GIVE_UP_AFTER.days} days: {outcome.reason}" if outcome.result == "again" else ""
    notifications.record_end(tx, told, state, reason or outcome.reason, now)
    return state


def back_off(attempts: int, least_seconds: float = 0.0) -> timedelta:
    """Return how long to wait after attempt number `attempts`: about 5 s, 10 s, ... an hour, half of it at random."""
    most = min(FIRST_BACK_OFF * 2.0 ** min(attempts - 1, 20), LONGEST_BACK_OFF)
    return timedelta(seconds=max(least_seconds, random.uniform(most / 2, most)))  # noqa: S311
