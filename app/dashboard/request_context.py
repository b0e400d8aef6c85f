"""What all views of the page share: parsed query, database, rules, Twilio client, template variables.

No database takes every number and every character: what an address asks for is made safe to look for.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from flask import current_app, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import Connection

from app import config
from app.config import Settings
from app.db.database import Database, DatabaseUnavailable, Record
from app.monitoring.access import is_offline_loop
from app.operations.account import Account
from app.operations.validation import Refused
from app.rules.facts import Policy
from app.rules.schema import BotSettings, Rules
from app.runtime.from_settings import load_rules, make_conversations, make_policy
from app.runtime.process import Runtime
from app.twilio_api.client import Conversations

LARGEST_ID = 2**63 - 1
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


def number_asked(name: str) -> int | None:
    """Return a number of the query, or None for what is none."""
    number = request.args.get(name, type=int)
    return None if number is None else min(max(number, 0), LARGEST_ID)


def text_asked(name: str) -> str:
    """Return a text of the query, at most 64 characters of it."""
    return request.args.get(name, "").replace("\0", "").strip()[:64]


def rules_in_force() -> Rules:
    """Return the rules that messages are answered by. Raises RulesError, OSError."""
    parley: Runtime = current_app.extensions["parley"]
    return parley.rules.current() if parley.rules else load_rules(settings())


def pause_after_agent() -> timedelta:
    """Return for how long the bot is silent after a human has written; what is usual while the rules are faulty."""
    try:
        return rules_in_force().bot.pause_after_agent
    except (ValueError, OSError):
        return BotSettings().pause_after_agent


def keeps_channels_apart() -> bool:
    """Return whether an opt-out holds on its own channel only; no while the rules are faulty."""
    try:
        return rules_in_force().bot.opt_out_per_channel
    except (ValueError, OSError):
        return False


def policy() -> Policy:
    """Return who is who, as the worker sees it."""
    return make_policy(settings())


def account_of(conversation: Record) -> Account:
    """Return the account, in the service of a conversation. Raises Refused when the settings do not suffice."""
    if faults := config.problems_for_rest(settings()):
        raise Refused("; ".join(faults))
    calls = current_app.extensions["parley"].rest_calls
    found = current_app.extensions.get("parley.rest")
    found = found or make_conversations(settings(), database(), record_call=calls.record)
    twilio: Conversations = current_app.extensions.setdefault("parley.rest", found)
    return Account(twilio, conversation.chat_service_sid or settings().service_sid)


def for_all_templates() -> dict[str, Any]:
    """Return what every page shows: where one can go, and how one came in."""
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


def database_unavailable(error: DatabaseUnavailable) -> ResponseReturnValue:
    """Say that nothing can be shown now."""
    return render_template("problem.html", title="The database cannot be reached", text=str(error)), 503
