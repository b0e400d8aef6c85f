"""Tells load balancers and people whether this process lives and whether it can do its work."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask import Blueprint, Response, current_app, jsonify
from sqlalchemy import Connection

from app.config import VERSION
from app.db.database import Database, DatabaseUnavailable
from app.db.schema import is_migrated
from app.inbox import queue

BROKEN_RULES = "the file is faulty and the old rules stay in force; `flask rules check` lists its faults"

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
def healthz() -> Response:
    """Answer 200 while the process serves; asks nothing else, so that a database outage restarts nobody."""
    run_id = current_app.extensions["parley"].settings.run_id
    headers = {"X-Parley-Version": VERSION} | ({"X-Parley-Run": run_id} if run_id else {})
    return Response("ok\n", mimetype="text/plain", headers=headers)


@blueprint.get("/readyz")
def readyz() -> tuple[Response, int]:
    """Answer 200 when webhooks can be stored, else 503; with the age of the oldest due event in seconds.

    A rules file that was broken while we run is named, but makes nothing unready: the old rules answer.
    """
    parley = current_app.extensions["parley"]
    db: Database = parley.db
    try:
        with db.read() as tx:
            report = _report(tx, db.now(tx))
    except DatabaseUnavailable as unavailable:
        report = {"ready": False, "database": str(unavailable)}
    if parley.rules and parley.rules.fault():
        report["rules"] = BROKEN_RULES
    return jsonify(report), 200 if report["ready"] else 503


def _report(tx: Connection, now: datetime) -> dict[str, Any]:
    if not is_migrated(tx):
        return {"ready": False, "database": "ok", "migrations": "missing; run `flask db upgrade`"}
    waiting_since = queue.oldest_due(tx, now)
    age = round((now - waiting_since).total_seconds(), 1) if waiting_since else 0.0
    return {"ready": True, "database": "ok", "migrations": "ok", "oldest_due_seconds": age}
