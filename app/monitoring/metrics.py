"""`/metrics` for Prometheus: what this server's processes counted, and what the database knows of all of them.

It wants BOT_ADMIN_PASSWORD by HTTP basic; without one it is there only in the offline loop, for this machine itself.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac

from flask import Blueprint, Response, abort, current_app, request

from app.db.database import Database, DatabaseUnavailable

blueprint = Blueprint("metrics", __name__)


@blueprint.get("/metrics")
def metrics() -> Response:
    """Answer in the text format that the client asks for; 401 without the password, 404 where there is none."""
    _let_in()
    from prometheus_client import CollectorRegistry
    from prometheus_client.exposition import choose_encoder
    from prometheus_client.multiprocess import MultiProcessCollector

    from app.monitoring.database_metrics import StoredMetrics

    parley = current_app.extensions["parley"]
    with contextlib.suppress(DatabaseUnavailable):
        parley.rest_calls.store(parley.db)  # those that were made for the page, where no worker runs
    registry = CollectorRegistry(auto_describe=False)
    try:
        MultiProcessCollector(registry)
    except ValueError:  # no folder: there is one process
        registry.register(current_app.extensions["parley.door"].counts.registry)
    registry.register(StoredMetrics(parley.db))
    encode, content_type = choose_encoder(request.headers.get("Accept", ""))
    return Response(encode(registry), content_type=content_type, headers={"Cache-Control": "no-store"})


def _let_in() -> None:
    """Return for who may read this; else end the request."""
    if password := current_app.extensions["parley"].settings.admin_password:
        _let_in_with(password)
    else:
        _let_in_this_machine()


def _let_in_with(password: str) -> None:
    given = _given_password()
    if given is None:
        abort(_ask_for_password())
    is_right = hmac.compare_digest(_digest(given), _digest(password))
    try:
        wait = _count_guess(is_right)
    except DatabaseUnavailable:
        wait = 0  # the one moment when everybody wants to know that it is away
    if wait:
        abort(Response("Too many failures.\n", 429, {"Retry-After": str(wait)}, "text/plain"))
    if not is_right:
        abort(_ask_for_password())


def _given_password() -> str | None:
    try:
        given = request.authorization
    except ValueError:  # werkzeug 3.1 stumbles over a header that is not ASCII
        return None
    return given.password if given and given.type == "basic" else None


def _let_in_this_machine() -> None:
    """The page knows who that is, and is not there outside of the offline loop."""
    if not hasattr(current_app, "login_manager"):
        abort(404)
    from flask_login import current_user  # type: ignore[import-untyped]

    if not current_user.is_authenticated:
        abort(404)


def _ask_for_password() -> Response:
    return Response(
        "The password is BOT_ADMIN_PASSWORD, with any name.\n",
        401,
        {"WWW-Authenticate": 'Basic realm="Parley metrics", charset="UTF-8"'},
        "text/plain",
    )


def _count_guess(is_right: bool) -> int:
    """Return how many seconds to wait before another guess; 0: this one counts. Raises DatabaseUnavailable.

    Failures are counted as those of the log-in form are, but apart: whoever guesses there silences no monitoring. A
    scrape with the password writes nothing.
    """
    from app.store import login_throttle

    db: Database = current_app.extensions["parley"].db
    guess = login_throttle.whose_guess(request.remote_addr, request.headers.get("X-Forwarded-For"))
    address, proxy = (f"metrics {one}" if one else "" for one in guess)
    with db.read() as tx:
        wait = login_throttle.wait_of(tx, address, proxy, db.now(tx))
    return wait if wait or is_right else login_throttle.attempt(db, address, proxy)


def _digest(text: str) -> bytes:
    """Return a value of one length, so that comparing it tells nothing."""
    return hashlib.sha256(text.encode("utf-8", "replace")).digest()
