"""What all views of the page share: the database, and what every template is given."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from flask import current_app, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import Connection

from app.config import Settings
from app.dashboard.auth import blueprint, is_offline_loop
from app.db.database import Database, DatabaseUnavailable

_PAGES = (
    ("page.conversations", "Conversations"),
    ("page.deliveries", "Deliveries"),
    ("page.events", "Events"),
    ("page.rules", "Rules"),
)


def settings() -> Settings:
    """Return the settings of this process."""
    found: Settings = current_app.extensions["parley"].settings
    return found


def database() -> Database:
    """Return the database of this process."""
    db: Database = current_app.extensions["parley"].db
    return db


@contextmanager
def reading() -> Iterator[tuple[Connection, datetime]]:
    """Give a transaction to read in, and the time. Raises DatabaseUnavailable: the page says so with 503."""
    db = database()
    with db.read() as tx:
        yield tx, db.now(tx)


@contextmanager
def writing() -> Iterator[tuple[Connection, datetime]]:
    """Give a transaction to write in, and the time. Raises DatabaseUnavailable."""
    db = database()
    with db.write() as tx:
        yield tx, db.now(tx)


@blueprint.context_processor
def _for_all() -> dict[str, Any]:
    offline = is_offline_loop(settings())
    pages = (*_PAGES, ("page.phone", "Phone")) if offline else _PAGES
    return {
        "pages": pages,
        "has_password": bool(settings().admin_password),
        "is_offline": offline,
        "is_current": _is_current,
    }


def _is_current(endpoint: str) -> bool:
    """Return whether the request is for a page of the navigation, or for one below it."""
    if endpoint == "page.conversations":
        return request.path == url_for(endpoint) or request.path.startswith("/c/")
    return request.path == url_for(endpoint) or request.path.startswith(f"{url_for(endpoint)}/")


@blueprint.errorhandler(DatabaseUnavailable)
def _unavailable(error: DatabaseUnavailable) -> ResponseReturnValue:
    return render_template("problem.html", title="The database cannot be reached", text=str(error)), 503


@blueprint.app_template_filter("moment")
def _moment(at: datetime | None) -> str:
    """Return a time for people without JavaScript; the page's script puts it into their own time zone."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC") if at else ""
