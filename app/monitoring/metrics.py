"""`/metrics` for Prometheus: what this server's processes counted, and what the database knows of all of them."""

from __future__ import annotations

import contextlib

from flask import Blueprint, Response, current_app, request

from app.db.database import DatabaseUnavailable
from app.monitoring import access, rest_metrics

blueprint = Blueprint("metrics", __name__)


@blueprint.get("/metrics")
def metrics() -> Response:
    """Answer in the text format that the client asks for; 401 without the password, 404 where there is none."""
    access.let_in()
    from prometheus_client import CollectorRegistry
    from prometheus_client.exposition import choose_encoder
    from prometheus_client.multiprocess import MultiProcessCollector

    from app.monitoring.database_metrics import StoredMetrics

    parley = current_app.extensions["parley"]
    with contextlib.suppress(DatabaseUnavailable):
        rest_metrics.store(parley.rest_calls, parley.db)  # those that were made for the page, where no worker runs
    registry = CollectorRegistry(auto_describe=False)
    try:
        MultiProcessCollector(registry)
    except ValueError:  # no folder: there is one process
        registry.register(current_app.extensions["parley.receiver"].counts.registry)
    registry.register(StoredMetrics(parley.db))
    encode, content_type = choose_encoder(request.headers.get("Accept", ""))
    return Response(encode(registry), content_type=content_type, headers={"Cache-Control": "no-store"})
