"""Access to the page: sessions of 12 hours, CSRF tokens on every change, security headers with a strict CSP.

Without BOT_ADMIN_PASSWORD the page exists only in the offline loop, for this machine itself. The log-in form is
in login.py. A session is a signed cookie: logging out takes it away from the browser, a new password ends all.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, Flask, Request, Response, abort, current_app, redirect, render_template, request, url_for
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface, SessionMixin
from flask.typing import ResponseReturnValue
from flask_login import LoginManager, current_user  # type: ignore[import-untyped]
from flask_wtf.csrf import CSRFError, CSRFProtect  # type: ignore[import-untyped]
from werkzeug.exceptions import HTTPException, NotFound

from app.config import Settings
from app.dashboard import known_browser
from app.monitoring.access import is_offline_loop, is_this_machine

SESSION_SECONDS = 12 * 3600
LARGEST_FORM = 256 * 1024  # bytes
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
OPEN_TO_ALL = ("page.log_in", "page.static")
# Twilio and monitors have no cookies and get none.
WITHOUT_COOKIES = ("/conversations/webhook", "/healthz", "/readyz", "/metrics")

csrf = CSRFProtect()


class Operator:
    """Somebody who is logged in; `name` is the author of what they write."""

    is_authenticated = is_active = True  # as Flask-Login asks
    is_anonymous = False

    def __init__(self, name: str, since: int) -> None:
        self.name, self.since = name, since

    def get_id(self) -> str:
        """Return what the cookie keeps: since when, with which password, and who."""
        return f"{self.since}|{_password_mark()}|{self.name}"


class PageSessions(SecureCookieSessionInterface):
    """Flask's signed cookies, for those who look at the page."""

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        """Return the session of a request; none for a webhook."""
        return None if request.path in WITHOUT_COOKIES else super().open_session(app, request)

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        """Set the cookie of the session, and after a log-in the one that outlives it."""
        super().save_session(app, session, response)
        known_browser.set_cookie(response)


def is_available(settings: Settings) -> bool:
    """Return whether there is a page at all."""
    return bool(settings.admin_password) or is_offline_loop(settings)


def protect(app: Flask, settings: Settings) -> None:
    """Give the application its key, cookies, log-in and CSRF tokens; the webhook needs none of them."""
    is_https = settings.public_url.startswith("https://")
    app.session_interface = PageSessions()
    app.config.update(
        SECRET_KEY=_secret_key(settings),
        SESSION_COOKIE_NAME="__Host-parley" if is_https else "parley",  # no other host can set the former
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SECURE=is_https,
        SESSION_COOKIE_SAMESITE="Lax",
        PERMANENT_SESSION_LIFETIME=timedelta(seconds=SESSION_SECONDS),
        WTF_CSRF_CHECK_DEFAULT=False,  # the page's own before_request checks; Twilio has no token
        WTF_CSRF_TIME_LIMIT=None,  # as long as the session
        WTF_CSRF_SSL_STRICT=False,  # behind a proxy we never see https; _comes_from_elsewhere() asks the browser
    )
    csrf.init_app(app)
    sessions = LoginManager()
    sessions.user_loader(_of_cookie)
    sessions.request_loader(_of_this_machine)
    sessions.init_app(app)


def guard(page: Blueprint) -> None:
    """Let nobody see an answer of the page but who may, and let none of them allow more than the page needs."""
    page.before_request(_let_in)
    page.after_request(_forbid_everything_else)
    page.register_error_handler(CSRFError, _not_from_our_form)
    page.register_error_handler(HTTPException, _http_problem)


def _of_cookie(identity: str) -> Operator | None:
    since, _, rest = identity.partition("|")
    mark, _, name = rest.partition("|")
    if not current_settings().admin_password or not hmac.compare_digest(mark.encode(), _password_mark().encode()):
        return None
    return Operator(name, int(since)) if 0 <= time.time() - int(since) < SESSION_SECONDS else None


