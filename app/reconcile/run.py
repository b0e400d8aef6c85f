"""One reconciliation run: compares Twilio's conversations with ours and adds what is missing to the inbox.

Twilio repeats no Conversations webhook by default, so an outage, a wrong filter or a service's own webhook leave gaps.
Source: conversations-classic/conversations-webhooks, read 2026-11-22.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from app.db.database import Database
from app.inbox import periodic, queue
from app.inbox.periodic import TaskLease
from app.inbox.queue import NewEvent
from app.reconcile import messages as missed_messages
from app.reconcile import mirror, receipts, whose
from app.reconcile import progress as reconcile_cursors
from app.reconcile.messages import unknown_events
from app.reconcile.paced_client import PacedClient, Stopped
from app.reconcile.progress import Cursor
from app.reconcile.receipts import Quiet
from app.reconcile.report import BUDGET_IS_SPENT, Report
from app.reconcile.starting import TASK
from app.twilio_api.errors import SendError

FIRST_LOOK_BACK = timedelta(days=2)  # of the first run; every other goes back to where the last complete one began
OVERLAP = timedelta(minutes=5)  # for clocks that differ, and for what was on its way just then
PAGE = 100  # Source: Twilio's OpenAPI description, 2026-04-14: the most conversations, and services, of one page
FAILURES_IN_A_ROW = 5
MOST_FAILED = 1_000
STORED_AT_ONCE = 200
NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Scope:
    """Where to look: one service or all (""), how far back at most, since when if not as usual; who writes for us.

    One that `is_part` of what is looked at as a rule leaves the others to a later run. With `public_url` only the
    services are looked into whose webhooks go there: the others have somebody else who answers. `reads_rosters`: who
    is in a conversation is compared, too, for a request more each.
    """

    service_sid: str
    bot_author: str
    retention: timedelta
    since: datetime | None = None
    is_part: bool = False
    public_url: str = ""
    reads_rosters: bool = False


Progress = Callable[[int, int], None]


class Reconciliation:
    """One run. With `lease` it stores what it finds and how far it came; without, it only looks.

    `run()` never raises for what Twilio refuses: the report names it. Raises LeaseLost, DatabaseUnavailable.
    """

    def __init__(
        self,
        db: Database,
        calls: PacedClient,
        scope: Scope,
        lease: TaskLease | None,
        *,
        progress: Progress = lambda _done, _of: None,
    ) -> None:
        self._db, self._calls, self._scope, self._lease, self._progress = db, calls, scope, lease, progress
        with db.read() as tx:
            self._now = lease.begun_at if lease else db.now(tx)
            known = lease or periodic.state(tx, TASK)
        self._unfinished = dict(known.progress) if known else {}
        self._oldest = oldest = self._now - scope.retention  # what is older was purged here, and would look missing
        self._begins_at = known.begins_at if known else None
        reached_at = known.reached_at if known else None
        last = reached_at - OVERLAP if reached_at else self._now - FIRST_LOOK_BACK
        usual = max(oldest, last, self._begins_at or oldest)
        self._is_after_start = lease is not None and lease.after_start
        self.report = Report(max(oldest, scope.since) if scope.since else usual, dry_run=lease is None)
        self._round_at = self._begin_of_round()
        self._leaves_no_gap = self.report.since <= usual  # else an older gap is still to be found

    def _begin_of_round(self) -> datetime:
        """Return since when this round goes on: a run that had to stop is gone on with, unless more is wanted now.

        Who asks for a time gets every conversation looked at, also those that the worker had come to before; so does
        a process that has started.
        """
        at, since = self._unfinished.get("round_at"), self._unfinished.get("since")
        if self._scope.since and not self._unfinished.get("asked"):
            return self._now
        if not since or datetime.fromisoformat(since) > self.report.since:
            return self._now
        self.report.since = max(self._oldest, datetime.fromisoformat(since))
        return datetime.fromisoformat(at) if at and not self._is_after_start else self._now

    def run(self) -> Report:
        """Look at every conversation, then at receipts that stopped moving; return what was found."""
        self._record_progress()
        try:
            self._look_at_conversations()
            self._look_at_receipts()
        except Stopped as stopped:
            self.report.stopped = str(stopped)
        except SendError as error:
            self.report.error = error.reason
        self.report.requests = self._calls.made
        if self._lease:
            self._record_progress(goes_on=bool(self.report.stopped))
            complete = self.report.is_complete
            is_all = complete and self._leaves_no_gap and not self._scope.is_part
            periodic.finish(self._db, self._lease, complete=complete, reached_at=self._round_at if is_all else None)
        return self.report

    def _record_progress(self, *, goes_on: bool = True) -> None:
        """Store how far we are. A round that only failures keep from its end does not go on: all are looked at anew."""
        if self._lease is None:
            return
        failed = list(self.report.failed)[:MOST_FAILED] or self._unfinished.get("failed", [])
        progress = {"since": self.report.since.isoformat(), "failed": failed}
        if goes_on:
            progress |= {"round_at": self._round_at.isoformat(), "asked": self._scope.since is not None}
        periodic.record_progress(self._db, self._lease, progress)

    def _look_at_conversations(self) -> None:
        todo = self._in_order(list(self._open_conversations()))
        self.report.left = len(todo)
        self._calls.start_counting()
        failures = 0
        for conversation, cursor in todo:
            self._stop_if_spent()
            try:
                self._look_at(conversation, cursor)
                failures = 0
            except SendError as error:
                failures += 1
                self._record_failure(conversation, error)
                if failures == FAILURES_IN_A_ROW or error.status in (401, 403):
                    raise
            self.report.looked_at += 1
            self.report.left -= 1
            self._progress(self.report.looked_at, len(todo))

    def _stop_if_spent(self) -> None:
        if self._calls.budget_is_spent:
            raise Stopped(BUDGET_IS_SPENT)

    def _open_conversations(self) -> Iterator[Any]:
        """Yield the conversations that may have news: those not closed, and those closed since.

        DateUpdated of a conversation does not say when somebody wrote in it, so it is not asked for that.
        """
        for service_sid in self._services():
            for one in self._conversations_of(service_sid):
                self.report.conversations += 1
                if one.state != "closed" or max(one.date_updated, one.date_created) >= self.report.since:
                    yield one

    def _conversations_of(self, service_sid: str) -> Iterator[Any]:
        """Yield the conversations of a service; none when it has been deleted since the services were listed."""
        try:
            yield from self._calls.listed(
                lambda client: client.conversations.v1.services(service_sid).conversations.page(page_size=PAGE)
            )
        except SendError as error:
            if error.status != 404:
                raise
            if self._scope.service_sid:
                raise SendError(f"there is no service {service_sid} at Twilio", "give up", status=404) from error

    def _services(self) -> Sequence[str]:
        found = [self._scope.service_sid]
        if not self._scope.service_sid:
            services = self._calls.listed(lambda client: client.conversations.v1.services.page(page_size=PAGE))
            found = [str(one.sid) for one in services]
        if not self._scope.public_url:
            return found
        ours = whose.with_our_webhook(self._calls, found, self._scope.public_url)
        self.report.elsewhere = len(found) - len(ours)
        return ours

    def _in_order(self, found: list[Any]) -> list[tuple[Any, Cursor]]:
        """Return those not yet looked at in this round: first those that nobody ever looked at, then the longest ago.

        What could not be read the last time comes last: it must not keep us from the others. After a start those come
        first in which somebody was active last: there somebody may have written meanwhile.
        """
        sids = [one.sid for one in found]
        with self._db.read() as tx:
            cursors = reconcile_cursors.cursors(tx, sids)
            wrote = reconcile_cursors.last_messages(tx, sids) if self._is_after_start else {}
        paired = [(one, cursors.get(one.sid, Cursor())) for one in found]
        failed = set(self._unfinished.get("failed", []))
        waiting = [(one, it) for one, it in paired if it.looked_at is None or it.looked_at < self._round_at]
        waiting.sort(key=lambda pair: pair[1].looked_at or NEVER)
        if self._is_after_start:
            waiting.sort(key=lambda pair: max(pair[0].date_created, wrote.get(pair[0].sid, NEVER)), reverse=True)
        return sorted(waiting, key=lambda pair: pair[0].sid in failed)

    def _look_at(self, conversation: Any, cursor: Cursor) -> None:
        since = max(self.report.since, cursor.forgotten_before or self.report.since)
        compared = missed_messages.Range(
            since=since,
            above=None if self._scope.since else cursor.checked_index,
            now=self._now,
            bot_author=self._scope.bot_author,
            begins_at=self._begins_at,
            is_erased=cursor.forgotten_before is not None,
            reads_roster=self._scope.reads_rosters,
        )
        missed = missed_messages.look(self._calls, self._db, conversation, compared)
        self.report.too_recent += missed.too_recent
        new = self._store(missed.events)
        mended = mirror.mend(self._db, conversation, missed.roster, self._now, dry_run=self._lease is None)
        self.report.record(conversation, missed, new, mended)
        self._record_looked(conversation.sid, missed.checked_index)
        for sid in missed.with_receipts:
            sent_at = next(one.date_created for one in missed.messages if one.sid == sid)
            self._look_at_receipt(Quiet(sid, conversation.sid, conversation.chat_service_sid, sent_at))

    def _record_failure(self, conversation: Any, error: SendError) -> None:
        """Name a conversation that could not be looked at; one that is gone by now is none."""
        if error.status != 404:
            self.report.failed[conversation.sid] = error.reason

    def _record_looked(self, conversation_sid: str, checked_index: int | None) -> None:
        if self._lease is None:
            return
        with self._db.write() as tx:
            now = self._db.now(tx)
            if checked_index is None or not self._leaves_no_gap:
                reconcile_cursors.record_looked(tx, conversation_sid, now)
            else:
                reconcile_cursors.record_checked(tx, conversation_sid, checked_index, now)

    def _look_at_receipts(self) -> None:
        since = min(self.report.since, max(self._now - receipts.LOOK_BACK, self._oldest))
        with self._db.read() as tx:
            found = receipts.stopped(tx, since=since, now=self._now)
        for message in found:
            self._stop_if_spent()
            try:
                self._look_at_receipt(replace(message, service_sid=message.service_sid or self._scope.service_sid))
            except SendError as error:
                if error.status != 404:
                    raise
                self._record_receipt(message)

    def _look_at_receipt(self, message: Quiet) -> None:
        new = self._store(receipts.look(self._calls, message, self._now))
        self.report.receipts += len(new)
        if new:
            gap = self.report.gap(message.conversation_sid, message.service_sid)
            self.report.gaps[gap.conversation_sid] = replace(gap, receipts=gap.receipts + len(new))
        self._record_receipt(message)

    def _record_receipt(self, message: Quiet) -> None:
        """Write down that receipts were looked at, also those of a message that is gone by now."""
        if self._lease:
            with self._db.write() as tx:
                receipts.record_looked(tx, [message.message_sid], self._now)

    def _store(self, events: Sequence[NewEvent]) -> list[NewEvent]:
        """Put events into the inbox, in their order; return those that were not known."""
        if not events:
            return []
        with self._db.read() as tx:
            unknown = unknown_events(tx, events)
        if self._lease is None:
            return unknown
        new: list[NewEvent] = []
        for start in range(0, len(unknown), STORED_AT_ONCE):
            some = unknown[start : start + STORED_AT_ONCE]
            with self._db.write() as tx:
                stored = queue.add_all(self._db, tx, some)
            new += [event for event, is_new in zip(some, stored, strict=True) if is_new]
        return new
