"""What a worker does at intervals beside its events: delete what is old, fetch what Twilio failed to deliver."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from app.config import Settings
from app.db.database import Database
from app.inbox import periodic
from app.inbox.periodic import Turn
from app.inbox.periodic_runner import Chore, Rounds, Wait
from app.privacy import retention
from app.reconcile import run
from app.reconcile.paced_client import PoliteCalls
from app.reconcile.run import Reconciliation, Scope
from app.twilio_api.client import Conversations

RETENTION_EVERY = timedelta(days=1)
REQUESTS_PER_SECOND = 5  # others use the account too
REQUESTS_PER_RUN = 1_000  # beside the lists; the next run goes on


def make_rounds(settings: Settings, db: Database, twilio: Conversations) -> Rounds:
    """Return the chores that the settings want, not started yet."""
    wanted = [Chore(retention.CHORE, RETENTION_EVERY, partial(_purge, settings, db))]
    if settings.reconcile_seconds:
        every = timedelta(seconds=settings.reconcile_seconds)
        wanted.append(Chore(run.CHORE, every, partial(_reconcile, settings, db, twilio)))
    return Rounds(db, wanted)


def _purge(settings: Settings, db: Database, turn: Turn, wait: Wait) -> str:
    before = turn.begun_at - timedelta(days=settings.retention_days)
    deleted = retention.purge(db, before, wait=wait, still_ours=partial(periodic.renew, db, turn))
    periodic.finish(db, turn)
    return ", ".join(f"{count} {table}" for table, count in deleted.items()) or "nothing was old"


def _reconcile(settings: Settings, db: Database, twilio: Conversations, turn: Turn, wait: Wait) -> str:
    calls = PoliteCalls(
        twilio,
        db,
        per_second=REQUESTS_PER_SECOND,
        most=REQUESTS_PER_RUN,
        wait=wait,
        still_ours=partial(periodic.renew, db, turn),
    )
    scope = Scope(settings.service_sid, settings.bot_author, timedelta(days=settings.retention_days))
    return Reconciliation(db, calls, scope, turn).run().in_words()
