"""Gives one kept-alive HTTP/1.1 connection over a raw asyncio protocol: a request out, its status back."""

import asyncio
from time import monotonic

BROKEN = 0  # stands where a status would: the connection ended before the answer did


def read_answer(received: bytes) -> tuple[int, int, bool] | None:
    """Return (status, length in bytes, whether the server keeps the connection), or None while incomplete.

    Understands what these servers send: no body, or a body with a Content-Length.
    """
    end_of_head = received.find(b"\r\n\r\n")
    if end_of_head < 0:
        return None
    head = received[:end_of_head].lower()
    length = end_of_head + 4 + _body_length(head)
    if len(received) < length:
        return None
    return int(head[9:12]), length, b"\r\nconnection: close" not in head


def _body_length(head: bytes) -> int:
    _, found, rest = head.partition(b"\r\ncontent-length:")
    return int(rest.partition(b"\r\n")[0]) if found else 0


class Connection(asyncio.Protocol):
    """One connection to 127.0.0.1:`port`, opened by the first request and again after the server closed it.

    Not opened ahead of its first request: gunicorn's threads each wait on a silent new connection.
    """

    def __init__(self, port: int) -> None:
        self.port = port
        self.answered_at = 0.0
        self._transport: asyncio.Transport | None = None
        self._received = b""
        self._answer: asyncio.Future[int] | None = None

    async def exchange(self, request: bytes) -> int:
        """Return the status of the answer, or BROKEN; `answered_at` then says when its last byte came."""
        loop = asyncio.get_running_loop()
        try:
            if self._transport is None:
                await loop.create_connection(lambda: self, "127.0.0.1", self.port)
        except OSError:
            self.answered_at = monotonic()
            return BROKEN
        self._answer = loop.create_future()
        assert self._transport is not None
        self._transport.write(request)
        return await self._answer

    def close(self) -> None:
        """Close the connection; harmless when it is closed already."""
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport, self._received = transport, b""

    def data_received(self, data: bytes) -> None:
        self._received += data
        answer = read_answer(self._received)
        if answer is None:
            return
        status, length, keeps_alive = answer
        self._received = self._received[length:]
        if not keeps_alive:
            self.close()
            self._transport = None
        self._finish(status)

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        self._finish(BROKEN)

    def _finish(self, status: int) -> None:
        if self._answer is not None and not self._answer.done():
            self.answered_at = monotonic()
            self._answer.set_result(status)
