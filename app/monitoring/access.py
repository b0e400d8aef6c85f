"""Access to `/metrics`: basic auth with BOT_ADMIN_PASSWORD; without one, this machine only, in the offline loop."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from flask import Response, abort, current_app, request

from app.config import Settings
from app.db.database import Database, DatabaseUnavailable
from app.store import login_throttle

FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-Ip", "Via")


def is_offline_loop(settings: Settings) -> bool:
    """Return whether Twilio is an emulator on this machine, and this machine is all that should call us."""
    return all(_is_loopback(_host_of(url)) for url in (settings.api_base_url, settings.public_url))


def is_this_machine(settings: Settings) -> bool:
    """Return whether the request comes from this machine, in an offline loop that has no password.

    Nobody else's does: not with a name in Host that somebody has pointed at this machine (DNS rebinding), not through
    a proxy or tunnel.
    """
    if settings.admin_password or not is_offline_loop(settings):
        return False
    is_here = _is_loopback(request.remote_addr) and _is_loopback(_host_of(f"//{request.host}"))
    return is_here and not any(name in request.headers for name in FORWARDED)


def let_in() -> None:
    """Return for who may read; else end the request: 401 or 429 where there is a password, 404 where there is none."""
    settings: Settings = current_app.extensions["parley"].settings
    if settings.admin_password:
        _let_in_with(settings.admin_password)
    elif not is_this_machine(settings):
        abort(404)


def _let_in_with(password: str) -> None:
    given = _given_password()
    if given is None:
        abort(_ask_for_password())
    is_right = login_throttle.is_password(given, password)
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
    db: Database = current_app.extensions["parley"].db
    whose = login_throttle.whose_guess(request.remote_addr, request.headers.get("X-Forwarded-For"))
    address, proxy = (f"metrics {one}" if one else "" for one in whose)
    with db.read() as tx:
        wait = login_throttle.wait_of(tx, address, proxy, db.now(tx))
    return wait if wait or is_right else login_throttle.attempt(db, address, proxy)


def _host_of(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


def _is_loopback(host: str | None) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False
