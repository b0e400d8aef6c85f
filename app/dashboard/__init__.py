"""The web page of support agents: conversations, deliveries, events, rules, and a phone to try the bot.

It is there with BOT_ADMIN_PASSWORD, or in the offline loop; register() brings nothing along otherwise.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any

import click
from flask import Flask

from app.config import Settings


def register(app: Flask, settings: Settings) -> None:
    """Add the page to the application, where there is one.

    A `flask` command adds it when it answers a request: most of them never do, and loading takes its time.
    """
    if not settings.admin_password and not settings.api_base_url:
        return  # Twilio itself and no password: nothing of the page is even loaded
    if click.get_current_context(silent=True):
        _add_at_first_request(app, settings)
    else:
        _add(app, settings)


def _add(app: Flask, settings: Settings) -> None:
    from app.dashboard import auth

    if not auth.is_available(settings):
        return
    from app.dashboard import routes

    auth.protect(app, settings)
    app.register_blueprint(routes.make_blueprint())


def _add_at_first_request(app: Flask, settings: Settings) -> None:
    plain, lock = app.wsgi_app, threading.Lock()

    def serve(environ: Any, start_response: Any) -> Iterable[bytes]:
        with lock:
            if app.wsgi_app is serve:
                _add(app, settings)
                app.wsgi_app = plain  # type: ignore[method-assign]
        return plain(environ, start_response)

    app.wsgi_app = serve  # type: ignore[method-assign]
