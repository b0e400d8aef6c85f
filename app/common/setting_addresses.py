"""Reads addresses in settings: an origin, a database, targets of notifications; what is none raises ValueError."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

# What SQLAlchemy can read: user:password@, host or [IPv6 address], :port, /name and ?options may each be absent.
_POSTGRESQL_URL = re.compile(
    r"[\w+]+://([^:/]*(:[^@]*)?@)?(\[[0-9a-fA-F:.]+\]|[^/:?\[\]]+)?(:\d+)?(/[^?]*)?(\?.*)?", re.DOTALL
)
# A target begins where a name and an address do: addresses for Apprise hold commas and equals signs themselves.
_TARGET = re.compile(r"(?:^|,)\s*([A-Za-z0-9_-]{1,40})\s*=\s*(?=[A-Za-z][A-Za-z0-9+.-]*://)")
_WITHOUT_SCHEME = re.compile(r",\s+([A-Za-z0-9_-]{1,40})\s*=|,\s*([A-Za-z0-9_-]{1,40})\s*=\s*$")
SECRET_PREFIX = "whsec_"  # noqa: S105 - Source: Standard Webhooks, "Signature scheme" (read 2026-11-29)
LEAST_SECRET_BYTES, MOST_SECRET_BYTES = 24, 64  # Source: the same


def origin(text: str) -> str:
    """Return an origin, perhaps with a path below which everything lies, without the last slash."""
    try:
        parts = urlsplit(text)
        usable = parts.scheme in ("http", "https") and parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:
        usable = False
    if not usable or parts.query or parts.fragment or any(char.isspace() for char in text):
        raise ValueError("must be http:// or https:// and a host, without a query")
    if parts.path.rstrip("/").endswith("/conversations/webhook"):
        raise ValueError("must be the origin alone, without /conversations/webhook")
    return text.rstrip("/")


def database_url(folder: Path, text: str) -> str:
    """Return the address of a database as SQLAlchemy reads it; a file without a folder of its own is in `folder`."""
    text = re.sub(r"^postgres(ql)?://", "postgresql+psycopg://", text)
    if text.startswith("postgresql+psycopg://"):
        if not _POSTGRESQL_URL.fullmatch(text):
            raise ValueError("cannot be taken apart into user, password, host, port and name")
        return text
    if not text.startswith("sqlite:///"):
        raise ValueError("must start with sqlite:/// or postgresql://")
    path = text.removeprefix("sqlite:///")
    if path in ("", ":memory:") or path.startswith("file:"):
        raise ValueError("must name a file: a database in memory forgets everything at the end of the process")
    return f"sqlite:///{folder / path}"


def notify_targets(text: str) -> Mapping[str, str]:
    """Return the addresses of targets by their names, from "team=slack://..., crm=https://...".

    No address is quoted in an error: they hold secrets.
    """
    starts = list(_TARGET.finditer(text))
    if not starts or starts[0].start() > 0:
        raise ValueError("does not begin with a name and an address")
    ends = [one.start() for one in starts[1:]] + [len(text)]
    found: dict[str, str] = {}
    for start, end in zip(starts, ends, strict=True):
        name = start[1]
        if name in found:
            raise ValueError(f"names the target {name} twice")
        found[name] = _target(name, text[start.end() : end].strip().rstrip(",").rstrip())
    return found


def _target(name: str, address: str) -> str:
    if lost := _WITHOUT_SCHEME.search(address):
        raise ValueError(f"has an address without its scheme for {lost[1] or lost[2]}")
    if not address.isprintable() or " " in address:
        raise ValueError(f"has a space or a character that cannot be printed in the address of {name}")
    scheme = address.partition("://")[0].lower()
    if scheme in ("http", "https"):
        _check_http(name, address)
    elif not address.partition("://")[2]:
        raise ValueError(f"has nothing behind {scheme}:// in the address of {name}")
    return address


def _check_http(name: str, address: str) -> None:
    try:
        parts = urlsplit(address)
        usable = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        usable = False
    if not usable:
        raise ValueError(f"has an address without a host for {name}")
    if "@" in parts.netloc:
        raise ValueError(f"has a user name in the address of {name}: it is known by the signature, so leave that out")


def notify_secret(text: str) -> bytes:
    """Return the key of signatures from "whsec_" and its base64."""
    try:
        key = base64.b64decode(text.removeprefix(SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not text.startswith(SECRET_PREFIX) or not LEAST_SECRET_BYTES <= len(key) <= MOST_SECRET_BYTES:
        raise ValueError(f"is not {SECRET_PREFIX} and {LEAST_SECRET_BYTES} to {MOST_SECRET_BYTES} bytes in base64")
    return key


def target_problems(targets: Mapping[str, str], secret: bytes, api_base_url: str) -> list[str]:
    """Return one sentence for each thing that targets lack beside their addresses; no address is quoted."""
    posted = {name: urlsplit(one) for name, one in targets.items() if one.lower().startswith(("http://", "https://"))}
    problems = []
    if posted and not secret:
        step = "write whsec_ and 32 random bytes in base64; docs/notifications.md has the command"
        problems.append(f"BOT_NOTIFY_SECRET is empty, but {_named(posted)} in BOT_NOTIFY needs it; {step}")
    here = is_loopback(urlsplit(api_base_url).hostname)
    insecure = [name for name, parts in posted.items() if parts.scheme.lower() == "http" or is_loopback(parts.hostname)]
    if insecure and not here:
        why = "is not https or is on this machine, which is for tests against an emulator here only"
        problems.append(f"BOT_NOTIFY {_named(insecure)} {why}; give an https address (see .env.example)")
    return problems


def without_apprise(targets: Mapping[str, str]) -> list[str]:
    """Return which targets cannot be reached by a process that works because Apprise is not installed."""
    through = [name for name, one in targets.items() if not one.lower().startswith(("http://", "https://"))]
    if not through or find_spec("apprise"):
        return []
    step = "pip install apprise, or give an https address (see .env.example)"
    return [f"BOT_NOTIFY {_named(through)} goes through Apprise, which is not installed; {step}"]


def _named(names: Iterable[str]) -> str:
    return " and ".join(names)


def is_loopback(host: str | None) -> bool:
    """Return whether a host is written as this machine."""
    return host in ("localhost", "::1") or bool(host and re.fullmatch(r"127(\.\d{1,3}){3}", host))
