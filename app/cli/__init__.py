"""The commands operators type; each imports what it needs when it runs, so that --help is quick."""

from __future__ import annotations

import click
from flask import Flask
from flask.cli import AppGroup

from app.cli.param_types import nearest


class Commands(AppGroup):
    """Our commands as a part of `flask`, which says nothing of the nearest one where there is no such command."""

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Return a command; for an unknown one say which was meant, where one is near."""
        found = super().get_command(ctx, name)
        meant = None if found or ctx.resilient_parsing else nearest(name, self.commands)
        if meant:
            ctx.fail(f"No such command '{name}'. Did you mean '{meant}'?")
        return found


def register(app: Flask) -> None:
    """Add all commands to the `flask` command of this application."""
    app.cli = Commands(name=app.name)
    from app.cli.addresses import addresses_commands
    from app.cli.consent import consent_commands
    from app.cli.conversations import conversations_commands
    from app.cli.database import db_commands
    from app.cli.deliveries import deliveries_commands
    from app.cli.dev.command import dev_command
    from app.cli.dev.emulator import emulator_command
    from app.cli.doctor import doctor_command
    from app.cli.inbox import inbox_commands
    from app.cli.listen import listen_command
    from app.cli.messages import messages_commands
    from app.cli.notify import notify_commands
    from app.cli.participants import participants_commands
    from app.cli.privacy import privacy_commands
    from app.cli.privacy_export import export_command
    from app.cli.reconcile import reconcile_command
    from app.cli.record import record_command
    from app.cli.replay import replay_command
    from app.cli.rules import rules_commands
    from app.cli.services import services_commands
    from app.cli.setup import setup_command
    from app.cli.signature import signature_commands
    from app.cli.tokens import tokens_commands
    from app.cli.trigger.command import trigger_command
    from app.cli.version import version_command
    from app.cli.webhooks import webhooks_commands
    from app.cli.worker import worker_command

    privacy_commands.add_command(export_command)
    for command in (
        addresses_commands,
        consent_commands,
        conversations_commands,
        db_commands,
        deliveries_commands,
        dev_command,
        doctor_command,
        emulator_command,
        inbox_commands,
        listen_command,
        messages_commands,
        notify_commands,
        participants_commands,
        privacy_commands,
        reconcile_command,
        record_command,
        replay_command,
        rules_commands,
        services_commands,
        setup_command,
        signature_commands,
        tokens_commands,
        trigger_command,
        version_command,
        webhooks_commands,
        worker_command,
    ):
        app.cli.add_command(command)
