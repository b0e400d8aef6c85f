"""`/healthz` and `/readyz`: whether this process lives, and whether it can store and work."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, current_app, jsonify

from app.config import VERSION
from app.db.database import Database, DatabaseUnavailable
from app.db.schema import is_migrated
from app.db.writer_lock import time_limit
from app.inbox import queue

BROKEN_RULES = "the file is faulty and the old rules stay in force; `flask rules check` lists its faults"
NO_RULES = "this process started while they cannot be used: it stores and answers none until `flask rules check` passes"

READ_SECONDS = 2.0

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
def healthz() -> Response:
    """Answer 200 while the process serves; asks nothing else, so that a database outage restarts nobody."""
    run_id = current_app.extensions["parley"].settings.run_id
    headers = {"X-Parley-Version": VERSION} | ({"X-Parley-Run": run_id} if run_id else {})
    return Response("ok\n", mimetype="text/plain", headers=headers)


@blueprint.get("/readyz")
def readyz() -> tuple[Response, int]:
    """Answer 200 when this process can store webhooks, else 503; with the age of the oldest due event in seconds.

    It has stored something in the last 2 s, or tries now, as a webhook would: at most once in 2 s, however many ask.
    A rules file that was broken while we run is named, but makes nothing unready: the old rules answer.
    """
    parley = current_app.extensions["parley"]
    report = _report(parley.db, current_app.extensions["parley.receiver"].arrivals)
    if parley.no_worker_because:
        report["rules"] = NO_RULES
    elif parley.rules and parley.rules.fault():
        report["rules"] = BROKEN_RULES
    return jsonify(report), 200 if report["ready"] else 503


def _report(db: Database, arrivals: Any) -> dict[str, Any]:
    """Return what is to be said; `arrivals` is the receiver's, which stands above this package."""
    if problem := arrivals.known_problem():
        return _unready(problem)  # whoever waits for a server that is away would find nothing else
    try:
        report = _read(db)
    except DatabaseUnavailable as unavailable:
        return _unready(str(unavailable))
    problem = arrivals.problem() if report["ready"] else ""
    return _unready(problem) if problem else report


def _read(db: Database) -> dict[str, Any]:
    """Return what can be read. Raises DatabaseUnavailable."""
    with time_limit(READ_SECONDS), db.read() as tx:
        if not is_migrated(tx):
            return {"ready": False, "database": "ok", "migrations": "missing; run `flask db upgrade`"}
        now = db.now(tx)
        waiting_since = queue.oldest_due(tx, now)
    age = round((now - waiting_since).total_seconds(), 1) if waiting_since else 0.0
    return {"ready": True, "database": "ok", "migrations": "ok", "oldest_due_seconds": age}


def _unready(why: str) -> dict[str, Any]:
    return {"ready": False, "database": why}
