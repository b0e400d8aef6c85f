"""One emulated account: what exists, the machinery around it, and how a change reaches webhooks."""

import json
import logging
import threading
from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from app.emulator.carrier import Carrier
from app.emulator.clock import EmulatorClock
from app.emulator.errors import TwilioError
from app.emulator.faults import Faults
from app.emulator.models import Conversation, EmulatedMessage, EmulatedReceipt
from app.emulator.options import Options
from app.emulator.scheduler import Pending, Scheduler
from app.emulator.state import State, first_hooks
from app.emulator.webhook_delivery import Outgoing
from app.emulator.webhook_forms import delivery_form
from app.emulator.webhook_targets import Target, post_targets, pre_target, scope_hooks

WRITES_PER_SECOND = 30
REQUEST_LOG_LENGTH = 20_000
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Cause:
    """Who brought a change about: the Source parameter, and whether webhooks are posted at all."""

    source: str
    fires: bool = True
    client_identity: str = ""


TWILIO_ITSELF = Cause("")


class EmulatedAccount:
    """Joins state, webhooks, carrier, faults and clock."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.clock = EmulatorClock()
        self.state = State(options, self.clock)
        self.faults = Faults(options.faults, options.seed)
        self.pending = Pending()
        self.scheduler = Scheduler(self.pending, self.tick)
        self.outgoing = Outgoing(options, self.faults, self.pending, self.scheduler)
        self.carrier = Carrier(
            self.state, self.scheduler, options.receipt_delay, self._tell_receipt, self.faults.for_opted_out
        )
        self.requests: deque[dict[str, Any]] = deque(maxlen=REQUEST_LOG_LENGTH)
        self.timers: list[Any] = []
        self._later: list[tuple[float, Callable[[], None]]] = []
        self._writes: defaultdict[str, deque[float]] = defaultdict(deque)
        self._has_said_no_filters = False
        self._writes_lock = threading.Lock()

    def reset(self) -> None:
        """Return to an empty account without faults; what is on its way is dropped or awaited first."""
        self.scheduler.clear()
        self.outgoing.clear()
        self.pending.settle(self.options.webhook_timeout + 1)
        self.clock.reset()
        self._later.clear()
        with self._writes_lock:
            self._writes.clear()
        self._has_said_no_filters = False
        self.state.reset()
        self.faults.reset()
        self.carrier.reset()
        self.outgoing.log.clear()
        self.requests.clear()

    def point_at(self, webhook_url: str, public_url: str) -> None:
        """Set the global webhook: called at `webhook_url`, signed as if it were at `public_url`."""
        self.outgoing.point_at(webhook_url, public_url)
        self.state.set_first_hooks(first_hooks(self.options, webhook_url, public_url))

    def fire(
        self,
        event_type: str,
        form: Mapping[str, str],
        cause: Cause,
        *,
        service_sid: str,
        conversation: Conversation | None = None,
    ) -> None:
        """Queue a post-action event for every webhook that wants it. Called with the state locked."""
        if not cause.fires:
            return
        full = self._with_common(event_type, form, cause)
        lane = conversation.sid if conversation else service_sid
        body = form.get("Body", "")
        self._say_once_when_filters_are_missing(service_sid)
        for target in post_targets(self.state, event_type, service_sid, conversation, body):
            self.outgoing.add(lane, target, full)

    def _say_once_when_filters_are_missing(self, service_sid: str) -> None:
        hooks = scope_hooks(self.state, service_sid)
        if hooks.filters or not (hooks.post_webhook_url or hooks.pre_webhook_url) or self._has_said_no_filters:
            return
        self._has_said_no_filters = True
        hint = "nothing fires; set them with POST /v1/Configuration/Webhooks (Filters)"
        _log.warning('emulator.no_filters hint="%s"', hint)

    def replay(self, event_type: str, form: Mapping[str, str], conversation: Conversation, target: Target) -> None:
        """Queue an event of the past for one webhook that has asked for it."""
        self.outgoing.add(conversation.sid, target, self._with_common(event_type, form, Cause("API")))

    def ask(self, event_type: str, form: Mapping[str, str], cause: Cause, *, service_sid: str) -> dict[str, Any]:
        """Ask the pre-action webhook and return the changes it wants; raise 50056 when it refuses.

        No answer in time lets the action through. Called without the lock.
        Source: conversations-classic/conversations-webhooks, read 2026-11-22.
        """
        target = pre_target(self.state, event_type, service_sid) if cause.fires else None
        if target is None:
            return {}
        answer = self.outgoing.ask(target, self._with_common(event_type, form, cause))
        if answer.status >= 400:
            raise TwilioError(50056, f"The pre-event webhook rejected the action with {answer.status}")
        return _changes(answer.body) if answer.status == 200 else {}

    def count_write(self, sid: str) -> None:
        """Count one write of a conversation, or of a service that makes conversations, users and roles.

        Raises 50063 (HTTP 429) beyond 30 in an emulated second, if limits are on.
        Source: conversations-classic/conversations-limits, read 2026-11-22; changelog of March 2020.
        """
        if not self.options.limits_writes:
            return
        now = self.clock.seconds()
        with self._writes_lock:
            recent = self._writes[sid]
            while recent and now - recent[0] >= 1:
                recent.popleft()
            if len(recent) >= WRITES_PER_SECOND:
                raise TwilioError(
                    50063, f"Actions per second limit exceeded: {WRITES_PER_SECOND} for {sid}", retry_after=1
                )
            recent.append(now)

    def _with_common(self, event_type: str, form: Mapping[str, str], cause: Cause) -> dict[str, str]:
        common = {"AccountSid": self.options.account_sid, "EventType": event_type, "RetryCount": "0"}
        if cause.source:
            common["Source"] = cause.source
        if cause.client_identity:
            common["ClientIdentity"] = cause.client_identity
        return common | dict(form)

    def _tell_receipt(self, conversation: Conversation, message: EmulatedMessage, receipt: EmulatedReceipt) -> None:
        form = delivery_form(conversation, message, receipt)
        service_sid = conversation.service_sid
        self.fire("onDeliveryUpdated", form, TWILIO_ITSELF, service_sid=service_sid, conversation=conversation)

    def later(self, seconds: float, task: Callable[[], None]) -> None:
        """Do `task` when so many seconds have gone by on the emulated clock; nobody who settles waits for it."""
        with self.state.lock:
            self._later.append((self.clock.seconds() + seconds, task))

    def tick(self) -> None:
        """Do what has become due by the emulated clock."""
        for run_timers in self.timers:
            run_timers()
        with self.state.lock:
            now = self.clock.seconds()
            due = [task for at, task in self._later if at <= now]
            self._later = [one for one in self._later if one[0] > now]
            for task in due:
                task()


def _changes(body: bytes) -> dict[str, Any]:
    try:
        wanted = json.loads(body or b"{}")
    except ValueError:
        return {}
    return wanted if isinstance(wanted, dict) else {}
