"""Writes down what is to be told, in the transaction of its cause; only where somebody asked for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection

from app.store import notifications

if TYPE_CHECKING:
    from app.rules.notices import Notice, Notify


@dataclass(frozen=True, slots=True)
class NotificationCause:
    """Something that happened: its kind, a key that no other cause has, one sentence, and where to look.

    `path` is of a page; `facts` are told to programs.
    """

    kind: str
    key: str
    reason: str
    path: str = ""
    conversation_sid: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)


def _nothing() -> Mapping[str, object]:
    return {}


@dataclass(frozen=True, slots=True)
class Recorder:
    """Knows the names of the targets, and where the page is ("": nowhere)."""

    targets: frozenset[str]
    page_url: str = ""

    def record(
        self,
        tx: Connection,
        notice: Notice | None,
        cause: NotificationCause,
        now: datetime,
        values: Callable[[], Mapping[str, object]] = _nothing,
    ) -> None:
        """Write down that whom a notice names is to be told, in its words; `values` is for a template alone."""
        if notice is None or not (names := [name for name in notice.to if name in self.targets]):
            return
        from app.notify import words  # templates: a process that only writes down what it does not route needs none

        link = f"{self.page_url}{cause.path}" if self.page_url and cause.path else ""
        facts = dict(cause.facts)
        if cause.conversation_sid:
            facts["conversation_sid"] = cause.conversation_sid
        known = {**facts, **values()} if notice.text else {}
        payload = words.payload_of(cause.kind, cause.reason, link, notice.text, known, facts)
        for name in names:
            notifications.record(tx, cause.key, name, cause.kind, payload, now, conversation_sid=cause.conversation_sid)

    def record_unrouted(self, tx: Connection, cause: NotificationCause, now: datetime) -> None:
        """Write down a cause where the rules are not known; whoever sends looks up who is to be told."""
        if self.targets:
            kept = {"key": cause.key, "reason": cause.reason, "path": cause.path, "facts": dict(cause.facts)}
            notifications.record(tx, cause.key, "", cause.kind, kept, now, conversation_sid=cause.conversation_sid)

    def route(self, tx: Connection, asked: Notify, now: datetime) -> int:
        """Write down whom to tell of what was recorded without; return how many causes that were."""
        found = notifications.take_unrouted(tx)
        for row in found:
            cause = NotificationCause(kind=row.kind, conversation_sid=row.conversation_sid, **row.payload)
            self.record(tx, asked.of(row.kind), cause, now)
        return len(found)
