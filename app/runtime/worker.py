"""Builds a worker: handlers, periodic tasks, and what they need."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any

from app.bot.context import context_maker
from app.bot.handlers import HANDLERS
from app.config import Settings
from app.db.database import Database
from app.inbox import periodic
from app.inbox.dispatch import Handlers
from app.inbox.periodic import PeriodicRunner, PeriodicTask, TaskLease, Wait
from app.inbox.worker import Worker
from app.monitoring import rest_metrics
from app.privacy import retention
from app.reconcile.paced_client import PacedClient
from app.reconcile.run import Reconciliation, Scope
from app.reconcile.starting import TASK, Start
from app.rules.notices import Notify
from app.rules.reload import WatchedRules
from app.runtime import notifying
from app.runtime.from_settings import make_conversations, make_policy, make_recorder, make_responder, watch_rules
from app.twilio_api.client import CallCounts, Conversations

RETENTION_EVERY = timedelta(days=1)
REQUESTS_PER_SECOND = 5  # others use the account too
REQUESTS_PER_RUN = 1_000  # beside the lists; the next run goes on
# After a start: what was missed meanwhile is to be found soon, and both of its runs are to be short.
REQUESTS_PER_SECOND_AFTER_START = 10
REQUESTS_AFTER_START = 300


def make_worker(
    settings: Settings,
    db: Database,
    watched: WatchedRules | None = None,
    calls: CallCounts | None = None,
    handlers: Handlers = HANDLERS,
) -> Worker:
    """Return a worker, not started yet, that answers by the rules file of the settings as it is at each event.

    Raises RulesError, ResponderError, OSError.
    """
    calls = calls or CallCounts()
    twilio = make_conversations(settings, db, record_call=calls.record, in_order=True)
    policy = make_policy(settings)
    in_force = watched or watch_rules(settings)
    responder = make_responder(settings, db)
    recorder = make_recorder(settings)

    def asked() -> Notify:
        return in_force.current().notify

    told: dict[str, Any] = {}
    watches: list[PeriodicTask] = []
    if recorder:
        sender = notifying.make_sender(settings, db, recorder, asked)
        buried = partial(notifying.record_dead, recorder, asked)
        told = {"buried": buried, "beside": sender, "after_drain": sender.send_due}
        watches = [notifying.drift_watch(settings, db, twilio, recorder, asked)]
    return Worker(
        db,
        handlers,
        context_maker(in_force.current, twilio, policy, responder, settings.bot_rules.parent, recorder),
        threads=settings.worker_threads,
        warm_up=twilio.warm_up,
        is_awaited=responder.is_awaited if responder else lambda: False,
        on_tick=partial(rest_metrics.store, calls, db),
        periodic=_make_rounds(settings, db, twilio, watches),
        **told,
    )


def _make_rounds(
    settings: Settings, db: Database, twilio: Conversations, watches: list[PeriodicTask]
) -> PeriodicRunner:
    """Return what the settings want at intervals, not started yet."""
    wanted = [PeriodicTask(retention.TASK, RETENTION_EVERY, partial(_purge, settings, db), can_wait=True), *watches]
    if settings.reconcile_seconds:
        every = timedelta(seconds=settings.reconcile_seconds)
        wanted.append(PeriodicTask(TASK, every, partial(_reconcile, settings, db, twilio)))
    return PeriodicRunner(db, wanted, at_start=Start(db).record)


def _purge(settings: Settings, db: Database, lease: TaskLease, wait: Wait) -> str:
    before = lease.begun_at - timedelta(days=settings.retention_days)
    deleted = retention.purge(db, before, wait=wait, still_ours=partial(periodic.renew, db, lease))
    periodic.finish(db, lease)
    return ", ".join(f"{count} {table}" for table, count in deleted.items()) or "nothing was old"


def _reconcile(settings: Settings, db: Database, twilio: Conversations, lease: TaskLease, wait: Wait) -> str:
    if not settings.public_url:
        periodic.finish(db, lease, complete=False)
        return "nothing: PUBLIC_URL is empty, so which webhooks were to come here is not known"
    calls = PacedClient(
        twilio,
        db,
        per_second=REQUESTS_PER_SECOND_AFTER_START if lease.after_start else REQUESTS_PER_SECOND,
        most=REQUESTS_AFTER_START if lease.after_start else REQUESTS_PER_RUN,
        wait=wait,
        still_ours=partial(periodic.renew, db, lease),
    )
    retention_time = timedelta(days=settings.retention_days)
    scope = Scope(settings.service_sid, settings.bot_author, retention_time, public_url=settings.public_url)
    return Reconciliation(db, calls, scope, lease).run().in_words()
