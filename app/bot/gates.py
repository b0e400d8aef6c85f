"""Rate-limit gates before each request to Twilio: waits where one is closed, closes one on a 429 or an outage."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

from app.bot import notices
from app.bot.context import HandlerContext
from app.inbox.job import Reschedule
from app.store import rate_limits
from app.store.rate_limits import ACCOUNT, Passage
from app.twilio_api.client import Conversations
from app.twilio_api.errors import SendError

Result = TypeVar("Result")

CLOSED_FOR = timedelta(seconds=1)  # after a 429 without Retry-After


def ask(
    request: Callable[[Conversations], Result],
    conversation_sid: str,
    context: HandlerContext,
    *,
    before: Callable[[], None] = lambda: None,
    failed: Callable[[SendError], None] = lambda _error: None,
    within: float | None = None,
    only_reads: bool = False,
) -> Result:
    """Return what requests about a conversation bring, made outside of any transaction and while the lane is ours.

    `before` is called, and what it writes is on disk, when they may be made; `failed` when they brought nothing. Each
    leaves at most `within` seconds after that. `only_reads`: they change nothing at Twilio. Raises SendError,
    LeaseLost; Reschedule while the gate is closed.
    """
    passage = rate_limits.enter(context.tx, conversation_sid, context.job.now())
    if passage.opens_at:
        raise Reschedule(passage.opens_at, passage.reason)
    before()
    context.job.commit()
    try:
        with context.calling_twilio(within=within) as twilio:
            found = request(twilio)
    except SendError as error:
        failed(error)
        _record_failure(error, conversation_sid, passage, context, only_reads)
        raise
    _record_answer(passage, context, only_reads)
    return found


def _record_answer(passage: Passage, context: HandlerContext, only_read: bool) -> None:
    """Record that Twilio has answered, where it has failed before."""
    if passage.failures:
        now = context.job.now()
        rate_limits.record_success(context.tx, now, only_read=only_read)
        if passage.failing_since and not only_read:
            notices.record_outage(passage.failing_since, notices.OUTAGE_ENDED, "", now, context)


def _record_failure(
    error: SendError, conversation_sid: str, passage: Passage, context: HandlerContext, only_read: bool
) -> None:
    """Close the gate that an error asks for. Raises Reschedule while Twilio is out of order: that costs no attempt."""
    now = context.job.now()
    if error.is_outage and not error.asks_to_wait:
        closed = rate_limits.record_failure(context.tx, passage, error.reason, now)
        if closed.failing_since and closed.failures == rate_limits.FAILURES:
            notices.record_outage(closed.failing_since, notices.OUTAGE_BEGAN, error.reason, now, context)
        if closed.opens_at and not context.job.counts_as_attempt(asked_to_wait=True):
            context.job.commit()
            raise Reschedule(closed.opens_at, closed.reason) from error
        return
    _record_answer(passage, context, only_read)
    if error.scope:
        scope = ACCOUNT if error.scope == "account" else conversation_sid
        rate_limits.close(context.tx, scope, error.retry_after or CLOSED_FOR, now, error.reason)
