"""`flask reconcile`: fetches what Twilio failed to deliver, and names the gaps."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click
from flask.cli import with_appcontext

from app.cli.account_options import dry_run_option, operating, service_option
from app.cli.output import database, explained, json_option, parley, show_json, show_table
from app.cli.param_types import Number, Since

if TYPE_CHECKING:
    from app.db.database import Database
    from app.reconcile.report import Gap, Report
    from app.reconcile.run import Scope

_LINES_EVERY = 100


@click.command("reconcile")
@click.option(
    "--since",
    type=Since("mhd", "30m, 2h, 3d, 2026-11-22 or 2026-11-22T08:00"),
    metavar="2h|DATE",
    help="Default: since the last complete run, at first 2 days.",
)
@click.option(
    "--requests", "most", type=click.IntRange(1), help="Begin nothing more after so many; the lists are extra."
)
@click.option("--per-second", type=Number(0.1, 100), default=10, show_default=True, help="Requests a second.")
@dry_run_option
@service_option
@json_option
@with_appcontext
def reconcile_command(
    since: timedelta | datetime | None,
    most: int | None,
    per_second: float,
    dry_run: bool,
    service_sid: str,
    as_json: bool,
) -> None:
    """Find messages and receipts that never arrived as webhooks, and put them into the inbox like those.

    A message is answered only if its author can be reached, nothing newer was answered and it is not too old; the
    worker decides. What was not finished is gone on with by the next run. Exit code 1 when something could not be
    looked at, unless --requests was the reason.

    Example: flask reconcile --since 2h --dry-run
    """
    from app.reconcile.run import Scope

    settings, db = parley().settings, database()
    with operating(service_sid) as account, explained():
        with db.read() as tx:
            now = db.now(tx)
        wanted = now - since if isinstance(since, timedelta) else since
        if wanted and wanted > now:
            raise click.UsageError(f"--since {wanted:%Y-%m-%d %H:%M %Z} is in the future")
        retention = timedelta(days=settings.retention_days)
        if wanted and wanted < now - retention:
            click.echo(
                f"Looking back {settings.retention_days} days: what is older is not kept here (BOT_RETENTION_DAYS).",
                err=True,
            )
        is_part = account.service_sid != settings.service_sid
        scope = Scope(account.service_sid, settings.bot_author, retention, wanted, is_part, reads_rosters=True)
        report = _run(db, account.twilio, scope, most or 0, per_second, dry_run)
    _show(report, as_json)
    sys.exit(0 if report.is_as_wanted else 1)


def _run(db: Database, twilio: Any, scope: Scope, most: int, per_second: float, dry_run: bool) -> Report:
    from app.inbox import periodic
    from app.reconcile.paced_client import PacedClient
    from app.reconcile.run import Reconciliation
    from app.reconcile.starting import TASK

    lease = None if dry_run else periodic.take(db, TASK)
    if lease is None and not dry_run:
        raise click.ClickException("another process reconciles just now; wait until it has ended, or use --dry-run")

    def still_ours() -> None:
        if lease:
            periodic.renew(db, lease)

    with _progress() as progress, _stoppable() as wait:
        calls = PacedClient(twilio, db, per_second=per_second, wait=wait, most=most, still_ours=still_ours)
        try:
            return Reconciliation(db, calls, scope, lease, progress=progress).run()
        except periodic.TaskLeaseLost as lost:
            raise click.ClickException(f"{lost}; run it again when that has ended") from lost


@contextmanager
def _stoppable() -> Iterator[Callable[[float], bool]]:
    """Give a function that waits, and says whether Ctrl-C or SIGTERM asked to stop; then the run ends in order."""
    import signal

    stopping = threading.Event()
    names = (signal.SIGINT, signal.SIGTERM)
    in_main = threading.current_thread() is threading.main_thread()
    before = {name: signal.signal(name, lambda *_: stopping.set()) for name in names} if in_main else {}
    try:
        yield stopping.wait
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)


@contextmanager
def _progress() -> Iterator[Callable[[int, int], None]]:
    """Give a function to call with how much of how much is done: it says so at once on a terminal, else sometimes."""
    terminal = sys.stderr.isatty()

    def say(done: int, of: int) -> None:
        if terminal:
            click.echo(f"\r{done:,} of {of:,} conversations ", nl=False, err=True)
        elif done % _LINES_EVERY == 0:
            click.echo(f"{done:,} of {of:,} conversations", err=True)

    yield say
    if terminal:
        click.echo("\r\x1b[K", nl=False, err=True)


def _show(report: Report, as_json: bool) -> None:
    gaps = sorted(report.gaps.values(), key=_first)
    if as_json:
        return show_json({**asdict(report), "gaps": [asdict(gap) for gap in gaps], "complete": report.is_complete})
    if gaps:
        show_table(
            [asdict(gap) for gap in gaps],
            ["conversation_sid", "messages", "receipts", "without_phone", "others", "first_at", "last_at"],
            empty="",
        )
    for sid, reason in report.failed.items():
        click.echo(f"{sid} could not be looked at: {reason}", err=True)
    click.echo(f"Since {report.since:%Y-%m-%d %H:%M} UTC, {report.requests} requests: {report.in_words()}.")
    for sentence in _advice(report, gaps):
        click.echo(sentence)
    return None


def _first(gap: Gap) -> tuple[datetime, str]:
    return gap.first_at or datetime.max.replace(tzinfo=UTC), gap.conversation_sid


def _advice(report: Report, gaps: Sequence[Gap]) -> Iterator[str]:
    if report.dry_run and gaps:
        yield "Nothing was stored; without --dry-run it is."
    if report.too_recent:
        yield f"{report.too_recent} messages of the last minute may still come by themselves."
    if report.without_phone:
        programs = f"{report.without_phone} messages of programs or chat users"
        yield f"Not counted as missing: {programs}. Twilio posts no webhook of what is made through REST."
    if services := sorted({gap.service_sid for gap in gaps if gap.messages and gap.service_sid}):
        yield f"`flask doctor` says why webhooks of {', '.join(services)} may not arrive."
    if report.left:
        yield f"{report.left} conversations are left; `flask reconcile` goes on with them."
