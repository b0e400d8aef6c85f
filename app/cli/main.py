"""The command `parley`: the same commands as `flask`, in any folder, also where no wsgi.py is."""

from __future__ import annotations

import sys
from pathlib import Path
from pkgutil import resolve_name

import click
from flask import Flask
from flask.cli import FlaskGroup

from app.config import VERSION


def main() -> None:
    """Run the command that the arguments name."""
    sys.path.insert(0, str(Path.cwd()))  # as `flask` and gunicorn do: here may be the module of BOT_RESPONDER
    parley = FlaskGroup(
        name="parley",
        help="A webhook receiver with auto-responder for Twilio Conversations.",
        create_app=_create_app,
        add_version_option=False,
    )
    parley.params = [option for option in parley.params if option.name != "app"]
    click.version_option(VERSION, prog_name="parley")(parley)
    parley.main(prog_name="parley")


def _create_app() -> Flask:
    """Return the application; found by its name, as gunicorn does: what stands below the root never imports it."""
    app: Flask = resolve_name("app:create_app")()
    return app
