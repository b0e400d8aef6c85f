"""Builds what the settings name: Twilio client, rules, responder; or says why that cannot be.

Each is imported when it is made, so that commands which need none of it start quickly.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from app.config import Settings
from app.db.database import Database, DatabaseUnavailable

if TYPE_CHECKING:
    from app.bot.responder_pool import Responder
    from app.notify.recording import Recorder
    from app.rules.facts import Policy
    from app.rules.reload import WatchedRules
    from app.rules.schema import Rules
    from app.twilio_api.client import Conversations
    from app.twilio_api.resources import Change

log = logging.getLogger("parley")
NOT_AGAIN_SECONDS = 10.0  # after the database did not take a change: others wait for what Twilio does


def make_conversations(
    settings: Settings,
    db: Database | None,
    *,
    record_call: Callable[[str], None] = lambda _result: None,
    in_order: bool = False,
) -> Conversations:
    """Return Twilio's REST API with the credentials of the settings; `record_call` gets the end of each request.

    What a request changes is stored in `db`, where there is one, so that rules see it; `in_order` as in
    mirror.note_change().
    """
    from app.twilio_api.client import Conversations

    return Conversations(
        account_sid=settings.account_sid,
        auth_token=settings.auth_token,
        api_key=settings.api_key,
        api_secret=settings.api_secret,
        base_url=settings.api_base_url,
        default_service_sid=settings.service_sid,
        record_call=record_call,
        record_change=_ChangeNotes(db, in_order=in_order) if db else lambda _change: None,
    )


class _ChangeNotes:
    """Stores what Twilio has done for us. That it cannot be stored makes no failure of it, nor holds the rest up."""

    def __init__(self, db: Database, *, in_order: bool) -> None:
        self._db, self._in_order, self._not_before = db, in_order, 0.0

    def __call__(self, change: Change) -> None:
        from app.store import mirror

        if time.monotonic() < self._not_before:
            return
        try:
            with self._db.write() as tx:
                mirror.record_change(tx, change, now=self._db.now(tx), in_order=self._in_order)
        except DatabaseUnavailable as unavailable:
            self._not_before = time.monotonic() + NOT_AGAIN_SECONDS
            facts = {"change": type(change).__name__, "reason": str(unavailable)}
            hint = "Twilio has done it, but rules cannot see it yet; run `flask reconcile`"
            log.warning("change.not_recorded", extra={**facts, "hint": hint})


def make_policy(settings: Settings) -> Policy:
    """Return what the settings say of who is who and which messages are too old to be answered."""
    from app.rules.facts import Policy

    return Policy(
        settings.bot_author,
        settings.bot_agents,
        max_reply_age=settings.max_reply_age,
        kept_for=timedelta(days=settings.retention_days),
        account_sid=settings.account_sid,
    )


def load_rules(settings: Settings) -> Rules:
    """Return the rules of the settings' file. Raises RulesError, OSError."""
    from app.rules import loader

    return loader.load(loader.read(settings.bot_rules))


def watch_rules(settings: Settings) -> WatchedRules:
    """Return the rules of the settings' file, which follow its changes. Raises RulesError, OSError."""
    from app.rules.reload import WatchedRules

    return WatchedRules(settings.bot_rules)


def rules_problems(settings: Settings) -> list[str]:
    """Return why the rules file cannot be used, or nothing."""
    try:
        load_rules(settings)
    except (ValueError, OSError) as error:
        return [f"BOT_RULES {settings.bot_rules.name}: {error}"]
    return []


def make_responder(settings: Settings, db: Database) -> Responder | None:
    """Return whom the settings want to be asked where no rule matches, or None. Raises ResponderError."""
    if not settings.bot_responder:
        return None
    from app import responder
    from app.bot.responder_pool import Responder

    return Responder(responder.load(settings.bot_responder), db)


def responder_problems(settings: Settings) -> list[str]:
    """Return why the responder cannot be used, or nothing."""
    if not settings.bot_responder:
        return []
    from app import responder

    try:
        responder.load(settings.bot_responder)
    except responder.ResponderError as error:
        return [f"BOT_RESPONDER {settings.bot_responder}: {error}"]
    return []


def make_recorder(settings: Settings) -> Recorder | None:
    """Return what writes down who is to be told; None where BOT_NOTIFY names nobody."""
    if not settings.notify:
        return None
    from app.notify.recording import Recorder

    has_page = bool(settings.admin_password or settings.api_base_url)
    return Recorder(frozenset(settings.notify), _without_login(settings.public_url) if has_page else "")


def make_alarms(settings: Settings, db: Database) -> tuple[Callable[[int, str], None], Callable[[], None]]:
    """Return what the endpoint tells of webhooks that it refused, so many and why; and of each it could not store."""
    recorder = make_recorder(settings)
    if recorder is None:
        return (lambda _count, _reason: None), (lambda: None)
    from app.receiver.alarms import RejectionAlarm, StorageAlarm

    return RejectionAlarm(db, recorder).count, StorageAlarm(db, recorder).count


def _without_login(url: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
