"""Parley: a webhook receiver with auto-responder for Twilio Conversations (classic).

create_app() joins the parts; nothing else knows all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from flask import Flask

from app import cli, config, logs
from app.config import Settings
from app.db.database import Database
from app.inbox import locked_lanes, probe, queue
from app.monitoring import health, metrics
from app.receiver import rejections, webhook
from app.receiver.group_commit import GroupCommit
from app.runtime.from_settings import make_alarms
from app.runtime.process import Runtime
from app.twilio_api import signature

__all__ = ["create_app"]


def create_app(
    settings: Settings | None = None,
    *,
    clock: Callable[[], datetime] | None = None,
    boot_clock: Callable[[], float] | None = None,
) -> Flask:
    """Return the Flask application; it never refuses, whatever the settings: serving and working do.

    `clock` replaces the clock that leases, ages and pauses are measured with; `boot_clock` the one that leases are
    measured with on SQLite, where that is to be another.
    """
    settings = settings or config.from_environment()
    logs.configure(settings.log_format)
    app = Flask(__name__, static_folder=None)
    app.url_map.merge_slashes = False  # no redirect: a signature is for one address, and a query may hold anything
    shared = settings.web_connections - 1  # beside the one that all webhooks are stored in
    database = Database(settings.database_url, clock=clock, boot_clock=boot_clock, connections=shared)
    runtime = Runtime(settings, database)
    app.extensions["parley"] = runtime
    app.extensions["parley.receiver"] = receiver = _receiver(runtime)
    app.extensions["parley.door"] = receiver  # the name that a gunicorn.conf.py of 0.1.0 asks for
    app.register_blueprint(webhook.blueprint)
    app.register_blueprint(health.blueprint)
    app.register_blueprint(metrics.blueprint)
    if settings.admin_password or settings.api_base_url:
        from app import dashboard  # where nobody may look, nothing of it is loaded

        dashboard.register(app, settings)
    cli.register(app)
    return app


def _receiver(runtime: Runtime) -> webhook.Receiver:
    settings, db = runtime.settings, runtime.db
    tokens = tuple(token for token in (settings.auth_token, settings.secondary_auth_token) if token)
    keys = signature.Keys(tokens=tokens, shared=settings.shared_keys)
    many_refused, not_stored = make_alarms(settings, db)
    return webhook.Receiver(
        public_url=settings.public_url,
        keys=keys,
        arrivals=GroupCommit(
            db,
            partial(queue.add_all, db),
            write_beside_locks=partial(locked_lanes.add_beside_locks, db),
            probe=partial(probe.try_to_store, db),
        ),
        process=runtime,
        refusals=rejections.Refusals(
            keys,
            settings.public_url,
            settings.instance_folder / rejections.FILE,
            settings.account_sid,
            told=many_refused,
        ),
        not_stored=not_stored,
    )


if not TYPE_CHECKING:  # a wrong import is still a wrong import for mypy

    def __getattr__(name: str) -> object:
        from app.runtime import former_names

        return former_names.find(name)
