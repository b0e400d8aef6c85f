"""Fetches a file from the internet for an operator, and reaches nothing else: no private address, no endless answer.

Not for Twilio's own API. Each redirect is checked like the first URL; proxies and `.netrc` of the environment are not
used, and a name is resolved once: the connection goes to the very address that was checked.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from urllib.parse import SplitResult, urljoin, urlsplit

from app.common import checked_http
from app.common.checked_http import Address, CheckedConnection, ascii_host, is_public, request_target
from app.common.quoting import quoted
from app.operations.validation import Refused, web_url
from app.twilio_api.client import is_here

MEGABYTE = 1024 * 1024
MOST_REDIRECTS = 3
_REDIRECTS = (301, 302, 303, 307, 308)
_CHUNK = 64 * 1024


@dataclass(frozen=True)
class Guard:
    """What may be fetched: from which addresses, how much, and in how many seconds altogether.

    `resolve` answers like socket.getaddrinfo. `trusted_origin`, such as http://127.0.0.1:4010, needs no public address.
    """

    most_bytes: int = 150 * MEGABYTE
    seconds: float = 60.0
    is_allowed: Callable[[Address], bool] = is_public
    resolve: checked_http.Resolve = socket.getaddrinfo
    tls: Callable[[], ssl.SSLContext] = checked_http.trusted_certificates
    trusted_origin: str = ""


def guard_at(api_base_url: str, *, seconds: float = Guard.seconds) -> Guard:
    """Return a guard that trusts the origin of the API; where that is on this machine, all of this machine too."""
    if not is_here(api_base_url):
        return Guard(seconds=seconds, trusted_origin=api_base_url)
    return Guard(
        seconds=seconds,
        trusted_origin=api_base_url,
        is_allowed=lambda address: is_public(address) or address.is_loopback,
    )


@dataclass(frozen=True)
class Fetched:
    """A file that was fetched, and the URL that it came from in the end."""

    content: bytes
    url: str


def fetch(url: str, guard: Guard | None = None) -> Fetched:
    """Return the file at a URL. Raises Refused when it is not to be had within the guard's limits."""
    guard, start = guard or Guard(), time.monotonic()
    deadline = start + guard.seconds
    for _ in range(MOST_REDIRECTS + 1):
        parts = _checked(url)
        content, location = _ask(parts, guard, deadline)
        if location is None:
            return Fetched(content, url)
        url = urljoin(url, location)
    raise Refused(f"{_shown(parts)} redirects more than {MOST_REDIRECTS} times; give the URL of the file itself")


def _checked(url: str) -> SplitResult:
    parts = urlsplit(web_url(url))
    if "@" in parts.netloc:
        raise Refused("a URL with a user name or password in it is not fetched; give one without")
    return parts


def _ask(parts: SplitResult, guard: Guard, deadline: float) -> tuple[bytes, str | None]:
    """Return the file, or where to look for it."""
    host = _ascii_host(parts)
    addresses = _addresses(parts, host, guard, deadline)
    connection = _Download(host, addresses, parts.port or checked_http.PORTS[parts.scheme], deadline)
    if parts.scheme == "https":
        connection.use_tls(guard.tls())
    try:
        return connection.exchange(parts, guard)
    except (OSError, HTTPException) as error:
        if connection.is_late or isinstance(error, TimeoutError):
            raise Refused(f"{_shown(parts)} took longer than {guard.seconds:g} seconds; try again later") from error
        raise Refused(f"{_shown(parts)} cannot be fetched ({_said(error)}); check the address") from error
    finally:
        connection.end()


def _addresses(parts: SplitResult, host: str, guard: Guard, deadline: float) -> list[str]:
    """Return the addresses of a host; all of them must be allowed, for any of them may be taken."""
    port = parts.port or checked_http.PORTS[parts.scheme]
    try:
        found = checked_http.resolved(guard.resolve, host, port, deadline)
    except TimeoutError:
        raise Refused(f"the host {host[:80]} was not found in time; try again later") from None
    if not found:
        raise Refused(f"the host of {_shown(parts)} is not known; check the spelling")
    is_trusted = bool(guard.trusted_origin) and _origin(parts) == _origin(urlsplit(guard.trusted_origin))
    for address in found:
        if not (is_trusted or guard.is_allowed(checked_http.address_of(address))):
            raise Refused(
                f"{_shown(parts)} is not a public address, so nothing is fetched from it; "
                "save the file and give its path"
            )
    return found


class _Download(CheckedConnection):
    """One request for a file to a host at addresses that were checked."""

    def exchange(self, parts: SplitResult, guard: Guard) -> tuple[bytes, str | None]:
        """Return the content, or the Location of a redirect. Raises Refused, OSError, HTTPException."""
        self.start_clock()
        self.request("GET", request_target(parts), headers={"User-Agent": "Parley", "Accept": "*/*"})
        response = self.getresponse()
        if response.status in _REDIRECTS:
            return b"", _location(response, parts)
        if response.status != 200 or response.headers.get("Content-Encoding", "identity") != "identity":
            raise Refused(f"{_shown(parts)} answered {response.status} {response.reason[:40]}, not with a file")
        content = _read(response, guard.most_bytes, parts)
        if self.is_late:
            raise TimeoutError
        return content, None


def _read(response: HTTPResponse, most: int, parts: SplitResult) -> bytes:
    too_large = Refused(
        f"{_shown(parts)} is larger than {in_megabytes(most)}, the most that can be sent here; give a smaller file"
    )
    if (response.length or 0) > most:
        raise too_large
    content = bytearray()
    while chunk := response.read1(_CHUNK):
        content += chunk
        if len(content) > most:
            raise too_large
    if response.length:
        raise ConnectionError("the answer ended too early")
    return bytes(content)


def in_megabytes(size: int) -> str:
    """Return a size for people, like 16 MB."""
    return f"{size / MEGABYTE:.3g} MB"


def _location(response: HTTPResponse, parts: SplitResult) -> str:
    location = response.headers.get("Location", "")
    if not location:
        raise Refused(f"{_shown(parts)} redirects to nowhere; give the URL of the file itself")
    return location


def _ascii_host(parts: SplitResult) -> str:
    try:
        return ascii_host(parts)
    except UnicodeError:
        raise Refused(f"{quoted(parts.hostname or '')} is not the name of a host; check the spelling") from None


def _origin(parts: SplitResult) -> tuple[str, str, int]:
    return parts.scheme, parts.hostname or "", parts.port or checked_http.PORTS.get(parts.scheme, 0)


def _shown(parts: SplitResult) -> str:
    """Return a URL without its query, which may be secret."""
    return f"{parts.scheme}://{parts.netloc}{parts.path}"[:120]


def _said(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not valid: {error.verify_message}"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
