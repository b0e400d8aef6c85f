"""How gunicorn serves Parley; every value can be overridden on its command line. Settings: see .env.example."""

import sys
from pathlib import Path
from typing import Any

from app import config as parley_config
from app import faults_in_rules

environment = parley_config.environment()

wsgi_app = "wsgi:app"
worker_class = "gthread"
workers = int(environment.get("WEB_CONCURRENCY") or 2)
threads = 16
keepalive = 75
graceful_timeout = 30
timeout = 60
control_socket_disable = True  # one less file to own, and two servers on one machine do not meet
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108 - gunicorn's heartbeat file
# Off unless asked for; never with a query, which for GET webhooks is the whole message.
access_log_format = "%(t)s %(m)s %(U)s %(s)s %(B)s bytes %(M)s ms"


def on_starting(_server: Any) -> None:
    """Refuse to serve with bad settings, one sentence for each; bring an SQLite database up to date, once."""
    settings = parley_config.from_environment()
    faults = parley_config.faults_for_serving(settings)
    if settings.runs_inline_worker:
        faults += faults_in_rules(settings)
    if faults:
        sys.exit("\n".join(["Parley does not start:", *(f"  - {fault}" for fault in faults)]))
    if settings.uses_sqlite:
        from app import db

        database = db.Database(settings.database_url)
        db.migrate(database)
        database.close()


def post_worker_init(worker: Any) -> None:
    """Start the worker inside this web process, where the settings want one."""
    parley = worker.wsgi.extensions["parley"]
    if parley.settings.runs_inline_worker:
        parley.start_worker()


def worker_exit(_server: Any, worker: Any) -> None:
    """Finish what is being worked on before the process ends."""
    parley = worker.wsgi.extensions["parley"] if getattr(worker, "wsgi", None) else None
    if parley and parley.worker:
        parley.worker.stop()
