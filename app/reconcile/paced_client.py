"""A paced Twilio client for requests that can wait: within a rate and a budget, stopping at a 429."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, TypeVar

from app.db.database import Database
from app.store import rate_limits
from app.twilio_api.client import Conversations
from app.twilio_api.errors import SendError

LONGEST_WAIT_SECONDS = 120.0  # for Twilio's sake; what would take longer is left to the next run
TRIES = 4  # of one request, when no answer came or Twilio had a fault
WAITS = 10  # of one request, when Twilio asked to wait
NO_RETRY_AFTER = timedelta(seconds=1)
RENEW_SECONDS = 15.0

Result = TypeVar("Result")
Wait = Callable[[float], bool]


class Stopped(Exception):
    """No more requests now; what is left is for the next run. The message says why."""


class PacedClient:
    """Makes requests one by one, at most `per_second`; `most` of them, after start_counting(), unless it is 0.

    `wait` waits for seconds and returns whether to stop. `still_ours` is called now and then between requests; what
    it raises comes out of ask().
    """

    def __init__(
        self,
        twilio: Conversations,
        db: Database,
        *,
        per_second: float,
        wait: Wait,
        most: int = 0,
        still_ours: Callable[[], None] = lambda: None,
    ) -> None:
        self._twilio, self._db, self._wait, self._still_ours = twilio, db, wait, still_ours
        self._pause = 1.0 / per_second
        self._most = most
        self._counted: int | None = None
        self._next_at = self._renew_at = 0.0
        self.made = 0

    def start_counting(self) -> None:
        """Count the requests from here on against the budget."""
        self._counted = 0

    @property
    def budget_is_spent(self) -> bool:
        """Whether nothing more should be begun; what was begun may come to its end."""
        return bool(self._most) and (self._counted or 0) >= self._most

    def ask(self, request: Callable[[Any], Result], *, conversation_sid: str = "") -> Result:
        """Return what a request brings; it is given the SDK's Client. Raises Stopped, SendError."""
        failures = waits = 0
        while True:
            self._wait_for_our_time(conversation_sid)
            try:
                return self._twilio.ask(request)
            except SendError as error:
                if error.decision != "retry" or error.status in (401, 403):
                    raise
                if error.scope:
                    waits += 1
                    self._close_gate(error, conversation_sid)
                else:
                    failures += 1
                if failures == TRIES or waits == WAITS:
                    raise
                if failures and not error.scope:
                    self._pause_for(2.0 ** (failures - 1))

    def listed(self, first_page: Callable[[Any], Any], *, conversation_sid: str = "") -> Iterator[Any]:
        """Yield what a list has, page by page; `first_page` is given the SDK's Client. Raises as ask() does."""
        page = self.ask(first_page, conversation_sid=conversation_sid)
        yield from page
        while page.next_page_url:
            page = self.ask(_next_of(page), conversation_sid=conversation_sid)
            yield from page

    def _wait_for_our_time(self, conversation_sid: str) -> None:
        if self._renew_at <= time.monotonic():
            self._still_ours()
            self._renew_at = time.monotonic() + RENEW_SECONDS
        self._pause_for(max(0.0, self._next_at - time.monotonic()))
        while (closed_for := self._gate_closed_for(conversation_sid)) > 0:
            if closed_for > LONGEST_WAIT_SECONDS:
                raise Stopped(f"Twilio asked us to wait for {closed_for:.0f} s")
            self._pause_for(min(closed_for, RENEW_SECONDS))
            self._still_ours()
        self._next_at = time.monotonic() + self._pause
        self.made += 1
        if self._counted is not None:
            self._counted += 1

    def _gate_closed_for(self, conversation_sid: str) -> float:
        with self._db.read() as tx:
            now = self._db.now(tx)
            opens_at = rate_limits.opens_at(tx, conversation_sid, now)
        return (opens_at - now).total_seconds() if opens_at else 0.0

    def _close_gate(self, error: SendError, conversation_sid: str) -> None:
        scope = conversation_sid if error.scope == "conversation" and conversation_sid else rate_limits.ACCOUNT
        with self._db.write() as tx:
            rate_limits.close(tx, scope, error.retry_after or NO_RETRY_AFTER, self._db.now(tx), error.reason)

    def _pause_for(self, seconds: float) -> None:
        if self._wait(seconds):
            raise Stopped("asked to stop")


def _next_of(page: Any) -> Callable[[Any], Any]:
    return lambda _client: page.next_page()
