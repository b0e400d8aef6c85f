"""Reads the environment and `.env` into one frozen Settings, and says all that is wrong with them at once."""

from __future__ import annotations

import io
import os
import re
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from dotenv import dotenv_values

from app.common import setting_addresses

FOREVER = datetime(9999, 1, 1, tzinfo=UTC)  # until when a pause lasts that has no end
VERSION = "0.2.0"
_BESIDE_APP = Path(__file__).resolve().parent.parent
# Where .env, rules.toml and instance/ are: the checkout; where pip has installed us, the folder we are started in.
PROJECT = Path.cwd() if any(_BESIDE_APP.glob("parley-*.dist-info")) else _BESIDE_APP
_OUR_RULES, _SHIPPED_RULES = PROJECT / "rules.toml", _BESIDE_APP / "app" / "rules" / "shipped.toml"
DEFAULT_RULES = _SHIPPED_RULES if _SHIPPED_RULES.exists() and not _OUR_RULES.exists() else _OUR_RULES
_OUR_ORIGIN = "set the address that Twilio calls, e.g. https://bot.example.com"
DEFAULT_DATABASE = "sqlite:///instance/parley.db"
_A_DATABASE = f"e.g. {DEFAULT_DATABASE} or postgresql://user:password@host/name"
_database_url = partial(setting_addresses.database_url, PROJECT)


@dataclass(frozen=True)
class Settings:
    """Every setting, checked. A value that could not be read is the default here and a sentence in `problems`.

    `from_environment()` makes one; durations are in the unit of their name.
    """

    account_sid: str = ""
    auth_token: str = field(default="", repr=False)
    secondary_auth_token: str = field(default="", repr=False)
    shared_keys: Mapping[str, str] = field(default_factory=dict, repr=False)
    api_key: str = ""
    api_secret: str = field(default="", repr=False)
    service_sid: str = ""
    api_base_url: str = field(default="", repr=False)  # an origin may carry user:password@
    public_url: str = field(default="", repr=False)
    database_url: str = field(default="", repr=False)
    bot_author: str = "support-bot"
    bot_agents: tuple[str, ...] = ("support-agent",)
    bot_rules: Path = DEFAULT_RULES
    bot_responder: str = ""
    inline_worker: str = "auto"
    worker_threads: int = 8
    max_reply_age_seconds: int = 3600
    retention_days: int = 30
    reconcile_seconds: int = 300
    admin_password: str = field(default="", repr=False)
    secret_key: str = field(default="", repr=False)
    notify: Mapping[str, str] = field(default_factory=dict, repr=False)  # addresses by the names of targets
    notify_secret: bytes = field(default=b"", repr=False)
    log_format: str = "text"
    web_concurrency: int = 2
    run_id: str = ""  # given by `flask dev --live` to the app it starts, to know it again; nobody sets it
    problems: tuple[str, ...] = ()

    @property
    def uses_sqlite(self) -> bool:
        return self.database_url.startswith("sqlite")

    @property
    def runs_inline_worker(self) -> bool:
        """Whether each web process also works: always on SQLite unless said otherwise."""
        return self.inline_worker == "on" or (self.inline_worker == "auto" and self.uses_sqlite)

    @property
    def worker_connections(self) -> int:
        """How many connections to PostgreSQL a worker opens at most, beside the one on which it listens.

        Each thread works in one; in another leases are renewed, and what is done now and then.
        """
        return self.worker_threads + 1

    @property
    def web_connections(self) -> int:
        """How many connections to PostgreSQL a web process opens at most, whatever its number of threads.

        All webhooks that arrive at once are stored in one; the others are for the page and /readyz.
        """
        return 4 + (self.worker_connections if self.runs_inline_worker else 0)

    @property
    def instance_folder(self) -> Path:
        """Where files that all processes of a machine share are kept: beside an SQLite database, else instance/."""
        path = self.database_url.removeprefix("sqlite:///").partition("?")[0]
        return Path(path).parent if self.uses_sqlite else PROJECT / "instance"

    @property
    def max_reply_age(self) -> timedelta | None:
        return timedelta(seconds=self.max_reply_age_seconds) if self.max_reply_age_seconds else None


