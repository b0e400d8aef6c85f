"""Parley: a webhook receiver with auto-responder for Twilio Conversations (classic).

create_app() joins the parts; nothing else knows all of them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from flask import Flask

from app import cli, config, logs
from app.config import Settings
from app.db.database import Database
from app.inbox import queue
from app.monitoring import health, metrics
from app.monitoring.rest_metrics import RestCalls
from app.receiver import rejections, webhook
from app.receiver.group_commit import GroupCommit
from app.rules import facts
from app.twilio_api import signature

log = logging.getLogger("parley")

if TYPE_CHECKING:
    from app.bot.responder_pool import Responder
    from app.inbox.job import Work
    from app.inbox.worker import Worker
    from app.rules.reload import WatchedRules
    from app.rules.schema import Rules
    from app.twilio_api.client import Conversations


@dataclass
class Parley:
    """The parts of one process; app.extensions["parley"]."""

    settings: Settings
    db: Database
    worker: Worker | None = None
    rules: WatchedRules | None = None  # what the worker in this process answers by
    rest_calls: RestCalls = field(default_factory=RestCalls)
    said_nobody_works: bool = False

    def stored(self) -> None:
        """A new event is on disk: call whoever works in this process, or say once that nobody does."""
        if self.worker:
            self.worker.wake()
        elif self.settings.runs_inline_worker and not self.said_nobody_works:
            self.said_nobody_works = True
            log.warning("stored, but this process does not work the inbox off; start `flask worker`, or use gunicorn")

    def start_worker(self) -> Worker:
        """Start a worker in this process; webhooks stored here wake it at once. Raises RulesError."""
        self.rules = watch_rules(self.settings)
        self.worker = make_worker(self.settings, self.db, self.rules, self.rest_calls)
        self.worker.start()
        return self.worker


def create_app(settings: Settings | None = None, *, clock: Callable[[], datetime] | None = None) -> Flask:
    """Return the Flask application; it never refuses, whatever the settings: serving and working do.

    `clock` replaces the clock that leases, ages and pauses are measured with.
    """
    settings = settings or config.from_environment()
    logs.configure(settings.log_format)
    app = Flask(__name__, static_folder=None)
    app.url_map.merge_slashes = False  # no redirect: a signature is for one address, and a query may hold anything
    parley = Parley(settings, Database(settings.database_url, clock=clock, connections=settings.web_connections))
    tokens = tuple(token for token in (settings.auth_token, settings.secondary_auth_token) if token)
    app.extensions["parley"] = parley
    keys = signature.Keys(tokens=tokens, shared=settings.shared_keys)
    app.extensions["parley.door"] = webhook.Door(
        public_url=settings.public_url,
        keys=keys,
        arrivals=GroupCommit(parley.db, partial(queue.add_all, parley.db)),
        stored=parley.stored,
        refusals=rejections.Refusals(keys, settings.public_url, settings.instance_folder / rejections.FILE),
    )
    app.register_blueprint(webhook.blueprint)
    app.register_blueprint(health.blueprint)
    app.register_blueprint(metrics.blueprint)
    if settings.admin_password or settings.api_base_url:
        from app import dashboard  # where nobody may look, nothing of it is loaded

        dashboard.register(app, settings)
    cli.register(app)
    return app


def make_worker(
    settings: Settings, db: Database, watched: WatchedRules | None = None, calls: RestCalls | None = None
) -> Worker:
    """Return a worker, not started yet, that answers by the rules file of the settings as it is at each event.

    Raises RulesError, ResponderError, OSError.
    """
    from app.bot import handlers  # noqa: F401 - handlers register themselves
    from app.bot.context import Bot
    from app.inbox.worker import Worker
    from app.runtime.periodic_jobs import make_rounds

    calls = calls or RestCalls()
    twilio = make_conversations(settings, note_call=calls.note)
    policy = facts.Policy(
        bot_author=settings.bot_author, agents=settings.bot_agents, max_reply_age=settings.max_reply_age
    )
    in_force = watched or watch_rules(settings)
    responder = make_responder(settings, db)

    def bot(work: Work) -> Bot:
        return Bot(
            work,
            twilio=twilio,
            rules=in_force.current(),
            policy=policy,
            responder=responder,
            folder=settings.bot_rules.parent,
        )

    is_awaited = responder.is_awaited if responder else lambda: False
    return Worker(
        db,
        bot,
        threads=settings.worker_threads,
        warm_up=twilio.warm_up,
        is_awaited=is_awaited,
        aside=partial(calls.store, db),
        rounds=make_rounds(settings, db, twilio),
    )


def make_responder(settings: Settings, db: Database) -> Responder | None:
    """Return whom the settings want to be asked where no rule matches, or None. Raises ResponderError."""
    if not settings.bot_responder:
        return None
    from app import responder
    from app.bot.responder_pool import Responder

    return Responder(responder.load(settings.bot_responder), db)


def make_conversations(settings: Settings, *, note_call: Callable[[str], None] = lambda _result: None) -> Conversations:
    """Return Twilio's REST API with the credentials of the settings; `note_call` is told how each request ended."""
    from app.twilio_api.client import Conversations

    return Conversations(
        account_sid=settings.account_sid,
        auth_token=settings.auth_token,
        api_key=settings.api_key,
        api_secret=settings.api_secret,
        base_url=settings.api_base_url,
        default_service_sid=settings.service_sid,
        note_call=note_call,
    )


def watch_rules(settings: Settings) -> WatchedRules:
    """Return the rules of the settings' file, which follow its changes. Raises RulesError, OSError."""
    from app.rules.reload import WatchedRules

    return WatchedRules(settings.bot_rules)


def load_rules(settings: Settings) -> Rules:
    """Return the rules of the settings' file. Raises RulesError, OSError."""
    from app.rules import loader

    return loader.load(settings.bot_rules.read_text(encoding="utf-8"))


def faults_in_rules(settings: Settings) -> list[str]:
    """Return why the rules file cannot be used, or nothing."""
    try:
        load_rules(settings)
    except (ValueError, OSError) as error:
        return [f"BOT_RULES {settings.bot_rules.name}: {error}"]
    return []


def faults_in_responder(settings: Settings) -> list[str]:
    """Return why the responder cannot be used, or nothing."""
    if not settings.bot_responder:
        return []
    from app import responder

    try:
        responder.load(settings.bot_responder)
    except responder.ResponderError as error:
        return [f"BOT_RESPONDER {settings.bot_responder}: {error}"]
    return []
