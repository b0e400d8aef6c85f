"""Counts the webhooks this process answered, with latencies.

Under gunicorn the numbers of all processes are kept in files in one folder, see multiprocess.py. prometheus-client
is imported at the first count, so that commands do without it.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Literal

from app.db import faults
from app.logs import describe_error
from app.twilio_api.events import EVENT_CLASSES

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry, Counter

Outcome = Literal["stored", "known", "refused", "unusable", "unavailable", "pre-action"]
ACKNOWLEDGED = ("stored", "known")
UNVERIFIED, UNKNOWN = "unverified", "unknown"  # event types: of a request not signed by Twilio; of one not in our list
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)  # Twilio waits for 5 at most

log = logging.getLogger("parley.metrics")


class WebhookCounts:
    """The counters of one application; safe from many threads."""

    def __init__(self) -> None:
        self._made: _Made | None = None
        self._making = threading.Lock()
        self._is_broken = False

    def record(self, outcome: Outcome, seconds: float, *, event_type: str = UNVERIFIED, reason: str = "") -> None:
        """Count an answer; never raises: no webhook is answered differently because it cannot be counted."""
        if self._is_broken:
            return
        try:
            (self._made or self._make()).record(outcome, seconds, event_type, reason)
        except Exception as error:  # noqa: BLE001 - see above
            self.give_up(describe_error(error))

    def warm_up(self) -> None:
        """Make the counters now, so that the first webhook need not wait for it."""
        self._make()

    def give_up(self, why: str = "no room for the counters") -> None:
        """Count nothing more in this process."""
        self._is_broken = True
        log.error("metrics.not_counted", extra={"reason": why})

    @property
    def registry(self) -> CollectorRegistry:
        """The counters of this process alone."""
        return (self._made or self._make()).registry

    def _make(self) -> _Made:
        with self._making:
            if self._made is None:
                self._made = _Made()
            return self._made


class _Made:
    """The counters once they are made."""

    def __init__(self) -> None:
        from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics

        disable_created_metrics()
        self.registry = CollectorRegistry()
        self._webhooks = Counter(
            "parley_webhooks",
            "Webhooks answered, by event type and outcome",
            ["event_type", "outcome"],
            registry=self.registry,
        )
        self._refusals = Counter(
            "parley_refusals", "Requests refused for their signature, by reason", ["reason"], registry=self.registry
        )
        self._not_stored = Counter(
            "parley_not_stored",
            "Webhooks answered 503 because they could not be stored, by reason",
            ["reason"],
            registry=self.registry,
        )
        for kind in faults.KINDS:
            self._not_stored.labels(kind)  # from the start, so that the first one counts as an increase
        self._ack = Histogram(
            "parley_ack_seconds",
            "Time until a webhook is stored or known to be, and acknowledged",
            buckets=SECONDS,
            registry=self.registry,
        )
        self._children: dict[tuple[str, ...], Counter] = {}

    def record(self, outcome: Outcome, seconds: float, event_type: str, reason: str) -> None:
        key = (event_type, outcome)
        (self._children.get(key) or self._child(key)).inc()
        if outcome in ACKNOWLEDGED:
            self._ack.observe(seconds)
        elif outcome == "unavailable":
            self._not_stored.labels(reason).inc()
        elif reason:
            (self._children.get((reason,)) or self._refusal(reason)).inc()

    def _child(self, key: tuple[str, str]) -> Counter:
        """Return the counter of an event type and outcome; types that are not ours share one, there may be any."""
        event_type, outcome = key
        if event_type != UNVERIFIED and event_type not in EVENT_CLASSES:
            return self._webhooks.labels(UNKNOWN, outcome)
        return self._children.setdefault(key, self._webhooks.labels(event_type, outcome))

    def _refusal(self, reason: str) -> Counter:
        return self._children.setdefault((reason,), self._refusals.labels(reason))
