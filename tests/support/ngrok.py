"""A stand-in for ngrok on loopback: its local API, and a public address that forwards every byte to the app."""

import json
import socket
import socketserver
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Ngrok:
    """Forwards `public_url` to a port of this machine and tells of it at `api`."""

    def __init__(self, port: int, *, says_port: int | None = None) -> None:
        self._forwarder = _Forwarder(("127.0.0.1", 0), _Pump)
        self._forwarder.port = port
        self.public_url = f"http://127.0.0.1:{self._forwarder.server_address[1]}"
        tunnel = {
            "name": "command_line",
            "proto": "http",
            "public_url": self.public_url,
            "config": {"addr": f"http://localhost:{says_port or port}", "inspect": True},
        }
        self._api = ThreadingHTTPServer(("127.0.0.1", 0), _handler({"tunnels": [tunnel], "uri": "/api/tunnels"}))
        self.api = f"http://127.0.0.1:{self._api.server_address[1]}"
        self._servers = (self._forwarder, self._api)
        self._threads = [threading.Thread(target=one.serve_forever, args=(0.02,)) for one in self._servers]
        for thread in self._threads:
            thread.start()

    def __enter__(self) -> "Ngrok":
        return self

    def __exit__(self, *_: object) -> None:
        for server in self._servers:
            server.shutdown()
            server.server_close()
        for thread in self._threads:
            thread.join()


class _Forwarder(socketserver.ThreadingTCPServer):
    daemon_threads = True
    port = 0


class _Pump(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        try:
            app = socket.create_connection(("127.0.0.1", self.server.port), timeout=10)
        except OSError:
            return
        with app:
            back = threading.Thread(target=_pump, args=(app, self.request), daemon=True)
            back.start()
            _pump(self.request, app)
            back.join(10)


def _pump(source: socket.socket, sink: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        return


def _handler(document: dict[str, object]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(document).encode()
            self.send_response(200 if self.path == "/api/tunnels" else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    return Handler