def environment() -> dict[str, str]:
    """Return the environment over what `.env` in our folder says."""
    try:
        text = (PROJECT / ".env").read_bytes().decode("utf-8-sig", "replace")
    except OSError:
        text = ""
    in_file = {name: value or "" for name, value in dotenv_values(stream=io.StringIO(text)).items()}
    return {**in_file, **os.environ}


def from_environment(environ: Mapping[str, str] | None = None) -> Settings:
    """Return the settings of this process; for what is not set, the defaults."""
    read = _Reader(environment() if environ is None else environ)
    values = {
        "account_sid": read("TWILIO_ACCOUNT_SID", _sid("AC"), "", "copy it from the Twilio console"),
        "auth_token": read("TWILIO_AUTH_TOKEN", _secret, "", "copy it from the Twilio console"),
        "secondary_auth_token": read("TWILIO_SECONDARY_AUTH_TOKEN", _secret, "", "leave it empty unless you rotate"),
        "shared_keys": read("TWILIO_SHARED_KEYS", _shared_keys, {}, "write id:secret,id:secret"),
        "api_key": read("TWILIO_API_KEY", _sid("SK"), "", "create one in the Twilio console or leave it empty"),
        "api_secret": read("TWILIO_API_SECRET", _secret, "", "it is shown once, when the API key is created"),
        "service_sid": read("TWILIO_SERVICE_SID", _sid("IS"), "", "leave it empty for the default service"),
        "api_base_url": read(
            "TWILIO_API_BASE_URL", setting_addresses.origin, "", "leave it empty, or e.g. http://127.0.0.1:4010"
        ),
        "public_url": read("PUBLIC_URL", setting_addresses.origin, "", _OUR_ORIGIN),
        "database_url": read("DATABASE_URL", _database_url, _database_url(DEFAULT_DATABASE), _A_DATABASE),
        "bot_author": read("BOT_AUTHOR", _identity, "support-bot", "use up to 256 characters"),
        "bot_agents": read("BOT_AGENTS", _words, ("support-agent",), "write identities with commas between"),
        "bot_rules": read("BOT_RULES", _path, DEFAULT_RULES, "name a rules.toml"),
        "bot_responder": read("BOT_RESPONDER", _function, "", "write module:function, e.g. my_responder:answer"),
        "inline_worker": read("BOT_INLINE_WORKER", _one_of("auto", "on", "off"), "auto", "use auto, on or off"),
        "worker_threads": read("BOT_WORKER_THREADS", _whole(1, 64), 8, "use a number from 1 to 64"),
        "max_reply_age_seconds": read("BOT_MAX_REPLY_AGE_SECONDS", _whole(0, 10**9), 3600, "use seconds, 0 for off"),
        "retention_days": read("BOT_RETENTION_DAYS", _whole(1, 36500), 30, "use a number of days"),
        "reconcile_seconds": read("BOT_RECONCILE_SECONDS", _whole(0, 10**6), 300, "use seconds, 0 for off"),
        "notify": read("BOT_NOTIFY", setting_addresses.notify_targets, {}, "write name=address,name=address"),
        "notify_secret": read("BOT_NOTIFY_SECRET", setting_addresses.notify_secret, b"", "see docs/notifications.md"),
        "admin_password": read("BOT_ADMIN_PASSWORD", _long_secret, "", "use 12 characters or more"),
        "secret_key": read("SECRET_KEY", _long_secret, "", "use 12 random characters or more, or leave it empty"),
        "log_format": read("BOT_LOG_FORMAT", _one_of("text", "json"), "text", "use text or json"),
        "web_concurrency": read("WEB_CONCURRENCY", _whole(1, 256), 2, "use a number of processes"),
    }
    of_targets = setting_addresses.target_problems(values["notify"], values["notify_secret"], values["api_base_url"])
    problems = [*read.problems, *(one for one in of_targets if not read.has_refused(one.partition(" is ")[0]))]
    return Settings(**values, run_id=read.environ.get("PARLEY_RUN_ID", ""), problems=tuple(problems))


def problems_for_rest(settings: Settings) -> list[str]:
    """Return one sentence for each thing that keeps us from calling Twilio; empty when all is well."""
    problems = list(settings.problems)
    if not settings.account_sid:
        _missing(problems, "TWILIO_ACCOUNT_SID", "copy it from the Twilio console")
    if settings.api_key and not settings.api_secret:
        _missing(problems, "TWILIO_API_SECRET", "it is shown once, when the API key is created")
    if not settings.auth_token and not settings.api_key:
        _missing(problems, "TWILIO_AUTH_TOKEN", "copy it from the Twilio console, or set an API key")
    return problems


