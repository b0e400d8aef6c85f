"""Puts together who is told what: targets from the settings, causes from the rules, and the threads that send."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from sqlalchemy import Connection

from app.common.setting_addresses import is_loopback
from app.config import Settings
from app.db.database import Database
from app.inbox import periodic
from app.inbox.periodic import PeriodicTask, TaskLease, Wait
from app.inbox.queue import Claimed
from app.notify.recording import NotificationCause, Recorder
from app.operations import doctor_account
from app.operations.account import Account
from app.operations.doctor_report import PROBLEM, DoctorContext, Finding
from app.rules.notices import Notify
from app.twilio_api.client import Conversations

if TYPE_CHECKING:
    from app.notify.posting import Poster
    from app.notify.sender import Sender

DRIFT = "webhook drift"
DRIFT_EVERY = timedelta(hours=1)

Asked = Callable[[], Notify]


def make_sender(settings: Settings, db: Database, recorder: Recorder, asked: Asked) -> Sender:
    """Return the threads that send, not started yet."""
    from app.notify.sender import Sender  # what sends is not needed where nobody is told

    return Sender(db, settings.notify, recorder, make_poster(settings), asked)


def make_poster(settings: Settings) -> Poster:
    """Return what posts to https targets; to this machine only where Twilio's API is an emulator here."""
    from app.notify.posting import Poster

    here = is_loopback(urlsplit(settings.api_base_url).hostname)
    return Poster(settings.notify_secret, may_be_here=here)


def record_dead(recorder: Recorder, asked: Asked, tx: Connection, claimed: Claimed, reason: str) -> None:
    """Write down whom to tell that an event could not be worked off."""
    cause = NotificationCause(
        kind="dead_events",
        key=f"dead {claimed.id} {claimed.claimed_at.isoformat()}",
        reason=f"{claimed.event_type} (number {claimed.id}): {reason}",
        path=f"/events/{claimed.id}",
        facts={"event_id": claimed.id, "event_type": claimed.event_type},
    )
    recorder.record(tx, asked().dead_events, cause, claimed.claimed_at)


def drift_watch(
    settings: Settings, db: Database, twilio: Conversations, recorder: Recorder, asked: Asked
) -> PeriodicTask:
    """Return the task that looks whether the account's webhook still calls us as it should."""
    context = DoctorContext(settings, db, Account(twilio, settings.service_sid), lambda: datetime.now(UTC))
    return PeriodicTask(DRIFT, DRIFT_EVERY, partial(_look_for_drift, context, recorder, asked))


def _look_for_drift(context: DoctorContext, recorder: Recorder, asked: Asked, turn: TaskLease, _wait: Wait) -> str:
    notice = asked().webhook_drift
    if notice is None or not context.settings.public_url:
        periodic.finish(context.db, turn)
        return "nobody asks for it"
    found = [one for one in doctor_account.global_webhook(context) if one.state == PROBLEM]
    with context.db.write() as tx:
        for one in found:
            recorder.record(tx, notice, _drifted(one, turn.begun_at), turn.begun_at)
    periodic.finish(context.db, turn)
    return "; ".join(one.found for one in found) or "as it should be"


def _drifted(finding: Finding, now: datetime) -> NotificationCause:
    """Return a cause that is told once a day while it lasts."""
    what = hashlib.sha256(finding.found.encode()).hexdigest()[:16]
    reason = f"{finding.found}; {finding.next_step}" if finding.next_step else finding.found
    return NotificationCause("webhook_drift", f"drift {now:%Y-%m-%d} {what}", reason)
