"""HTTP requests that end in time, whatever the other side does, and whose answers have a bounded size.

The time-outs of requests are for one read each: an answer that comes byte by byte never meets them, nor does a
name that nobody resolves. What leaves asks the fence first. It knows nothing of Twilio.
"""

from __future__ import annotations

import io
import math
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from http.client import HTTPResponse
from typing import Any

from requests import PreparedRequest, Response, Session
from requests.adapters import HTTPAdapter
from requests.utils import super_len
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, DecodeError

from app.twilio_api import fence

MOST_BYTES = 16 * 1024 * 1024  # of an answer, unpacked; a page of a hundred long messages has half of it
SLOWEST_UPLOAD = 128 * 1024  # bytes a second: a large file may take longer
MOST_ATTEMPTS = 16  # to connect, at once; each may hang for as long as a name is looked up


class BoundedSession(Session):
    """A session whose requests take no more than so many seconds, and longer only for a large file."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds = seconds
        for scheme in ("https://", "http://"):
            self.mount(scheme, _Adapter())

    def send(self, request: PreparedRequest, **options: Any) -> Response:
        """Send a request and read the whole answer. Raises requests.RequestException."""
        size = super_len(request.body or b"")  # type: ignore[no-untyped-call]
        own = time.monotonic() + self._seconds + size / SLOWEST_UPLOAD
        _this_thread.until = min(own, _this_thread.all_until)
        try:
            return super().send(request, **options)
        finally:
            _this_thread.until = math.inf


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


class _Adapter(HTTPAdapter):
    """Requests' adapter with connections of ours, also to a proxy, and answers of bounded size."""

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        _with_our_pools(self.poolmanager)

    def proxy_manager_for(self, *args: Any, **options: Any) -> Any:
        return _with_our_pools(super().proxy_manager_for(*args, **options))

    def build_response(self, req: PreparedRequest, resp: Any) -> Response:
        response = super().build_response(req, resp)
        response.raw = _Bounded(resp)
        return response


def _with_our_pools(manager: PoolManager) -> PoolManager:
    manager.pool_classes_by_scheme = {"http": _Plain, "https": _WithTLS}
    return manager


class _Bounded:
    """urllib3's answer, which ends with an error when it becomes too large."""

    def __init__(self, raw: Any) -> None:
        self._raw = raw

    def __getattr__(self, name: str) -> Any:
        return getattr(self._raw, name)

    def stream(self, amt: int, decode_content: bool | None = None) -> Iterator[bytes]:
        size = 0
        for chunk in self._raw.stream(amt, decode_content=decode_content):
            size += len(chunk)
            if size > MOST_BYTES:
                self._raw.close()
                raise DecodeError(f"the answer has more than {MOST_BYTES} bytes")
            yield chunk
