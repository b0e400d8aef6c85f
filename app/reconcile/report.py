"""The report of a reconciliation run: counts, how it ended, and the same in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from app.inbox.queue import NewEvent
from app.reconcile.messages import Missed

BUDGET_IS_SPENT = "the budget of requests is spent; the next run goes on"


@dataclass(frozen=True)
class Gap:
    """What was missing of one conversation: how many messages and receipts, and from when to when."""

    conversation_sid: str
    service_sid: str
    messages: int = 0
    receipts: int = 0
    without_phone: int = 0  # messages of programs and chat users
    others: int = 0  # the conversation itself, its state, its participants
    first_at: datetime | None = None
    last_at: datetime | None = None


@dataclass
class Report:
    """What a run found and did. `stopped` says why it ended early: it was told to; `error`: Twilio did not answer.

    Of a message that REST made Twilio posts no webhook, and REST does not tell those from what a chat client wrote:
    `without_phone` counts both. They are stored, but nothing is missing for all that we know.
    Source: conversations-classic/conversations-webhooks, read 2026-11-22.
    """

    since: datetime
    dry_run: bool = False
    stopped: str = ""
    error: str = ""
    requests: int = 0
    conversations: int = 0
    looked_at: int = 0
    left: int = 0
    messages: int = 0
    receipts: int = 0
    without_phone: int = 0
    elsewhere: int = 0  # services left out: their webhooks go to somebody else
    too_recent: int = 0
    gaps: dict[str, Gap] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    def gap(self, conversation_sid: str, service_sid: str) -> Gap:
        """Return what was missing of a conversation so far."""
        return self.gaps.get(conversation_sid) or Gap(conversation_sid, service_sid)

    def record(self, conversation: Any, missed: Missed, new: Sequence[NewEvent], mended: int) -> None:
        """Count what was missing of a conversation, and how many rows were not as Twilio has them."""
        if not (new or mended):
            return
        added = {one.event_key for one in new if one.event_type == "onMessageAdded"}
        messages = sum(f"onMessageAdded:{sid}" in added for sid in missed.from_phones)
        dates = [one.date_created for one in missed.messages]
        self.messages += messages
        self.without_phone += len(added) - messages
        self.gaps[conversation.sid] = replace(
            self.gap(conversation.sid, conversation.chat_service_sid),
            messages=messages,
            without_phone=len(added) - messages,
            others=len(new) - len(added) + mended,
            first_at=min(dates, default=None),
            last_at=max(dates, default=None),
        )

    @property
    def is_complete(self) -> bool:
        """Whether everything was looked at."""
        return not (self.stopped or self.error or self.failed)

    @property
    def is_as_wanted(self) -> bool:
        """Whether everything was looked at, or as much as the budget allows."""
        return self.is_complete or (self.stopped == BUDGET_IS_SPENT and not self.failed)

    def in_words(self) -> str:
        """Return the result in a line, without any name or text."""
        missing = f"{self.messages} messages and {self.receipts} receipts were missing"
        gaps = sum(bool(gap.messages or gap.receipts) for gap in self.gaps.values())
        where = f" in {gaps} conversations" if gaps else ""
        silent = f"; {self.without_phone} messages of programs or chat users were stored" if self.without_phone else ""
        elsewhere = f"; {self.elsewhere} services left out, their webhooks go elsewhere" if self.elsewhere else ""
        ended = f"; stopped: {self.stopped or self.error}" if self.stopped or self.error else ""
        failed = f"; {len(self.failed)} conversations could not be looked at" if self.failed else ""
        rest = silent + elsewhere + failed + ended
        return f"{self.looked_at} of {self.conversations} conversations looked at, {missing}{where}{rest}"
