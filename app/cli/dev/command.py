"""`flask dev`: the offline loop, emulator + app + worker in one terminal, without an account."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from app.cli import dev_environment
from app.cli.dev import demo
from app.cli.dev.app_process import serving
from app.cli.dev.set_up import set_up
from app.cli.inbox_tail import Follower, show
from app.config import DEFAULT_RULES, PROJECT
from app.db.database import Database

if TYPE_CHECKING:
    from app.emulator.client import Emulator

DISORDER = {"duplicate": 1 / 200, "early_receipt": 1 / 20}


@click.command("dev")
@click.option("--port", type=click.IntRange(1, 65535), default=8000, show_default=True, help="Port of the app.")
@click.option("--emulator-port", type=click.IntRange(1, 65535), default=4010, show_default=True)
@click.option("--story", "plays_story", is_flag=True, help="Play a short conversation of two customers.")
@click.option("--once", is_flag=True, help="End after the story; exit code 0 if it went as it should.")
@click.option(
    "--disorder/--no-disorder",
    default=True,
    help="A webhook in 200 comes twice, a receipt in 20 before its REST answer, as at Twilio.",
)
@click.option("--live", is_flag=True, help="Serve your real account through ngrok, and restore its webhook at the end.")
@click.option(
    "--ngrok-api", default="http://127.0.0.1:4040", show_default=True, help="With --live: ngrok's web interface."
)
def dev_command(
    port: int, emulator_port: int, plays_story: bool, once: bool, disorder: bool, live: bool, ngrok_api: str
) -> None:
    """Run emulator, app and worker on this machine and show each event as it is worked off.

    With --live no emulator: your account calls the app through ngrok until you end it.

    Example: flask dev --story
    """
    if live:
        from app.cli.dev.live import run_live  # brings Twilio's SDK along: only when it is used

        if plays_story or once:
            raise click.UsageError("--live is for your real account, --story for the emulator; choose one")
        return run_live(port, ngrok_api)
    if once and not plays_story:
        raise click.UsageError("--once ends after the story; add --story")
    with _running_emulator(emulator_port, disorder=disorder) as emulator:
        set_up(emulator, dev_environment.environment(port, emulator.url), demo.OUR_NUMBER)
        _run_app(port, emulator, plays_story=plays_story, once=once)
    return None


def _run_app(port: int, emulator: Emulator, *, plays_story: bool, once: bool) -> None:
    with _running_app(port, emulator) as database:
        follower = Follower(database)
        click.echo(f"Ready. App http://127.0.0.1:{port}, emulator {emulator.url}.\n")
        if plays_story:
            _play(emulator, database, follower)
        if not once:
            _say_where_to_look(port, emulator)
            _follow(follower)


def _play(emulator: Emulator, database: Database, follower: Follower) -> None:
    try:
        demo.play(emulator, database, follower)
    except demo.StoryFailed as failure:
        raise click.ClickException(str(failure)) from failure


def _follow(follower: Follower) -> None:
    try:
        while True:
            for followed in follower.look():
                show(followed)
            time.sleep(0.1)
    except KeyboardInterrupt:
        click.echo("\nBye.")


def _say_where_to_look(port: int, emulator: Emulator) -> None:
    program = "parley" if click.get_current_context().find_root().info_name == "parley" else ".venv/bin/flask"
    click.echo(
        f"""Now try it; Ctrl-C ends everything.

  Open http://127.0.0.1:{port}/ to see the conversations, and http://127.0.0.1:{port}/phone to write as a customer.

  Or write as a customer from here:
    curl -s {emulator.url}/_emulator/inbound -d '{{"channel": "sms", "from": "+15550100003", \\
      "to": "{demo.OUR_NUMBER}", "body": "Where is my order?"}}'
  Look:
    {program} inbox list
    {program} deliveries list
    curl -s http://127.0.0.1:{port}/readyz
  The log of the app is instance/dev.log, the rules are {DEFAULT_RULES.name}.
"""
    )


@contextmanager
def _running_emulator(emulator_port: int, *, disorder: bool) -> Iterator[Emulator]:
    from app.emulator.client import Emulator  # brings `requests` along: only when it is used

    try:
        emulator = Emulator.start(
            port=emulator_port,
            receipt_delay=0.3,
            owned=["HX"],  # it has no templates of its own: any that the rules name is taken for approved
            **(DISORDER if disorder else {}),
        )
    except RuntimeError as error:
        raise click.ClickException(f"{error} Is port {emulator_port} in use? Take another --emulator-port") from error
    with emulator:
        yield emulator


@contextmanager
def _running_app(port: int, emulator: Emulator) -> Iterator[Database]:
    """Give the database of an app that serves on `port`, its worker included; empty at the start."""
    folder = PROJECT / "instance"
    folder.mkdir(exist_ok=True)
    for path in folder.glob("dev.db*"):
        path.unlink()
    with serving(dev_environment.environment(port, emulator.url), port, folder / "dev.log"):
        database = Database(f"sqlite:///{PROJECT / dev_environment.DATABASE}")
        yield database
        database.close()
