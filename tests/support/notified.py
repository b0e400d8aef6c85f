"""A target of notifications on loopback: keeps what is posted to it, and answers as it is told."""

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@dataclass
class Posted:
    """One request: its path, its headers with small letters, its body as it came."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def document(self) -> Any:
        return json.loads(self.body)


@dataclass
class Listener:
    """Answers each post with `answer(path)`: a status and headers; `held`: only when that is set."""

    posts: list[Posted] = field(default_factory=list)
    answer: Callable[[str], tuple[int, dict[str, str]]] = lambda _path: (204, {})
    held: threading.Event | None = None
    port: int = 0

    def url(self, path: str = "/hook") -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    @property
    def ids(self) -> list[str]:
        return [one.id for one in self.posts]


def listening(port: int = 0) -> Iterator[Listener]:
    """Listen on a port of loopback; 0: on a free one."""
    listener = Listener()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            listener.posts.append(Posted(self.path, headers, body))
            if listener.held:
                listener.held.wait(60)
            status, more = listener.answer(self.path)
            self.send_response(status)
            for name, value in {"Content-Length": "0", **more}.items():
                self.send_header(name, value)
            self.end_headers()

        def do_GET(self) -> None:
            listener.posts.append(Posted(self.path, {}, b""))
            self.send_error(404)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    listener.port = server.server_port
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield listener
    finally:
        if listener.held:
            listener.held.set()
        server.shutdown()
        server.server_close()


@pytest.fixture
def crm() -> Iterator[Listener]:
    """The target "crm"."""
    yield from listening()
