"""A signed cookie of browsers that have logged in before, so that throttling of guessers does not lock their owner out.

A signed cookie, which only a log-in with the right password gives; it opens nothing. A new password or key ends it.
"""

from __future__ import annotations

import secrets

from flask import Response, current_app, g, request
from itsdangerous import BadData, URLSafeTimedSerializer

SECONDS = 180 * 24 * 3600
SUFFIX = "-known"


def of_request() -> str:
    """Return the name of the browser that a request comes from, or "" for one that is not known."""
    try:
        known = _signer().loads(request.cookies.get(_name(), ""), max_age=SECONDS)
    except BadData:
        return ""
    return known if isinstance(known, str) else ""


def remember() -> None:
    """Let the answer to this request tell the browser that it is known from now on."""
    g.known_browser = of_request() or secrets.token_hex(8)


def set_cookie(response: Response) -> None:
    """Set the cookie, where remember() was called."""
    if known := g.get("known_browser"):
        signed = str(_signer().dumps(known))
        is_secure = bool(current_app.config["SESSION_COOKIE_SECURE"])
        response.set_cookie(_name(), signed, SECONDS, path="/", secure=is_secure, httponly=True, samesite="Lax")


def _name() -> str:
    return f"{current_app.config['SESSION_COOKIE_NAME']}{SUFFIX}"


def _signer() -> URLSafeTimedSerializer:
    """Return what signs and reads the cookie; of another password it reads nothing."""
    password = current_app.extensions["parley"].settings.admin_password
    return URLSafeTimedSerializer([f"{current_app.secret_key!s}|{password}"], salt="parley known browser")
