"""What is done about one claimed event: it is read, the handler of its class is called, and it ends or waits."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from app.db.database import DatabaseUnavailable
from app.inbox import internal_events, leases, queue
from app.inbox.job import Postponed, Work
from app.inbox.queue import Claimed
from app.logs import fault
from app.twilio_api.errors import SendError

LEAST_AFTER_UNCERTAIN = 2.0  # seconds; a request without an answer may still be on its way

log = logging.getLogger("parley.worker")
Handler = Callable[[Any, Any], str]
Handlers = Mapping[type, Handler]  # one for each class of event


def dispatch(event: object, bot: object, handlers: Handlers) -> str | None:
    """Return the line in which the handler of exactly this class says what happened; None where there is none."""
    handler = handlers.get(type(event))
    return None if handler is None else handler(event, bot)


def work_on(work: Work, handlers: Handlers, make_bot: Callable[[Work], Any]) -> None:
    """Work on one claimed event and leave it finished, postponed or dead; a lost lease leaves it to its new owner."""
    started = time.monotonic()
    try:
        state, outcome = _attempt(work, handlers, make_bot)
        _log(work.claimed, state, outcome, started)
    except leases.LeaseLost:
        _log(work.claimed, "lost", "the lease ended before we did; another worker has it", started)
    except DatabaseUnavailable as unavailable:
        _log(work.claimed, "kept", f"{unavailable}; taken up again when the lease ends", started)
    finally:
        work.rollback()


def _attempt(work: Work, handlers: Handlers, make_bot: Callable[[Work], Any]) -> tuple[str, str]:
    claimed = work.claimed
    if claimed.attempts > queue.MAX_ATTEMPTS:
        return _end(work, "dead", "the worker ended each time while working on it")
    try:
        event = internal_events.read(claimed.method, claimed.target, claimed.body)
        line = dispatch(event, make_bot(work), handlers)
    except Postponed as wait:
        work.postpone(wait.reason, max(wait.until - work.now(), timedelta(0)), spent=False)
        wait.afterwards()
        return "postponed", wait.reason
    except SendError as error:
        return _retry_or_bury(work, error.reason, error)
    except (leases.LeaseLost, DatabaseUnavailable):
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is: the event must end in a state a person can see
        log.error("fault", extra={"inbox_id": claimed.id, "fault": fault(error)})
        return _retry_or_bury(work, fault(error), None)
    if line is None:
        return _end(work, "ignored", f"nothing to do for {claimed.event_type}")
    return _end(work, "processed", line)


def _end(work: Work, state: str, outcome: str) -> tuple[str, str]:
    work.finish(state, outcome)
    return state, outcome


def _retry_or_bury(work: Work, reason: str, error: SendError | None) -> tuple[str, str]:
    work.rollback()
    spent = work.is_spent_by(error.asks_to_wait if error else False)
    if (error and error.decision == "give up") or (spent and work.is_last_attempt):
        return _end(work, "dead", reason)
    wait = error.retry_after if error and error.retry_after else None
    least = LEAST_AFTER_UNCERTAIN if error and error.uncertain else 0.0
    work.postpone(reason, wait or queue.back_off(work.claimed.attempts, least_seconds=least), spent=spent)
    return "postponed", reason


def _log(claimed: Claimed, state: str, outcome: str, started: float) -> None:
    facts = {
        "inbox_id": claimed.id,
        "event_type": claimed.event_type,
        "lane": claimed.lane,
        "attempt": claimed.attempts,
        "outcome": outcome,
        "ms": round((time.monotonic() - started) * 1000),
    }
    log.info(state, extra=facts)
