"""HandlerContext: what a handler is given beside the event (job, client, rules, policy, time)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from app.inbox.job import Job
from app.notify.recording import Recorder
from app.rules.facts import Policy
from app.rules.schema import Rules
from app.twilio_api.client import Conversations
from app.twilio_api.fence import fenced


@dataclass(frozen=True)
class HandlerContext:
    """The event's work (its transaction and lease), Twilio, the rules and where their files are, who writes for us."""

    job: Job
    twilio: Conversations
    rules: Rules
    policy: Policy
    responder: Any = None  # asked where no rule matched; None: nobody is
    folder: Path = Path()  # of the rules file; media are found from here
    recorder: Recorder | None = None  # of what somebody is to be told; None: BOT_NOTIFY names nobody

    @contextmanager
    def calling_twilio(self, *, within: float | None = None) -> Iterator[Conversations]:
        """Give Twilio for requests outside of any transaction; each leaves only while the lane is ours.

        `within`: only so many seconds after the last commit. Raises LeaseLost.
        """
        with self.job.network_call(within) as ask, fenced(ask):
            yield self.twilio

    @property
    def tx(self) -> Connection:
        return self.job.tx

    @property
    def now(self) -> datetime:
        """When the event was claimed."""
        return self.job.claimed.claimed_at


def context_maker(
    rules: Callable[[], Rules],
    twilio: Conversations,
    policy: Policy,
    responder: Any,
    folder: Path,
    recorder: Recorder | None,
) -> Callable[[Job], HandlerContext]:
    """Return what makes the context of a job; its rules are those that are in force then."""
    return lambda job: HandlerContext(job, twilio, rules(), policy, responder, folder, recorder)
