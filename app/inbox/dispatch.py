"""Processes one claimed event: parses it, calls its handler, and stores how it ended."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection

from app.db.database import DatabaseUnavailable
from app.inbox import internal_events, leases, queue
from app.inbox.job import Job, Reschedule
from app.inbox.queue import Claimed
from app.logs import describe_error
from app.twilio_api.errors import SendError

LEAST_AFTER_UNCERTAIN = 2.0  # seconds; a request without an answer may still be on its way

log = logging.getLogger("parley.worker")
LOG_EVENTS = {  # how work on an event ended -> the line that says so
    "processed": (logging.INFO, "event.processed"),
    "ignored": (logging.INFO, "event.ignored"),
    "dead": (logging.ERROR, "event.dead"),
    "retried": (logging.INFO, "event.retried"),
    "rescheduled": (logging.INFO, "event.rescheduled"),
    "interrupted": (logging.WARNING, "event.interrupted"),
    "lease lost": (logging.WARNING, "worker.lease_lost"),
}
Handler = Callable[[Any, Any], str]
Handlers = Mapping[type, Handler]  # one for each class of event
Buried = Callable[[Connection, Claimed, str], None]  # told of an event that died and why, before that is committed


def dispatch(event: object, bot: object, handlers: Handlers) -> str | None:
    """Return the line in which the handler of exactly this class says what happened; None where there is none."""
    handler = handlers.get(type(event))
    return None if handler is None else handler(event, bot)


def process_job(
    job: Job, handlers: Handlers, make_bot: Callable[[Job], Any], buried: Buried = lambda _tx, _claimed, _reason: None
) -> None:
    """Work on one claimed event and leave it finished, postponed or dead; a lost lease leaves it to its new owner."""
    started = time.monotonic()
    try:
        state, outcome = _attempt(job, handlers, make_bot, buried)
        _log(job.claimed, state, outcome, started)
    except leases.LeaseLost:
        _log(job.claimed, "lease lost", "the lease ended before we did; another worker has it", started)
    except DatabaseUnavailable as unavailable:
        _log(job.claimed, "interrupted", f"{unavailable}; taken up again when the lease ends", started)
    finally:
        job.rollback()


def _attempt(job: Job, handlers: Handlers, make_bot: Callable[[Job], Any], buried: Buried) -> tuple[str, str]:
    claimed = job.claimed
    if claimed.attempts > queue.MAX_ATTEMPTS:
        return _bury(job, "the worker ended each time while working on it", buried)
    try:
        event = internal_events.read(claimed.method, claimed.target, claimed.body)
        line = dispatch(event, make_bot(job), handlers)
    except Reschedule as wait:
        job.postpone(wait.reason, max(wait.until - job.now(), timedelta(0)), counts_as_attempt=False)
        wait.afterwards()
        return "rescheduled", wait.reason
    except SendError as error:
        return _retry_or_bury(job, error.reason, error, buried)
    except (leases.LeaseLost, DatabaseUnavailable):
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is: the event must end in a state a person can see
        log.error("event.failed", extra={"inbox_id": claimed.id, "error": describe_error(error)})
        return _retry_or_bury(job, describe_error(error), None, buried)
    if line is None:
        return _end(job, "ignored", f"nothing to do for {claimed.event_type}")
    return _end(job, "processed", line)


def _end(job: Job, state: str, outcome: str) -> tuple[str, str]:
    job.finish(state, outcome)
    return state, outcome


def _bury(job: Job, reason: str, buried: Buried) -> tuple[str, str]:
    buried(job.tx, job.claimed, reason)
    return _end(job, "dead", reason)


def _retry_or_bury(job: Job, reason: str, error: SendError | None, buried: Buried) -> tuple[str, str]:
    job.rollback()
    counts_as_attempt = job.counts_as_attempt(error.asks_to_wait if error else False)
    if (error and error.decision == "give up") or (counts_as_attempt and job.is_last_attempt):
        return _bury(job, reason, buried)
    wait = error.retry_after if error and error.retry_after else None
    least = LEAST_AFTER_UNCERTAIN if error and error.uncertain else 0.0
    job.postpone(
        reason, wait or queue.back_off(job.claimed.attempts, least_seconds=least), counts_as_attempt=counts_as_attempt
    )
    return "retried", reason


def _log(claimed: Claimed, end: str, outcome: str, started: float) -> None:
    facts = {
        "inbox_id": claimed.id,
        "event_type": claimed.event_type,
        "lane": claimed.lane,
        "attempt": claimed.attempts,
        "outcome": outcome,
        "ms": round((time.monotonic() - started) * 1000),
    }
    level, event = LOG_EVENTS[end]
    log.log(level, event, extra=facts)
