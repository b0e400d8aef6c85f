"""The offline loop that `flask dev` runs, as other commands find it when no account is set up."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from app.cli import dev_loops
from app.cli.dev_loops import EMULATOR_PORT, Loop
from app.config import DEFAULT_DATABASE, PROJECT, Settings
from app.db.database import Database, DatabaseUnavailable
from app.db.schema import is_migrated
from app.runtime.process import Runtime

DATABASE = "instance/dev.db"  # of the first loop, also when it has ended
ACCOUNT_SID, AUTH_TOKEN = "AC00000000000000000000000000000001", "0123456789abcdef0123456789abcdef"


def loop(pid: int, port: int, emulator_port: int, database: Path) -> Loop:
    """Return a loop on these ports of this machine, with the emulator's own account."""
    here = "http://127.0.0.1"
    return Loop(pid, f"{here}:{port}", f"{here}:{emulator_port}", ACCOUNT_SID, AUTH_TOKEN, str(database))


def environment(of: Loop) -> dict[str, str]:
    """Return the settings of a loop; they hide what .env says of a real account."""
    return {
        "TWILIO_ACCOUNT_SID": of.account_sid,
        "TWILIO_AUTH_TOKEN": of.auth_token,
        "TWILIO_API_KEY": "",
        "TWILIO_SERVICE_SID": "",
        "TWILIO_API_BASE_URL": of.emulator_url,
        "PUBLIC_URL": of.app_url,
        "DATABASE_URL": f"sqlite:///{of.database}",
        "BOT_INLINE_WORKER": "on",
        "BOT_ADMIN_PASSWORD": "",
    }


def found_loop(settings: Settings) -> Loop | None:
    """Return the loop that commands use where no account is set up: that of TWILIO_API_BASE_URL, else the first."""
    if _names_an_account(settings):
        return None
    wanted = settings.api_base_url
    loops = (one for one in dev_loops.running(PROJECT / "instance") if wanted in ("", one.emulator_url))
    return next(loops, None)


def database_of(parts: Runtime) -> Database:
    """Return the database of this process; where no account is set up that of the loop. Raises ClickException: none."""
    db, own = parts.db, Path(parts.db.url.database or "")
    if not db.is_sqlite or own != PROJECT / DEFAULT_DATABASE.removeprefix("sqlite:///"):
        return _existing(db)
    if found := found_loop(parts.settings):
        return _of_loop(Path(found.database))
    ended = PROJECT / DATABASE
    if ended.exists() and not _names_an_account(parts.settings) and not (own.exists() and _has_tables(db)):
        return _of_loop(ended)
    return _existing(db)


def local_settings(parts: Runtime) -> Settings:
    """Return the settings of this process; where no account is set up with the database of the loop, so its folder."""
    found = found_loop(parts.settings)
    return replace(parts.settings, database_url=f"sqlite:///{found.database}") if found else parts.settings


def emulator_url(settings: Settings) -> str:
    """Return where an emulator is looked for: at TWILIO_API_BASE_URL, else that of the loop, else at the usual port."""
    if settings.api_base_url:
        return settings.api_base_url
    loops = dev_loops.running(PROJECT / "instance")
    return loops[0].emulator_url if loops else f"http://127.0.0.1:{EMULATOR_PORT}"


def settings_of(parts: Runtime) -> Settings:
    """Return the settings of this process; where no account is set up those of the loop, if its emulator answers.

    Only of a loop of this checkout, or where TWILIO_API_BASE_URL says: another's may be at the usual port.
    """
    settings, found = parts.settings, found_loop(parts.settings)
    url = found.emulator_url if found else settings.api_base_url
    if _names_an_account(settings) or not url or not _emulator_answers(url):
        return settings
    click.echo(f"This is the emulator of the offline loop ({url}); .env names no account.", err=True)
    return replace(
        settings,
        account_sid=found.account_sid if found else ACCOUNT_SID,
        auth_token=found.auth_token if found else AUTH_TOKEN,
        api_base_url=url,
        public_url=found.app_url if found else settings.public_url or f"http://127.0.0.1:{dev_loops.APP_PORT}",
    )


def shown(path: Path) -> str:
    """Return a path as it is seen from our folder."""
    return str(path.relative_to(PROJECT)) if path.is_relative_to(PROJECT) else str(path)


def _of_loop(path: Path) -> Database:
    click.echo(f"This is the offline loop's database ({shown(path)}); .env names no account.", err=True)
    return Database(f"sqlite:///{path}")


def _existing(db: Database) -> Database:
    if db.is_sqlite and not Path(db.url.database or "").exists():
        raise click.ClickException(
            f"there is no database {db.url.database} yet; `flask dev` makes one to try things out, "
            "`flask db upgrade` the one that DATABASE_URL names"
        )
    return db


def _has_tables(db: Database) -> bool:
    try:
        with db.read() as tx:
            return is_migrated(tx)
    except DatabaseUnavailable:
        return False


def _names_an_account(settings: Settings) -> bool:
    return bool(settings.account_sid or settings.auth_token or settings.api_key)


def _emulator_answers(url: str) -> bool:
    from app.emulator.client import Emulator  # brings `requests` along: only when it is used

    emulator = Emulator(url)
    try:
        emulator.counts()
    except (RuntimeError, OSError, ValueError):
        return False
    finally:
        emulator.stop()
    return True
