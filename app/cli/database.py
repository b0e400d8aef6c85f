"""`flask db`: the schema."""

from __future__ import annotations

import click
from flask.cli import with_appcontext

from app.cli.output import parley
from app.db.database import DatabaseUnavailable
from app.db.schema import migrate


@click.group("db")
def db_commands() -> None:
    """The database schema."""


@db_commands.command("upgrade")
@with_appcontext
def upgrade_command() -> None:
    """Bring the schema to this version's; safe to run again.

    Example: flask db upgrade
    """
    database = parley().db
    try:
        migrate(database)
    except DatabaseUnavailable as unavailable:
        raise click.ClickException(f"{unavailable}; check DATABASE_URL") from unavailable
    click.echo(f"The schema of {database.url.render_as_string(hide_password=True)} is up to date.")
