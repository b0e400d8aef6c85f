"""`flask dev --live`: the app on this machine behind ngrok, answering a real account while it runs."""

from __future__ import annotations

import dataclasses
import secrets
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import click

from app import config, events, faults_in_rules, inbox_admin, make_conversations
from app.cli.follow import Follower, show
from app.cli.live_memory import Memory, alone, recall, remember, restore, shown
from app.cli.serving import serving
from app.cli.tunnel import ROUTE, find_tunnel, prove_round_trip
from app.config import Settings
from app.conversations import Conversations, SendError
from app.db import Database, DatabaseUnavailable
from app.signature import Keys
from app.twilio_webhooks import GlobalWebhook, fetch_global, set_global, silencing_services

_STOP_SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP"))


class _Stopped(BaseException):
    """Somebody asked us to end."""


def run_live(port: int, ngrok_api: str) -> None:
    """Serve the real account through the tunnel until Ctrl-C or SIGTERM, then put its webhook back."""
    environment = config.environment()
    settings = config.from_environment({**environment, "PUBLIC_URL": ""})
    with alone(settings.instance_folder), _stoppable():
        twilio = make_conversations(settings)
        _refuse_faults(config.faults_for_rest(settings))
        with _explained():
            _mend_earlier_run(settings, twilio)
            former = fetch_global(twilio)
        public_url = find_tunnel(ngrok_api, port)
        settings = config.from_environment({**environment, "PUBLIC_URL": public_url})
        _refuse_faults(config.faults_for_serving(settings) + faults_in_rules(settings))
        _serve(settings, twilio, former, port)


def _serve(settings: Settings, twilio: Conversations, former: GlobalWebhook, port: int) -> None:
    run_id, log = secrets.token_hex(16), settings.instance_folder / "live.log"
    environment = {"PUBLIC_URL": settings.public_url, "BOT_INLINE_WORKER": "on", "PARLEY_RUN_ID": run_id}
    tokens = tuple(token for token in (settings.auth_token, settings.secondary_auth_token) if token)
    with serving(environment, port, log) as app:
        prove_round_trip(settings.public_url, run_id, Keys(tokens, settings.shared_keys))
        follower = _follower(Database(settings.database_url))
        with _webhook_set(settings, twilio, former):
            _warn(twilio, former)
            click.echo(f"Ready. {settings.public_url} -> http://127.0.0.1:{port}; Ctrl-C restores the webhook.\n")
            _follow(follower, app)


@contextmanager
def _webhook_set(settings: Settings, twilio: Conversations, former: GlobalWebhook) -> Iterator[None]:
    """Point the account's webhook at us; afterwards it is as it was."""
    memory = Memory(settings.account_sid, former, _ours(settings.public_url, former))
    folder = settings.instance_folder
    try:
        with _explained():
            remember(folder, memory)
            memory = dataclasses.replace(memory, ours=set_global(twilio, memory.ours))
            remember(folder, memory)
        click.echo(f"The global webhook was {shown(former)}; now {shown(memory.ours)}.")
        yield
    finally:
        for number in _STOP_SIGNALS:
            signal.signal(number, signal.SIG_IGN)  # a second Ctrl-C must not leave the webhook as it is
        try:
            click.echo(restore(folder, memory, twilio))
        except SendError as error:
            raise click.ClickException(
                f"the global webhook could not be restored ({error}); the next `flask dev --live` does it. "
                f"It was: {shown(former)}"
            ) from error


def _ours(public_url: str, former: GlobalWebhook) -> GlobalWebhook:
    """Return what we set: all post-event filters; a pre-event webhook that exists keeps its own."""
    filters = [name for name in events.EVENT_CLASSES if not events.is_pre_action(name)]
    if former.pre_webhook_url:
        filters += [name for name in former.filters if events.is_pre_action(name)]
    return GlobalWebhook(
        method="POST", filters=tuple(sorted(filters)), pre_webhook_url=former.pre_webhook_url,
        post_webhook_url=public_url + ROUTE, target="webhook",
    )  # fmt: skip


def _mend_earlier_run(settings: Settings, twilio: Conversations) -> None:
    memory = recall(settings.instance_folder)
    if memory is None:
        return
    if memory.account_sid != settings.account_sid:
        raise click.ClickException(
            f"an earlier run changed the webhook of {memory.account_sid} and was not ended in order; start once with "
            f"the credentials of that account, or delete {settings.instance_folder / 'live.json'}"
        )
    click.echo(f"An earlier run was not ended in order. {restore(settings.instance_folder, memory, twilio)}")


def _warn(twilio: Conversations, former: GlobalWebhook) -> None:
    if former.pre_webhook_url and former.method == "GET":
        click.echo("Warning: your pre-event webhook is called by POST instead of GET for the time.")
    try:
        silencing = silencing_services(twilio)
    except SendError as error:
        click.echo(f"Warning: whether a service has a webhook of its own is not known: {error}.")
        return
    for service_sid in silencing:
        click.echo(f"Warning: service {service_sid} has a webhook of its own; its conversations do not come here.")


def _follower(database: Database) -> Follower:
    """Return a follower of what comes from now on: the database may hold years."""
    with database.read() as tx:
        newest = inbox_admin.list_events(tx, database.now(tx), limit=1)
    return Follower(database, after_id=newest[0].id if newest else 0)


def _follow(follower: Follower, app: subprocess.Popen[bytes]) -> None:
    try:
        while app.poll() is None:
            for followed in follower.look():
                show(followed)
            time.sleep(0.1)
    except DatabaseUnavailable as unavailable:
        raise click.ClickException(f"{unavailable} (DATABASE_URL says which)") from unavailable
    raise click.ClickException("the app ended by itself; live.log beside the database says why")


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


@contextmanager
def _stoppable() -> Iterator[None]:
    """Let the stop signals end what goes on in order; afterwards they do what they did."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise _Stopped

    wanted = [number for number in _STOP_SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]  # nohup
    before = {number: signal.signal(number, stop) for number in wanted}
    try:
        yield
    except _Stopped:
        pass
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
