"""`flask dev --live`: the app on this machine behind ngrok, answering a real account while it runs."""

from __future__ import annotations

import dataclasses
import secrets
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from app import config
from app.cli.dev.app_process import ended_by_itself, serving
from app.cli.dev.stop_signals import STOP_SIGNALS, stoppable
from app.cli.dev.tunnel import find_tunnel, prove_round_trip
from app.cli.dev.webhook_backup import Memory, alone, recall, remember, restore
from app.cli.inbox_tail import Follower, show
from app.config import Settings
from app.db.database import Database, DatabaseUnavailable
from app.inbox import admin
from app.operations.account import Account
from app.operations.webhooks import ROUTE, Webhook, fetch, in_words, overriding_services, put
from app.runtime.from_settings import make_conversations, responder_problems, rules_problems
from app.twilio_api import events, parsing
from app.twilio_api.errors import SendError
from app.twilio_api.signature import Keys


def run_live(port: int, ngrok_api: str) -> None:
    """Serve the real account through the tunnel until Ctrl-C or SIGTERM, then put its webhook back."""
    environment = config.environment()
    settings = config.from_environment({**environment, "PUBLIC_URL": ""})
    with alone(settings.instance_folder), stoppable():
        account = Account(make_conversations(settings, None))
        _refuse_faults(config.problems_for_rest(settings))
        with _explained():
            _mend_earlier_run(settings, account)
            former = fetch(account)
        public_url = find_tunnel(ngrok_api, port)
        settings = config.from_environment({**environment, "PUBLIC_URL": public_url})
        faults = config.problems_for_serving(settings) + rules_problems(settings) + responder_problems(settings)
        _refuse_faults(faults)
        _serve(settings, account, former, port)


def _serve(settings: Settings, account: Account, former: Webhook, port: int) -> None:
    run_id, log = secrets.token_hex(16), settings.instance_folder / "live.log"
    environment = {
        "PUBLIC_URL": settings.public_url,
        "BOT_INLINE_WORKER": "on",
        "BOT_RECONCILE_SECONDS": "0",  # what was written before we came is somebody else's to answer
        "PARLEY_RUN_ID": run_id,
    }
    tokens = tuple(token for token in (settings.auth_token, settings.secondary_auth_token) if token)
    with serving(environment, port, log) as app:
        prove_round_trip(settings.public_url, run_id, Keys(tokens, settings.shared_keys))
        follower = _follower(Database(settings.database_url))
        with _webhook_set(settings, account, former):
            _warn(account, former)
            click.echo(f"Ready. {settings.public_url} -> http://127.0.0.1:{port}; Ctrl-C restores the webhook.\n")
            _follow(follower, app, log)


@contextmanager
def _webhook_set(settings: Settings, account: Account, former: Webhook) -> Iterator[None]:
    """Point the account's webhook at us; afterwards it is as it was."""
    memory = Memory(settings.account_sid, former, _ours(settings.public_url, former))
    folder = settings.instance_folder
    try:
        with _explained():
            remember(folder, memory)
            memory = dataclasses.replace(memory, ours=put(account, memory.ours))
            remember(folder, memory)
        click.echo(f"The global webhook was {in_words(former)}; now {in_words(memory.ours)}.")
        yield
    finally:
        for number in STOP_SIGNALS:
            signal.signal(number, signal.SIG_IGN)  # a second Ctrl-C must not leave the webhook as it is
        try:
            click.echo(restore(folder, memory, account))
        except SendError as error:
            raise click.ClickException(
                f"the global webhook could not be restored ({error}); the next `flask dev --live` does it. "
                f"It was: {in_words(former)}"
            ) from error


def _ours(public_url: str, former: Webhook) -> Webhook:
    """Return what we set: all post-event filters; a pre-event webhook that exists keeps its own."""
    filters = [name for name in events.EVENT_CLASSES if not parsing.is_pre_action(name)]
    if former.pre_webhook_url:
        filters += [name for name in former.filters if parsing.is_pre_action(name)]
    return Webhook(
        method="POST",
        filters=tuple(sorted(filters)),
        pre_webhook_url=former.pre_webhook_url,
        post_webhook_url=public_url + ROUTE,
        target="webhook",
    )


def _mend_earlier_run(settings: Settings, account: Account) -> None:
    memory = recall(settings.instance_folder)
    if memory is None:
        return
    if memory.account_sid != settings.account_sid:
        raise click.ClickException(
            f"an earlier run changed the webhook of {memory.account_sid} and was not ended in order; start once with "
            f"the credentials of that account, or delete {settings.instance_folder / 'live.json'}"
        )
    click.echo(f"An earlier run was not ended in order. {restore(settings.instance_folder, memory, account)}")


def _warn(account: Account, former: Webhook) -> None:
    if former.pre_webhook_url and former.method == "GET":
        click.echo("Warning: your pre-event webhook is called by POST instead of GET for the time.")
    try:
        overriding = overriding_services(account)
    except SendError as error:
        click.echo(f"Warning: whether a service has a webhook of its own is not known: {error}.")
        return
    for service in overriding:
        click.echo(
            f"Warning: service {service.service_sid} has a webhook of its own; its conversations do not come here."
        )


def _follower(database: Database) -> Follower:
    """Return a follower of what comes from now on: the database may hold years."""
    with database.read() as tx:
        newest = admin.list_events(tx, database.now(tx), limit=1)
    return Follower(database, after_id=newest[0].id if newest else 0)


def _follow(follower: Follower, app: subprocess.Popen[bytes], log: Path) -> None:
    try:
        while app.poll() is None:
            for followed in follower.look():
                show(followed)
            time.sleep(0.1)
    except DatabaseUnavailable as unavailable:
        raise click.ClickException(f"{unavailable} (DATABASE_URL says which)") from unavailable
    raise ended_by_itself(log)


def _refuse_faults(faults: list[str]) -> None:
    if faults:
        lines = ["flask dev --live does not start:", *(f"  - {fault}" for fault in dict.fromkeys(faults))]
        raise click.ClickException("\n".join(lines))


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except SendError as error:
        raise click.ClickException(f"the global webhook is not to be had: {error}") from error
