"""The emulator's HTTP server on loopback: one thread for each connection, kept alive between requests.

Werkzeug's own handler closes each connection; this one keeps it open, sends an answer in one piece, and can cut
the connection instead of answering.
"""

import io
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterable
from types import FrameType
from typing import Any

from flask import Flask
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from app.emulator.rest.api import CUT


class KeepAliveHandler(WSGIRequestHandler):
    """Answers requests of one connection after another, without an access log."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def run_wsgi(self) -> None:
        """Run the app for one request and send its whole answer, or cut the connection."""
        self.environ = environ = self.make_environ()
        length = int(self.headers.get("Content-Length") or 0)
        environ["wsgi.input"] = io.BytesIO(self.rfile.read(length))
        head: list[Any] = []

        def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[..., Any]:
            head[:] = [status, headers]
            return head.append

        body = _collect(self.server.app(environ, start_response))
        if environ.get(CUT):
            self._cut()
        else:
            self._send(head[0], head[1], body)

    def _send(self, status: str, headers: list[tuple[str, str]], body: bytes) -> None:
        code, _, reason = status.partition(" ")
        self.send_response_only(int(code), reason)
        if not any(name.lower() == "date" for name, _ in headers):
            self.send_header("Date", self.date_time_string())
        for name, value in headers:
            if name.lower() != "content-length":
                self.send_header(name, value)
        if code != "204":
            self.send_header("Content-Length", str(len(body)))
        self._headers_buffer.append(b"\r\n" + (b"" if self.command == "HEAD" else body))
        self.flush_headers()

    def _cut(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def log(self, type: str, message: str, *args: object) -> None:
        """Keep no access log."""


def _collect(parts: Iterable[bytes]) -> bytes:
    try:
        return b"".join(parts)
    finally:
        close = getattr(parts, "close", None)
        if close:
            close()


def listen(app: Flask, port: int) -> BaseWSGIServer:
    """Return a server that listens on 127.0.0.1; port 0 takes a free one. Raises OSError for a port that is taken."""
    with socket.socket() as tried:  # the library would print sentences of its own, and end the process
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        tried.bind(("127.0.0.1", port))
    server = make_server("127.0.0.1", port, app, threaded=True, request_handler=KeepAliveHandler)
    server.daemon_threads = True  # type: ignore[attr-defined]
    return server


def stop_on_signals(server: BaseWSGIServer) -> None:
    """Let SIGINT and SIGTERM end the server, from now on."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        threading.Thread(target=server.shutdown, daemon=True).start()

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)


def stop_when_stdin_closes(server: BaseWSGIServer) -> None:
    """Let the server end when nobody holds the other end of standard input any more: with whoever started it."""

    def watch() -> None:
        while os.read(sys.stdin.fileno(), 1024):
            pass
        server.shutdown()

    threading.Thread(target=watch, daemon=True).start()


def run_until_stopped(server: BaseWSGIServer) -> None:
    """Serve until the server is stopped, then close the socket."""
    try:
        server.serve_forever(poll_interval=0.05)
    finally:
        server.server_close()
