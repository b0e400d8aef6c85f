"""`flask version`: which Parley this is, and on what it runs."""

from __future__ import annotations

import platform
import sqlite3
from importlib import metadata
from typing import Any

import click
from flask.cli import with_appcontext

from app.cli.output import json_option, show_json
from app.config import VERSION
from app.db.schema import newest_revision

LIBRARIES = tuple("flask werkzeug click gunicorn twilio sqlalchemy alembic psycopg pydantic jinja2".split())


@click.command("version")
@json_option
@with_appcontext
def version_command(as_json: bool) -> None:
    """Show the versions of Parley, of Python, SQLite and the main libraries, and the schema's revision.

    The revision is the one that this version needs; `flask db upgrade` brings the database to it.

    Example: flask version --json
    """
    versions: dict[str, Any] = {
        "parley": VERSION,
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "schema": newest_revision(),
    }
    libraries = {name: _installed(name) for name in LIBRARIES}
    if as_json:
        return show_json(versions | {"libraries": libraries})
    for name, version in (versions | libraries).items():
        click.echo(f"{name:<12} {version or 'not installed'}")
    return None


def _installed(library: str) -> str | None:
    try:
        return metadata.version(library)
    except metadata.PackageNotFoundError:
        return None
