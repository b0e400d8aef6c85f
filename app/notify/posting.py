"""Posts one notification, signed, to an https address that a person gave; follows no redirect, reaches nothing private.

What it cannot prove to have arrived is tried again with the same webhook-id, by which the receiver knows it.
"""

from __future__ import annotations

import json
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from typing import Any
from urllib.parse import urlsplit

from app.common import checked_http
from app.common.checked_http import Address, CheckedConnection, ascii_host, request_target
from app.config import VERSION
from app.notify import signing
from app.notify.targets import NotifyTarget, Outcome
from app.store.notifications import Notification

SECONDS = 10.0  # for one request altogether
LONGEST_RETRY_AFTER = 3600.0
GONE = 410  # Source: Standard Webhooks, "Considerations for webhook producers": disable the endpoint (read 2026-11-29)


@dataclass(frozen=True)
class Poster:
    """Signs with `key`; `may_be_here`: addresses of this machine are reached too, for tests against an emulator."""

    key: bytes
    may_be_here: bool = False
    seconds: float = SECONDS
    resolve: checked_http.Resolve = socket.getaddrinfo
    tls: Callable[[], ssl.SSLContext] = checked_http.trusted_certificates

    def post(self, target: NotifyTarget, told: Notification, timestamp: int) -> Outcome:
        """Post a notification; `timestamp` is now, in seconds."""
        body = json.dumps(document(told), ensure_ascii=False, separators=(",", ":")).encode(errors="replace")
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"Parley/{VERSION}",
            **signing.headers(self.key, told.webhook_id, timestamp, body),
        }
        try:
            return self._exchange(target, body, headers)
        except TimeoutError:
            return Outcome("again", f"no answer within {self.seconds:g} s")
        except ssl.SSLCertVerificationError as error:
            return Outcome("again", f"its certificate is not valid: {error.verify_message}")
        except (OSError, HTTPException) as error:
            return Outcome("again", f"cannot be reached ({getattr(error, 'strerror', None) or type(error).__name__})")

    def _exchange(self, target: NotifyTarget, body: bytes, headers: Mapping[str, str]) -> Outcome:
        parts, deadline = urlsplit(target.address), time.monotonic() + self.seconds
        scheme = parts.scheme.lower()
        try:
            host = ascii_host(parts)
        except UnicodeError:
            return Outcome("failed", "the name of its host cannot be written in a request")
        port = parts.port or checked_http.PORTS[scheme]
        addresses = checked_http.resolved(self.resolve, host, port, deadline)
        if not addresses:
            return Outcome("again", "its host is not known")
        if not all(self._is_allowed(checked_http.address_of(one)) for one in addresses):
            return Outcome("again", "its host leads to an address that is not public, so nothing was sent there")
        connection = CheckedConnection(host, addresses, port, deadline)
        if scheme == "https":
            connection.use_tls(self.tls())
        try:
            connection.start_clock()
            connection.request("POST", request_target(parts), body, dict(headers))
            return _outcome(connection.getresponse())
        except (OSError, HTTPException):
            if connection.is_late:
                raise TimeoutError from None
            raise
        finally:
            connection.end()

    def _is_allowed(self, address: Address) -> bool:
        return checked_http.is_public(address) or (self.may_be_here and address.is_loopback)


def document(told: Notification) -> dict[str, Any]:
    """Return what is posted: the same at every attempt."""
    return {"type": told.kind, "timestamp": told.created_at.isoformat(), "data": dict(told.payload)}


def _outcome(response: HTTPResponse) -> Outcome:
    status = response.status
    if 200 <= status < 300:
        return Outcome("sent")
    if status == GONE:
        return Outcome("failed", "answered 410: it wants nothing any more; take it out of BOT_NOTIFY")
    if 300 <= status < 400:
        return Outcome("again", f"answered {status}; redirects are not followed: give the address it leads to")
    return Outcome("again", f"answered {status}", _retry_after(response))


def _retry_after(response: HTTPResponse) -> float:
    said = response.headers.get("Retry-After", "")
    return min(float(said), LONGEST_RETRY_AFTER) if said.isascii() and said.isdigit() else 0.0