def _of_this_machine(_request: Any) -> Operator | None:
    """In the offline loop whoever sits at this machine is an agent."""
    settings = current_settings()
    return Operator(default_name(settings), 0) if is_this_machine(settings) else None


def _let_in() -> ResponseReturnValue | None:
    request.max_content_length = LARGEST_FORM
    if "\0" in request.path:
        abort(404)  # no database takes that
    if not current_settings().admin_password and not current_user.is_authenticated:
        return NotFound().get_response()  # as if there were no page
    is_change = request.method not in ("GET", "HEAD", "OPTIONS")
    if is_change and _comes_from_elsewhere():
        raise CSRFError("Another site sent this.")
    if request.endpoint not in OPEN_TO_ALL and not current_user.is_authenticated:
        return _ask_to_log_in(is_change)
    if is_change:
        csrf.protect()
    return None


def _ask_to_log_in(is_change: bool) -> ResponseReturnValue:
    if is_change or request.path.startswith("/fragments/") or request.headers.get("X-Requested-With"):
        abort(401)
    return redirect(url_for("page.log_in", next=request.full_path.rstrip("?")))


def _comes_from_elsewhere() -> bool:
    """Return whether the browser says that another site's page sent this; an old one names only the origin.

    Source: developer.mozilla.org, Sec-Fetch-Site, read 2026-11-22: sent to https addresses and to localhost.
    """
    if site := request.headers.get("Sec-Fetch-Site"):
        return site not in ("same-origin", "none")
    origin = request.headers.get("Origin")
    return origin is not None and urlsplit(origin).netloc not in (request.host, _public_host())


def _forbid_everything_else(response: Response) -> Response:
    response.headers["Content-Security-Policy"] = CSP
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "same-origin"
    response.headers["Cross-Origin-Opener-Policy"] = "same-origin"
    if request.endpoint != "page.static":
        response.headers.setdefault("Cache-Control", "no-store")
    return response


def _not_from_our_form(error: CSRFError) -> ResponseReturnValue:
    text = (
        f"Nothing was done: {error.description} Go back, copy what you have written, reload the page and try again. "
        "If it does not help, let this site set cookies, and open it at the address in PUBLIC_URL."
    )
    return _problem("This did not come from a form of this page", text), 400


def _http_problem(error: HTTPException) -> ResponseReturnValue:
    if error.code == 401:
        text = "Nothing was done. Go back and copy what you have written, then log in again."
        return _problem("You are logged out", text), 401
    if error.code is None or error.code < 400:
        return error
    return _problem(error.name, error.description or ""), error.code


def _problem(title: str, text: str) -> str:
    return render_template("problem.html", title=title, text=text)


def current_settings() -> Settings:
    """Return the settings of this process."""
    settings: Settings = current_app.extensions["parley"].settings
    return settings


def default_name(settings: Settings) -> str:
    """Return the first of BOT_AGENTS that is a name and no pattern."""
    plain = [name for name in settings.bot_agents if not set("*?[") & set(name) and not name.startswith("RL")]
    return plain[0] if plain else "support-agent"


def _secret_key(settings: Settings) -> str:
    """Return the key that signs cookies, the same in every process.

    Without SECRET_KEY it comes from the password and from secrets of Twilio's: they are long and random, so that a
    cookie is of no use to find out the password.
    """
    if settings.secret_key:
        return settings.secret_key
    known = [settings.auth_token, *settings.shared_keys.values()]
    if not any(known):
        return secrets.token_hex(32)  # nobody can call the webhook either
    accepted = "\n".join([settings.admin_password, *known])
    return hmac.new(accepted.encode(), b"the key of Parley's page", hashlib.sha256).hexdigest()


def _password_mark() -> str:
    """Return what changes with the password, so that a new one ends the old sessions."""
    key = str(current_app.config["SECRET_KEY"]).encode()
    return hmac.new(key, current_settings().admin_password.encode(), hashlib.sha256).hexdigest()[:16]


def _public_host() -> str:
    return urlsplit(current_settings().public_url).netloc
