"""An HTTP connection for addresses that people give: to public addresses only, and cut off at a deadline.

A name is resolved once: the connection goes to the very address that was checked. Proxies and `.netrc` of the
environment are not used.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from http.client import HTTPConnection
from typing import Any
from urllib.parse import SplitResult, quote

PORTS = {"http": 80, "https": 443}
_IN_PATHS = "/%:=&~+!$,;'@()*"
# Addresses that carry an IPv4 address inside, which is the one that is reached in the end.
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_IPV4_COMPATIBLE = ipaddress.ip_network("::/96")
_ISATAP = 0x5EFE  # RFC 5214: the third 16 bits from the end of the interface, 0 or 0x200 before it
# On no internet, though Python's ipaddress (as old as the interpreter) may not know: RFC 3879, 7526, 8215, 9602, 9637.
_NOT_PUBLIC = tuple(
    map(ipaddress.ip_network, ("fec0::/10", "192.88.99.0/24", "64:ff9b:1::/48", "100::/32", "5f00::/16", "3fff::/20"))
)

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[..., Sequence[tuple[Any, ...]]]


def is_public(address: Address) -> bool:
    """Return whether an address is on the internet; for IPv6 that carries an IPv4 address, whether that one is."""
    if isinstance(address, ipaddress.IPv6Address):
        inside = address.ipv4_mapped or address.sixtofour
        last = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inside is None and address in _NAT64:
            inside = last
        if inside is not None:
            return is_public(inside)
        if address in _IPV4_COMPATIBLE or (_is_isatap(address) and not is_public(last)):
            return False
    if any(address in network for network in _NOT_PUBLIC):
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved)


def _is_isatap(address: ipaddress.IPv6Address) -> bool:
    return (int(address) >> 32) & 0xFDFFFFFF == _ISATAP


def trusted_certificates() -> ssl.SSLContext:
    """Return TLS that trusts the usual authorities."""
    import certifi

    return ssl.create_default_context(cafile=certifi.where())


def resolved(resolve: Resolve, host: str, port: int, deadline: float) -> list[str]:
    """Return the addresses of a host, none if the resolver knows none.

    It has no time-out of its own, so it is not waited for. Raises TimeoutError at the deadline.
    """
    found: list[str] = []

    def ask() -> None:
        try:
            found.extend(str(entry[4][0]) for entry in resolve(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError):
            return

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(max(0.0, deadline - time.monotonic()))
    if thread.is_alive():
        raise TimeoutError
    return found


def ascii_host(parts: SplitResult) -> str:
    """Return the host of a URL as a resolver and a request know it. Raises UnicodeError where it is none."""
    return (parts.hostname or "").encode("idna").decode("ascii")


def request_target(parts: SplitResult) -> str:
    """Return path and query of a URL as a request says them; what is quoted already stays so."""
    path = quote(parts.path or "/", safe=_IN_PATHS)
    return f"{path}?{quote(parts.query, safe=f'{_IN_PATHS}?[]')}" if parts.query else path


def address_of(found: str) -> Address:
    """Return an address as the resolver writes it, without its zone."""
    return ipaddress.ip_address(found.partition("%")[0])


class CheckedConnection(HTTPConnection):
    """One request to a host at addresses that were checked, cut off at the deadline whatever it is doing then."""

    def __init__(self, host: str, addresses: Sequence[str], port: int, deadline: float) -> None:
        super().__init__(host, port)
        self.is_late = False
        self._addresses, self._deadline = addresses, deadline
        self._tls: ssl.SSLContext | None = None
        self._alarm = threading.Timer(max(0.0, deadline - time.monotonic()), self._cut)
        self._alarm.daemon = True

    def use_tls(self, context: ssl.SSLContext) -> None:
        """Speak TLS, with the certificate checked for the host's name."""
        self._tls = context
        self.default_port = PORTS["https"]

    def start_clock(self) -> None:
        """Let the time run after which the connection is cut off."""
        self._alarm.start()

    def connect(self) -> None:
        """Connect to the first address that answers; never asks for the name again."""
        self.sock = self._reach()
        if self._tls is not None:
            self.sock = self._tls.wrap_socket(self.sock, server_hostname=self.host, do_handshake_on_connect=False)
            self.sock.do_handshake()
        if self.is_late:  # the alarm went off before there was a socket to cut
            raise TimeoutError

    def end(self) -> None:
        """Close the connection."""
        self._alarm.cancel()
        self.close()

    def _reach(self) -> socket.socket:
        failure: OSError = TimeoutError()
        for address in self._addresses:
            left = self._deadline - time.monotonic()
            if left <= 0:
                break
            try:
                return socket.create_connection((address, self.port), timeout=left)
            except OSError as error:
                failure = error
        raise failure

    def _cut(self) -> None:
        self.is_late = True
        try:
            if self.sock is not None:
                self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # it ended by itself
