"""The commands operators type; each imports what it needs when it runs, so that --help is quick."""

from __future__ import annotations

from flask import Flask


def register(app: Flask) -> None:
    """Add all commands to the `flask` command of this application."""
    from app.cli.database import db_commands
    from app.cli.deliveries import deliveries_commands
    from app.cli.dev import dev_command
    from app.cli.emulator import emulator_command
    from app.cli.inbox import inbox_commands
    from app.cli.worker import worker_command

    for command in (db_commands, deliveries_commands, dev_command, emulator_command, inbox_commands, worker_command):
        app.cli.add_command(command)
