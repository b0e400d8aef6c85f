"""`flask worker`: processes the inbox in a process of its own."""

from __future__ import annotations

import os
import signal

import click
from flask.cli import with_appcontext

from app import config
from app.cli.output import parley
from app.db.database import Database, DatabaseUnavailable
from app.db.schema import migrate
from app.inbox.worker import Worker
from app.runtime.from_settings import responder_problems, rules_problems

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


@click.command("worker")
@click.option("--drain", is_flag=True, help="Work off what is due and end; what is scheduled later stays.")
@with_appcontext
def worker_command(drain: bool) -> None:
    """Claim, decide, reply, until SIGTERM or Ctrl-C; what is begun is finished.

    Example: flask worker --drain
    """
    from app.runtime.worker import make_worker  # brings along what answers: only when it is used

    parts = parley()
    settings = parts.settings
    problems = config.problems_for_worker(settings) + rules_problems(settings) + responder_problems(settings)
    if problems:
        raise click.ClickException("\n".join(["the worker does not start:", *(f"  - {fault}" for fault in problems)]))
    if parts.settings.uses_sqlite:
        try:
            migrate(parts.db)
        except DatabaseUnavailable as unavailable:
            raise click.ClickException(f"{unavailable}; check DATABASE_URL") from unavailable
    db = Database(settings.database_url, connections=settings.worker_connections)
    worker = make_worker(settings, db)
    try:
        _drain(worker) if drain else _run(worker)
    except DatabaseUnavailable as unavailable:
        raise click.ClickException(f"{unavailable} (DATABASE_URL says which)") from unavailable


def _drain(worker: Worker) -> None:
    for number in STOP_SIGNALS:
        signal.signal(number, lambda _number, _frame: worker.ask_to_stop())
    worker.drain()


def _run(worker: Worker) -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)  # the threads inherit it: only sigwait takes them
    worker.start()
    click.echo(f"Worker {os.getpid()} ready.", err=True)
    signal.sigwait(STOP_SIGNALS)
    click.echo("Finishing what is begun.", err=True)
    if not worker.stop():
        raise click.ClickException("some work was not finished in time; it is taken up again when its lease ends")
