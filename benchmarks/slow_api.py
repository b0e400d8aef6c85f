"""Answers like the message resource of Twilio's REST API, `--latency` seconds after each request arrived.

It stores no message and knows no participant: it is a stopwatch, not an emulator. One thread serves all
connections, so it costs little of the machine that is being measured.
GET /arrivals gives [[seconds on the monotonic clock, ConversationSid], ...] for every message created.
"""

import argparse
import asyncio
import json
import signal
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic
from urllib.parse import parse_qs

REASONS = {200: b"OK", 201: b"Created", 404: b"Not Found"}


@dataclass
class Api:
    """The latency of every answer, and when each message came to be created; `name` begins its own SIDs.

    `created` is called with the SIDs of each message and of its conversation.
    """

    latency: float
    name: str = field(default_factory=lambda: uuid.uuid4().hex[:16])
    arrivals: list[tuple[float, str]] = field(default_factory=list)
    created: Callable[[str, str], None] = lambda message_sid, conversation_sid: None


def answer(api: Api, method: str, path: str, body: bytes) -> tuple[int, object]:
    """Return status and document for one request; a created message is written down.

    Source: conversations-classic/api/conversation-message-resource, read 2026-11-22.
    """
    parts = path.partition("?")[0].strip("/").split("/")
    if parts == ["arrivals"]:
        return 200, api.arrivals
    if parts[-1] != "Messages" or len(parts) < 2:
        return 404, {"code": 20404, "status": 404, "message": f"{path} is not served here"}
    if method == "POST":
        api.arrivals.append((monotonic(), parts[-2]))
        message_sid = f"IM{api.name}{len(api.arrivals):016x}"
        api.created(message_sid, parts[-2])
        return 201, _created(message_sid, parts[-2], body)
    return 200, {"messages": [], "meta": {"key": "messages", "page": 0, "page_size": 50, "next_page_url": None}}


def _created(message_sid: str, conversation_sid: str, body: bytes) -> dict[str, object]:
    form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
    return {
        "sid": message_sid,
        "conversation_sid": conversation_sid,
        "index": 1,
        "author": form.get("Author", "system"),
        "body": form.get("Body"),
        "attributes": form.get("Attributes", "{}"),
        "date_created": "2026-11-22T12:00:00Z",
        "date_updated": "2026-11-22T12:00:00Z",
        "delivery": None,
        "media": None,
    }


class ApiConnection(asyncio.Protocol):
    """Reads requests from one kept-alive connection and writes each answer after the latency."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.received += data
        while (request := _first_request(self.received)) is not None:
            method, path, body, length = request
            self.received = self.received[length:]
            status, document = answer(self.api, method, path, body)
            latency = 0 if path == "/arrivals" else self.api.latency
            asyncio.get_running_loop().call_later(latency, self._write, status, document)

    def _write(self, status: int, document: object) -> None:
        if self.transport.is_closing():
            return
        body = json.dumps(document).encode()
        head = b"HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        self.transport.write(head % (status, REASONS[status], len(body)) + body)


def _first_request(received: bytes) -> tuple[str, str, bytes, int] | None:
    end_of_head = received.find(b"\r\n\r\n")
    if end_of_head < 0:
        return None
    head = received[:end_of_head]
    _, found, rest = head.lower().partition(b"\r\ncontent-length:")
    length = end_of_head + 4 + (int(rest.partition(b"\r\n")[0]) if found else 0)
    if len(received) < length:
        return None
    method, path, _ = head.partition(b"\r\n")[0].decode().split(" ")
    return method, path, received[end_of_head + 4 : length], length


async def serve(port: int, latency: float) -> None:
    """Answer on 127.0.0.1:`port` until SIGTERM or SIGINT."""
    api = Api(latency)
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    server = await loop.create_server(lambda: ApiConnection(api), "127.0.0.1", port)
    await stopped.wait()
    server.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.slow_api", description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="on 127.0.0.1")
    parser.add_argument("--latency", type=float, default=0.2, help="seconds from request to answer")
    options = parser.parse_args()
    asyncio.run(serve(options.port, options.latency))
