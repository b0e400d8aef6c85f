"""A web server on loopback that counts the requests it sees and answers them as it is told."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Counter:
    """A local server's port and the requests it has seen."""

    port: int
    seen: list[tuple[str, Message, str]] = field(default_factory=list)


@contextmanager
def local_server(status_of: Callable[[int], int]) -> Iterator[Counter]:
    """Run an HTTP server that answers its n-th request with `status_of(n)`; 0 hangs up without an answer."""
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            with lock:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                counter.seen.append((self.path, self.headers, body))
                status = status_of(len(counter.seen))
            if status == 0:
                self.close_connection = True
                return
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        counter = Counter(server.server_address[1])
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield counter
        finally:
            server.shutdown()
            thread.join()
