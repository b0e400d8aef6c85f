"""The gate in front of each request to Twilio: who must wait for it, and what a request's end says about it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

from app.bot.context import Bot
from app.inbox.job import Postponed
from app.store import rate_limits
from app.store.rate_limits import ACCOUNT, Passage
from app.twilio_api.client import Conversations
from app.twilio_api.errors import SendError

Result = TypeVar("Result")

CLOSED_FOR = timedelta(seconds=1)  # after a 429 without Retry-After


def ask(
    request: Callable[[Conversations], Result],
    conversation_sid: str,
    bot: Bot,
    *,
    before: Callable[[], None] = lambda: None,
    failed: Callable[[SendError], None] = lambda _error: None,
    within: float | None = None,
    only_reads: bool = False,
) -> Result:
    """Return what requests about a conversation bring, made outside of any transaction and while the lane is ours.

    `before` is called, and what it writes is on disk, when they may be made; `failed` when they brought nothing. Each
    leaves at most `within` seconds after that. `only_reads`: they change nothing at Twilio. Raises SendError,
    LeaseLost; Postponed while the gate is closed.
    """
    passage = rate_limits.enter(bot.tx, conversation_sid, bot.work.now())
    if passage.opens_at:
        raise Postponed(passage.opens_at, passage.reason)
    before()
    bot.work.commit()
    try:
        with bot.calling_twilio(within=within) as twilio:
            found = request(twilio)
    except SendError as error:
        failed(error)
        _note_failure(error, conversation_sid, passage, bot, only_reads)
        raise
    _note_answer(passage, bot, only_reads)
    return found


def _note_answer(passage: Passage, bot: Bot, only_read: bool) -> None:
    """Note that Twilio has answered, where it has failed before."""
    if passage.failures:
        rate_limits.note_success(bot.tx, bot.work.now(), only_read=only_read)


def _note_failure(error: SendError, conversation_sid: str, passage: Passage, bot: Bot, only_read: bool) -> None:
    """Close the gate that an error asks for. Raises Postponed while Twilio is out of order: that costs no attempt."""
    now = bot.work.now()
    if error.is_outage and not error.asks_to_wait:
        closed = rate_limits.note_failure(bot.tx, passage, error.reason, now)
        if closed.opens_at and not bot.work.is_spent_by(asked_to_wait=True):
            bot.work.commit()
            raise Postponed(closed.opens_at, closed.reason) from error
        return
    _note_answer(passage, bot, only_read)
    if error.scope:
        scope = ACCOUNT if error.scope == "account" else conversation_sid
        rate_limits.close(bot.tx, scope, error.retry_after or CLOSED_FOR, now, error.reason)
