"""The offline loop of `flask dev`: emulator, app and worker in one terminal, beside any other loop that runs here."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from app import config
from app.cli import dev_environment, dev_loops
from app.cli.dev import demo, ports
from app.cli.dev.app_process import ended_by_itself, serving
from app.cli.dev.rules_news import RulesNews
from app.cli.dev.set_up import set_up
from app.cli.dev.stop_signals import stoppable
from app.cli.inbox_tail import Follower, show
from app.config import PROJECT, Settings
from app.db.database import Database

if TYPE_CHECKING:
    from app.cli.dev_loops import Claim, Loop
    from app.emulator.client import Emulator

DISORDER = {"duplicate": 1 / 200, "early_receipt": 1 / 20}
LEFTOVER_SECONDS = 10.0  # how long the processes of a loop that was killed may keep its ports


@dataclass(frozen=True)
class OfflineSettings:
    """What is asked for: ports (None: the usual ones), whether a story is played, and whether that is all."""

    port: int | None
    emulator_port: int | None
    plays_story: bool
    once: bool
    disorder: bool


def run_offline(plan: OfflineSettings) -> None:
    """Run the loop until Ctrl-C or SIGTERM, or the end of the story."""
    with stoppable(), dev_loops.claim(PROJECT / "instance") as claim:
        loop = _announced(claim, plan)
        with _emulating(loop, disorder=plan.disorder) as emulator:
            set_up(emulator, dev_environment.environment(loop), demo.OUR_NUMBER)
            _run_app(claim, loop, emulator, plan)
    if not plan.once:
        click.echo("\nBye.")


def _announced(claim: Claim, plan: OfflineSettings) -> Loop:
    """Choose the ports while nobody else does, and let others know of them."""
    with dev_loops.starting(PROJECT / "instance"):
        others = dev_loops.running(PROJECT / "instance")
        patience = LEFTOVER_SECONDS if claim.was_left else 0.0
        of_loops = [urlsplit(url).port or 0 for loop in others for url in (loop.app_url, loop.emulator_url)]
        app_port = ports.choose(plan.port, dev_loops.APP_PORT, "--port", of_loops, patience=patience)
        of_loops.append(app_port)
        emulator_port = ports.choose(
            plan.emulator_port, dev_loops.EMULATOR_PORT, "--emulator-port", of_loops, patience=patience
        )
        loop = dev_environment.loop(os.getpid(), app_port, emulator_port, claim.database)
        claim.announce(loop)
    for other in others:
        click.echo(f"Another `flask dev` runs here, as process {other.pid}: {other.app_url}, {other.emulator_url}.")
    if others:
        click.echo(
            f"This one has ports and a database of its own ({dev_environment.shown(claim.database)}). Commands find "
            f"the first one; this one where TWILIO_API_BASE_URL={loop.emulator_url} is set.\n"
        )
    return loop


@contextmanager
def _emulating(loop: Loop, *, disorder: bool) -> Iterator[Emulator]:
    from app.emulator.client import Emulator  # brings `requests` along: only when it is used

    try:
        emulator = Emulator.start(
            port=urlsplit(loop.emulator_url).port,
            receipt_delay=0.3,
            owned=["HX"],  # it has no templates of its own: any that the rules name is taken for approved
            **(DISORDER if disorder else {}),
        )
    except RuntimeError as error:
        raise click.ClickException(str(error)) from error
    with emulator:
        yield emulator


def _run_app(claim: Claim, loop: Loop, emulator: Emulator, plan: OfflineSettings) -> None:
    for path in claim.folder.glob(f"{claim.database.name}*"):
        path.unlink()
    log = claim.folder / "dev.log"
    port = urlsplit(loop.app_url).port or 0
    with serving(dev_environment.environment(loop), port, log, locks=(claim.lock,)) as app, _open(loop) as database:
        follower = Follower(database)
        click.echo(f"Ready. App {loop.app_url}, emulator {loop.emulator_url}.\n")
        if plan.plays_story:
            _play(emulator, database, follower)
        if plan.once:
            return
        rules = _settings(loop).bot_rules
        _say_where_to_look(claim, loop, rules)

        def both_run() -> bool:
            if not emulator.is_running():
                raise click.ClickException("the emulator ended by itself; what it said stands above")
            return app.poll() is None

        _follow(follower, RulesNews(rules), both_run)
        raise ended_by_itself(log)


@contextmanager
def _open(loop: Loop) -> Iterator[Database]:
    database = Database(f"sqlite:///{loop.database}")
    try:
        yield database
    finally:
        database.close()


def _settings(loop: Loop) -> Settings:
    """Return the settings of the app."""
    return config.from_environment({**config.environment(), **dev_environment.environment(loop)})


def _play(emulator: Emulator, database: Database, follower: Follower) -> None:
    try:
        demo.play(emulator, database, follower)
    except demo.StoryFailed as failure:
        raise click.ClickException(str(failure)) from failure


def _follow(follower: Follower, rules: RulesNews, goes_on: Callable[[], bool]) -> None:
    while goes_on():
        if news := rules.look():
            click.echo(news)
        for followed in follower.look():
            show(followed)
        time.sleep(0.1)


def _say_where_to_look(claim: Claim, loop: Loop, rules: Path) -> None:
    program = "parley" if click.get_current_context().find_root().info_name == "parley" else ".venv/bin/flask"
    if claim.number > 1:
        program = f"TWILIO_API_BASE_URL={loop.emulator_url} {program}"
    click.echo(
        f"""Now try it; Ctrl-C ends everything.

  Open {loop.app_url}/ to see the conversations, and {loop.app_url}/phone to write as a customer.

  Or write as a customer from here:
    curl -s {loop.emulator_url}/_emulator/inbound -d '{{"channel": "sms", "from": "+15550100003", \\
      "to": "{demo.OUR_NUMBER}", "body": "Where is my order?"}}'
  Look:
    {program} inbox list
    {program} deliveries list
    curl -s {loop.app_url}/readyz
  The log of the app is {dev_environment.shown(claim.folder / "dev.log")}, the rules are {dev_environment.shown(rules)}.
"""
    )
