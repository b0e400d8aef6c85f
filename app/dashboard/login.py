"""Logging in and out: one password for all, a name for each; store/login_throttle.py slows guessers down."""

from __future__ import annotations

import time
from urllib.parse import urlsplit

from flask import flash, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user, login_user, logout_user  # type: ignore[import-untyped]

from app.dashboard import known_browser
from app.dashboard.auth import Operator, current_settings, default_name
from app.dashboard.request_context import database, writing
from app.db.database import DatabaseUnavailable
from app.store import audit, login_throttle
from app.twilio_api.addresses import channel_of

LONGEST_NAME = 256


def log_in() -> ResponseReturnValue:
    """Show the form; take a name and the password. Who fails too often has to wait."""
    if current_user.is_authenticated:
        return redirect(_own_path(request.args.get("next", "")))
    if request.method != "POST":
        return render_template("log_in.html", name=default_name(current_settings()))
    name = request.form.get("name", "").strip()
    if problem := _fault_of(name):
        return _again(problem, 400)
    try:
        return _try(name)
    except DatabaseUnavailable:
        return _again("The database cannot be reached; try again in a moment.", 503)


def log_out() -> ResponseReturnValue:
    """End the session."""
    with writing() as (tx, now):
        audit.record(tx, current_user.name, "logged out", now)
    logout_user()
    session.clear()
    flash("Logged out.")
    return redirect(url_for("page.log_in"), 303)


def _try(name: str) -> ResponseReturnValue:
    known = known_browser.of_request()
    forwarded_for = request.headers.get("X-Forwarded-For")
    address, proxy = (
        login_throttle.browser(known) if known else login_throttle.whose_guess(request.remote_addr, forwarded_for)
    )
    if wait := login_throttle.attempt(database(), address, proxy):
        text, status = _again(f"Too many failures; wait {wait} s.", 429)
        return text, status, {"Retry-After": str(wait)}
    if not login_throttle.is_password(request.form.get("password", ""), current_settings().admin_password):
        return _again("The password is wrong.", 403)
    with writing() as (tx, now):
        login_throttle.forgive(tx, address)
        audit.record(tx, name, "logged in", now)
    session.clear()  # with the token of whoever sat here before
    login_user(Operator(name, int(time.time())))
    session.permanent = True
    known_browser.remember()
    return redirect(_own_path(request.args.get("next", "")), 303)


def _fault_of(name: str) -> str:
    """Return why nobody can write under this name, or ""."""
    if not 1 <= len(name) <= LONGEST_NAME or not name.isprintable():
        return f"Your name needs 1 to {LONGEST_NAME} characters that can be printed."
    if name in (current_settings().bot_author, "system"):
        return f"The name {name} is taken: customers would take you for a machine."
    if channel_of(name, "") != "chat":
        return "That is an address of a customer; choose a name."
    return ""


def _again(problem: str, status: int) -> tuple[str, int]:
    name = request.form.get("name", "")[:LONGEST_NAME] or default_name(current_settings())
    return render_template("log_in.html", name=name, problem=problem), status


def _own_path(target: str) -> str:
    """Return the page to go on to; never another site's."""
    inside = target.startswith("/") and not target.startswith(("//", "/\\")) and target.isprintable()
    try:
        parts = urlsplit(target)
    except ValueError:
        inside = False
    else:
        inside = inside and not parts.scheme and not parts.netloc
    return target if inside else url_for("page.conversations")
