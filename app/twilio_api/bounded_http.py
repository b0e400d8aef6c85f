"""HTTP requests that end in time, whatever the other side does, and whose answers have a bounded size.

A time-out of the library is for one read: an answer that comes byte by byte never meets it, nor does a name that nobody
resolves. What leaves asks the fence first, and is known to have left. It knows nothing of Twilio.
"""

from __future__ import annotations

import io
import math
import re
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from typing import IO, Any
from urllib.parse import urlsplit

from urllib3 import BaseHTTPResponse, HTTPConnectionPool, HTTPSConnectionPool, PoolManager, ProxyManager, Timeout
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, DecodeError, HTTPError
from urllib3.util import make_headers

from app.twilio_api import fence
from app.twilio_api.http_environment import way_to

MOST_BYTES = 16 * 1024 * 1024  # of an answer, unpacked; a page of a hundred long messages has half of it
SLOWEST_UPLOAD = 128 * 1024  # bytes a second: a large file may take longer
MOST_ATTEMPTS = 16  # to connect, at once; each may hang for as long as a name is looked up
CHUNK = 64 * 1024
_NO_PROXY = "the proxy that the environment names cannot be used; set HTTPS_PROXY to http://host:port"  # no password

Body = bytes | IO[bytes] | None


class RequestFailed(Exception):
    """A request brought no answer. `nothing_sent`: not one byte of it has left, so nobody can have heard it."""

    def __init__(self, words: str, *, nothing_sent: bool) -> None:
        super().__init__(words)
        self.nothing_sent = nothing_sent


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, read to its end and unpacked."""

    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def text(self) -> str:
        """The content in the encoding that it names, else UTF-8; what is no text in it is replaced."""
        named = re.search(r"charset=[\"']?([\w.:-]+)", self.headers.get("Content-Type", ""))
        try:
            return self.content.decode(named[1] if named else "utf-8", errors="replace")
        except (LookupError, UnicodeError):  # no encoding of texts, or one that knows no replacing
            return self.content.decode("utf-8", errors="replace")


class BoundedHttp:
    """Makes requests that take no more than so many seconds, and longer only for a large file; keeps connections open.

    It repeats nothing and follows no redirect. `trust_environment`: proxies and certificates as the environment says.
    """

    def __init__(self, seconds: float, *, trust_environment: bool = True) -> None:
        self._seconds, self._trust_environment = seconds, trust_environment
        self._managers: dict[str, PoolManager] = {}  # by origin

    def request(
        self, method: str, url: str, headers: Mapping[str, str], body: Body = None, *, timeout: tuple[float, float]
    ) -> Answer:
        """Return the whole answer; `timeout` is for connecting and for one read. Raises RequestFailed, OSError.

        OSError is for certificates that are not where the environment says.
        """
        manager = self._manager(url)
        headers = {"Accept-Encoding": "gzip, deflate", **headers}
        size = _size(body)
        if not isinstance(body, bytes | None):
            headers["Content-Length"] = str(size)
        own = time.monotonic() + self._seconds + size / SLOWEST_UPLOAD
        _this_thread.until, _this_thread.has_sent = min(own, _this_thread.all_until), False
        connect, read = timeout
        try:
            return _exchange(manager, method, url, headers, body, Timeout(connect=connect, read=read))
        except (HTTPError, HTTPException, OSError, ValueError) as error:
            words = f"{type(error).__name__}: {error}"
            raise RequestFailed(words, nothing_sent=not _this_thread.has_sent) from error
        finally:
            _this_thread.until = math.inf

    def close(self) -> None:
        """Close the connections."""
        for manager in self._managers.values():
            manager.clear()

    def _manager(self, url: str) -> PoolManager:
        """Return who has the connections to a URL's origin; what the environment says of it is read once."""
        parts = urlsplit(url)
        origin = f"{parts.scheme}://{parts.netloc}"
        if origin not in self._managers:
            try:
                self._managers[origin] = _new_manager(url, self._trust_environment)
            except (HTTPError, ValueError) as error:
                raise RequestFailed(_NO_PROXY, nothing_sent=True) from error
        return self._managers[origin]


def _new_manager(url: str, trust_environment: bool) -> PoolManager:
    way = way_to(url, trust_environment=trust_environment)
    options: dict[str, Any] = {"cert_reqs": "CERT_REQUIRED", **way.certificates}
    if not way.proxy:
        manager = PoolManager(**options)
    else:
        named = make_headers(proxy_basic_auth=way.credentials) if way.credentials else None
        manager = ProxyManager(way.proxy, proxy_headers=named, **options)
    manager.pool_classes_by_scheme = {"http": _Plain, "https": _WithTLS}
    return manager


