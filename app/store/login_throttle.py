"""Throttles log-ins: failures by address, counted in the database for all processes."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import math
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, func, insert, select

from app.db.database import Database
from app.db.page_tables import login_failures

FREE_FAILURES, FREE_FAILURES_OF_PROXY = 5, 100
WINDOW = timedelta(minutes=15)
LONGEST_WAIT_SECONDS = 300
_PURGED_AT_ONCE = 1000


def is_password(given: str, password: str) -> bool:
    """Return whether what somebody gave is the password; how long that takes tells nothing of it."""
    return hmac.compare_digest(_digest(given), _digest(password))


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "replace")).digest()


def whose_guess(remote_addr: str | None, forwarded_for: str | None) -> tuple[str, str]:
    """Return whose guess this is, and which proxy it came by, "" for none.

    A connection from a private address may be a proxy's; it adds whom it speaks for as the last of X-Forwarded-For.
    Somebody in our own network could make that up, so the proxy's guesses are counted as well.
    """
    direct = remote_addr or ""
    client = (forwarded_for or "").rpartition(",")[2].strip()
    if not client or not _is_private(direct):
        return _network(direct), ""
    return _network(client), direct


def browser(known: str) -> tuple[str, str]:
    """Return whose guess comes from a browser in which somebody has logged in before: its own, whatever its way here.

    Who guesses through the same proxy makes it wait no more than anybody else's guesses do.
    """
    return f"browser {known}", ""


def attempt(db: Database, address: str, proxy: str = "") -> int:
    """Count a guess before it is looked at; return 0, or how many seconds to wait instead.

    The first five of an address within 15 minutes are free, then the waits are 2, 4, 8 ... 300 s; a proxy has
    a hundred, counted apart from what comes from its own address. Raises DatabaseUnavailable.
    """
    with db.read() as tx:  # a flood of guesses writes nothing
        if wait := wait_of(tx, address, proxy, db.now(tx)):
            return wait
    with db.write() as tx:
        counted = [address, _as_proxy(proxy)] if proxy else [address]
        here = login_failures.c.address.in_(counted)
        tx.execute(select(login_failures.c.id).where(here).order_by(login_failures.c.id).with_for_update()).all()
        now = db.now(tx)
        if wait := wait_of(tx, address, proxy, now):
            return wait  # others guessed at the same time
        _forget_old(tx, now)
        tx.execute(insert(login_failures), [{"at": now, "address": one} for one in counted])
    return 0


def _as_proxy(address: str) -> str:
    return f"proxy {address}"


def forgive(tx: Connection, address: str) -> None:
    """Forget the guesses of an address: somebody there knows the password."""
    tx.execute(delete(login_failures).where(login_failures.c.address == address))


def wait_of(tx: Connection, address: str, proxy: str, now: datetime) -> int:
    """Return how many seconds to wait before the next guess from there; 0: none."""
    wait = _wait_at(tx, address, FREE_FAILURES, now)
    return max(wait, _wait_at(tx, _as_proxy(proxy), FREE_FAILURES_OF_PROXY, now)) if proxy else wait


def _wait_at(tx: Connection, address: str, free: int, now: datetime) -> int:
    here = (login_failures.c.address == address, login_failures.c.at >= now - WINDOW)
    failures, last_at = tx.execute(select(func.count(), func.max(login_failures.c.at)).where(*here)).one()
    if failures < free:
        return 0
    wait: int = min(LONGEST_WAIT_SECONDS, 2 ** min(16, failures - free + 1))
    since: timedelta = now - last_at
    return max(0, math.ceil(wait - since.total_seconds()))


def _forget_old(tx: Connection, now: datetime) -> None:
    old = select(login_failures.c.id).where(login_failures.c.at < now - WINDOW).limit(_PURGED_AT_ONCE)
    tx.execute(delete(login_failures).where(login_failures.c.id.in_(old.with_for_update(skip_locked=True))))


def _is_private(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_private
    except ValueError:
        return True  # a socket file: only a proxy on this machine has it


def _network(address: str) -> str:
    """Return an address, of IPv6 the network that one customer of a provider has all for himself."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address[:64]
    return str(found) if found.version == 4 else str(ipaddress.ip_network((found, 64), strict=False))
