"""The offline loop that `flask dev` runs, as other commands find it when no account is set up."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from app.config import DEFAULT_DATABASE, PROJECT, Settings
from app.db.database import Database
from app.runtime.process import Runtime

DATABASE = "instance/dev.db"
APP, EMULATOR = "http://127.0.0.1:8000", "http://127.0.0.1:4010"  # unless `flask dev` is told otherwise
ACCOUNT_SID, AUTH_TOKEN = "AC00000000000000000000000000000001", "0123456789abcdef0123456789abcdef"


def environment(port: int, emulator_url: str) -> dict[str, str]:
    """Return the settings of the offline loop; they hide what .env says of a real account."""
    return {
        "TWILIO_ACCOUNT_SID": ACCOUNT_SID,
        "TWILIO_AUTH_TOKEN": AUTH_TOKEN,
        "TWILIO_API_KEY": "",
        "TWILIO_SERVICE_SID": "",
        "TWILIO_API_BASE_URL": emulator_url,
        "PUBLIC_URL": f"http://127.0.0.1:{port}",
        "DATABASE_URL": f"sqlite:///{DATABASE}",
        "BOT_INLINE_WORKER": "on",
        "BOT_ADMIN_PASSWORD": "",
    }


def database_of(parts: Runtime) -> Database:
    """Return the database of this process; before there is one, that of the loop; before that, end the command."""
    db, offline = parts.db, PROJECT / DATABASE
    if not db.is_sqlite or Path(db.url.database or "").exists():
        return db
    is_default = Path(db.url.database or "") == PROJECT / DEFAULT_DATABASE.removeprefix("sqlite:///")
    if _names_an_account(parts.settings) or not is_default or not offline.exists():
        raise click.ClickException(
            f"there is no database {db.url.database} yet; `flask dev` makes one to try things out, "
            "`flask db upgrade` the one that DATABASE_URL names"
        )
    click.echo(f"This is the offline loop's database ({DATABASE}); DATABASE_URL names none.", err=True)
    return Database(f"sqlite:///{offline}")


def settings_of(parts: Runtime) -> Settings:
    """Return the settings of this process; where no account is set up those of the loop, if its emulator answers."""
    settings = parts.settings
    if _names_an_account(settings) or not _emulator_answers():
        return settings
    click.echo(f"This is the emulator of the offline loop ({EMULATOR}); .env names no account.", err=True)
    return replace(
        settings,
        account_sid=ACCOUNT_SID,
        auth_token=AUTH_TOKEN,
        api_base_url=EMULATOR,
        public_url=settings.public_url or APP,
    )


def _names_an_account(settings: Settings) -> bool:
    return bool(settings.account_sid or settings.auth_token or settings.api_key)


def _emulator_answers() -> bool:
    from app.emulator.client import Emulator  # brings `requests` along: only when it is used

    emulator = Emulator(EMULATOR)
    try:
        emulator.counts()
    except (RuntimeError, OSError):
        return False
    finally:
        emulator.stop()
    return True