def problems_for_worker(settings: Settings, environ: Mapping[str, str] | None = None) -> list[str]:
    """Return one sentence for each reason why a worker must not start."""
    return _problems_for_storing(settings, environ) + setting_addresses.without_apprise(settings.notify)


def problems_for_serving(settings: Settings, environ: Mapping[str, str] | None = None) -> list[str]:
    """Return one sentence for each reason why the web process must not start."""
    needed = problems_for_worker if settings.runs_inline_worker else _problems_for_storing
    problems = needed(settings, environ)
    if not settings.auth_token and not settings.shared_keys:
        _missing(problems, "TWILIO_AUTH_TOKEN", "copy it from the Twilio console: an API key cannot check signatures")
    if not settings.public_url:
        _missing(problems, "PUBLIC_URL", _OUR_ORIGIN)
    return problems


faults_for_serving = problems_for_serving  # a gunicorn.conf.py of 0.1.0 calls it so: app/runtime/former_names.py


def _problems_for_storing(settings: Settings, environ: Mapping[str, str] | None) -> list[str]:
    return problems_for_rest(settings) + _storage_problems(settings, os.environ if environ is None else environ)


def _storage_problems(settings: Settings, environ: Mapping[str, str]) -> list[str]:
    if not settings.uses_sqlite:
        return []
    problems = []
    if environ.get("DYNO"):
        problems.append("DATABASE_URL is SQLite, but a dyno's disk is lost at every restart; add a PostgreSQL database")
    if sqlite3.sqlite_version_info < (3, 35):
        problems.append(f"SQLite {sqlite3.sqlite_version} is too old; 3.35 or newer is needed, or use PostgreSQL")
    return problems


def _missing(problems: list[str], name: str, next_step: str) -> None:
    if not any(fault.startswith(name) for fault in problems):
        problems.append(f"{name} is empty; {next_step} (see .env.example)")


class _Reader:
    """Reads one setting after the other and collects a sentence for each that is wrong."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = environ
        self.problems: list[str] = []

    def __call__(self, name: str, parse: Callable[[str], Any], default: Any, next_step: str) -> Any:
        text = self.environ.get(name, "").strip()
        if not text:
            return default
        try:
            return parse(text)
        except ValueError as fault:
            self.problems.append(f"{name} {fault}; {next_step} (see .env.example)")
            return default

    def has_refused(self, name: str) -> bool:
        """Return whether the value of a setting could not be read."""
        return any(problem.startswith(f"{name} ") for problem in self.problems)


def _sid(prefix: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if not re.fullmatch(rf"{prefix}[0-9a-fA-F]{{32}}", text):
            seen = f"begins with '{text[:2]}' and is {len(text)} long"
            raise ValueError(f"must be {prefix} and 32 hexadecimal digits, but {seen}")
        return text

    return parse


def _secret(text: str) -> str:
    if not text.isprintable() or " " in text:
        raise ValueError("has a space or a character that cannot be printed")
    return text


def _long_secret(text: str) -> str:
    if len(_secret(text)) < 12:
        raise ValueError(f"is only {len(text)} characters long")
    return text


def _shared_keys(text: str) -> dict[str, str]:
    pairs = [pair.strip().partition(":") for pair in text.split(",") if pair.strip()]
    if any(not key or not secret for key, _, secret in pairs):
        raise ValueError("has an entry that is not id:secret")
    return {key: secret for key, _, secret in pairs}


def _identity(text: str) -> str:
    if len(text) > 256 or not text.isprintable():
        raise ValueError(f"is {len(text)} characters long or has one that cannot be printed")
    return text


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _path(text: str) -> Path:
    return PROJECT / text


def _function(text: str) -> str:
    module, _, path = text.partition(":")
    if not all(step.isidentifier() for step in [*module.split("."), *path.split(".")]):
        raise ValueError(f"is '{text[:60]}'")
    return text


def _one_of(*allowed: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in allowed:
            raise ValueError(f"is '{text[:20]}'")
        return text

    return parse


def _whole(least: int, most: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not re.fullmatch(r"\d{1,12}", text) or not least <= int(text) <= most:
            raise ValueError(f"is '{text[:20]}'")
        return int(text)

    return parse