def _size(body: Body) -> int:
    if body is None or isinstance(body, bytes):
        return len(body or b"")
    here = body.tell()
    size = body.seek(0, io.SEEK_END) - here
    body.seek(here)
    return size


def _exchange(
    manager: PoolManager, method: str, url: str, headers: Mapping[str, str], body: Body, timeout: Timeout
) -> Answer:
    response = manager.urlopen(
        method, url, headers=headers, body=body, timeout=timeout, retries=False, redirect=False, preload_content=False
    )
    try:
        if response.status < 200:  # the answer may follow it, and whoever asks next must not get that
            raise HTTPException(f"answered {response.status} and nothing else")
        content = b"".join(_bounded(response))
    except BaseException:
        response.close()
        raise
    response.release_conn()
    return Answer(response.status, response.headers, content)


def _bounded(response: BaseHTTPResponse) -> Iterator[bytes]:
    """Give the answer piece by piece, unpacked; it ends with an error when it becomes too large."""
    size = 0
    for chunk in response.stream(CHUNK, decode_content=True):
        size += len(chunk)
        if size > MOST_BYTES:
            raise DecodeError(f"the answer has more than {MOST_BYTES} bytes")
        yield chunk


@contextmanager
def in_all(seconds: float) -> Iterator[None]:
    """Let this thread's requests in the block take no more than so many seconds together."""
    _this_thread.all_until = time.monotonic() + seconds
    try:
        yield
    finally:
        _this_thread.all_until = math.inf


class _Thread(threading.local):
    until = math.inf  # of the request that is made now
    has_sent = False  # a byte of it
    all_until = math.inf


_this_thread = _Thread()
_attempts = threading.BoundedSemaphore(MOST_ATTEMPTS)


def _left(most: float | None) -> float:
    """Return for how long one step may still wait. Raises TimeoutError."""
    seconds = min(math.inf if most is None else most, _this_thread.until - time.monotonic())
    if seconds <= 0:
        raise TimeoutError("the request takes too long")
    return seconds


class _Source(io.RawIOBase):
    """What a socket receives, as long as the request may take."""

    def __init__(self, sock: socket.socket, raw: io.RawIOBase) -> None:
        self._sock, self._raw, self._seconds = sock, raw, sock.gettimeout()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._sock.settimeout(_left(self._seconds))
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Answer(HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        self.fp = io.BufferedReader(_Source(sock, self.fp.detach()))


class _InTime(HTTPConnection):
    """Connects and sends in time, asks the fence before each piece that leaves, and reads through a `_Source`."""

    response_class = _Answer
    _is_connecting = False

    def connect(self) -> None:
        """Connect, also through a proxy: what is said to that, and for TLS, is nothing of the request."""
        self._is_connecting = True
        try:
            super().connect()
        finally:
            self._is_connecting = False

    def _new_conn(self) -> socket.socket:
        """Return a connected socket: a thread of its own waits for the name, and for each of its addresses."""
        late = ConnectTimeoutError(self, f"no connection to {self.host} in time")
        if not _attempts.acquire(blocking=False):
            raise late
        attempt: Future[socket.socket] = Future()
        threading.Thread(target=self._attempt, args=(attempt, super()._new_conn), daemon=True).start()
        try:
            return attempt.result(_left(self.timeout))
        except TimeoutError:
            attempt.add_done_callback(_close)
            raise late from None

    @staticmethod
    def _attempt(attempt: Future[socket.socket], connect: Any) -> None:
        try:
            attempt.set_result(connect())
        except BaseException as error:  # noqa: BLE001 - whoever waits for it raises it
            attempt.set_exception(error)
        finally:
            _attempts.release()

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        self.sock.settimeout(_left(self.timeout))
        fence.ask()
        if not self._is_connecting:
            _this_thread.has_sent = True
        super().send(data)


class _InTimeWithTLS(_InTime, HTTPSConnection):
    pass


def _close(attempt: Future[socket.socket]) -> None:
    if attempt.exception() is None:
        attempt.result().close()


class _Plain(HTTPConnectionPool):
    ConnectionCls = _InTime


class _WithTLS(HTTPSConnectionPool):
    ConnectionCls = _InTimeWithTLS
