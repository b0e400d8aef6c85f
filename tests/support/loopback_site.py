"""A web site on loopback that behaves as its paths say, and resolvers that lead to it."""

import shutil
import socket
import ssl
import subprocess
import threading
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path

import pytest

PHOTO = b"\xff\xd8\xff" + bytes(1000)


class Site(BaseHTTPRequestHandler):
    """A web site on loopback that behaves as its paths say; `server.seen` is what it was asked for."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.server.seen.append((self.path, self.headers["Host"], self.headers.get("Authorization")))
        getattr(self, f"answer_{self.path.split('/')[1].partition('?')[0]}")()

    def answer_photo(self):
        self.send(200, PHOTO)

    def answer_hop(self):
        number = int(self.path.split("/")[2])
        self.send(302, b"", Location=f"/hop/{number - 1}" if number > 1 else "/photo")

    def answer_to(self):
        self.send(302, b"", Location=self.path.partition("?")[2])

    def answer_nowhere(self):
        self.send(302, b"")

    def answer_missing(self):
        self.send(404, b"no")

    def answer_zipped(self):
        self.send(200, PHOTO, **{"Content-Encoding": "gzip"})

    def answer_bomb(self):
        """Half a megabyte that unpacks to 500."""
        packer, megabyte = zlib.compressobj(wbits=31), bytes(1024 * 1024)
        packed = b"".join(packer.compress(megabyte) for _ in range(500)) + packer.flush()
        self.send(200, packed, **{"Content-Encoding": "gzip"})

    def answer_announced(self):
        self.send_response(200)
        self.send_header("Content-Length", str(10**12))
        self.end_headers()

    def answer_endless(self):
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        while not self.server.is_over.is_set():
            self.wfile.write(b"1000\r\n" + bytes(4096) + b"\r\n")

    def answer_short(self):
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(b"half")
        self.close_connection = True

    def answer_silent(self):
        self.server.is_over.wait(10)

    def answer_dripping(self):
        self.send_response(200)
        self.send_header("Content-Length", "100000")
        self.end_headers()
        while not self.server.is_over.wait(0.05):
            self.wfile.write(b".")

    def answer_dripping_head(self):
        while not self.server.is_over.wait(0.05):
            self.wfile.write(b"H")

    def send(self, status, content, **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        """The client cuts connections on purpose."""


@pytest.fixture
def serve():
    """Start a site and return its port."""
    servers = []

    def start(context=None):
        server = Server(("127.0.0.1", 0), Site)
        server.seen, server.is_over = [], threading.Event()
        if context:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.is_over.set()
        server.shutdown()
        server.server_close()


@pytest.fixture
def site(serve):
    return serve()


@pytest.fixture
def certificate(tmp_path):
    """A certificate for media.example.com, with its key in one file."""
    if not shutil.which("openssl"):
        pytest.skip("openssl is not installed, which makes the certificate of this test")
    path = tmp_path / "media.pem"
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=media".split()
    names = ["-addext", "subjectAltName=DNS:media.example.com,IP:127.0.0.1"]
    command += [*names, "-keyout", str(path), "-out", f"{path}.crt"]
    subprocess.run(command, check=True, capture_output=True)
    path.write_bytes(path.read_bytes() + Path(f"{path}.crt").read_bytes())
    return path


@pytest.fixture
def secure_site(serve, certificate):
    """The site over TLS; `asked_names` is what clients named in the handshake."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    asked_names = []
    context.sni_callback = lambda _socket, name, _context: asked_names.append(name)
    server = serve(context)
    server.asked_names = asked_names
    return server


def resolving(*addresses):
    """Return a resolver that answers with each of these in turn, and the last one from then on."""
    left = list(addresses)

    def resolve(_host, port, **_):
        answer = left.pop(0) if len(left) > 1 else left[0]
        several = answer if isinstance(answer, tuple) else (answer,)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in several]

    return resolve


def on_loopback(address):
    return address == ip_address("127.0.0.1")
