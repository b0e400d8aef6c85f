"""Clients that send a byte now and then: they stop gunicorn alone, and nothing behind the proxy of docs/security.md."""

import os
import re
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests import webhook_fixtures
from tests.conftest import ORIGIN, TOKEN
from tests.eventually import eventually
from tests.gunicorn_process import Gunicorn, serving
from tests.hostile_requests import exchange, on_the_wire

pytestmark = pytest.mark.slow
THREADS = 4
TWILIO_WAITS = 5.0  # seconds
DOCUMENT = Path(__file__).parents[2] / "docs" / "security.md"
NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
HEAD = b"POST /conversations/webhook HTTP/1.1\r\nHost: x\r\nX-Twilio-Signature: A\r\n"
SLOWLY = {"in its headers": HEAD + b"X-A: ", "in its body": HEAD + b"Content-Length: 1000\r\n\r\n"}


@pytest.fixture
def database_url(sqlite_url):
    return sqlite_url


@pytest.fixture
def web(environ, tmp_path) -> Iterator[Gunicorn]:
    settings = environ | {"WEB_CONCURRENCY": "1", "BOT_INLINE_WORKER": "off"}
    with serving(settings, tmp_path / "output", "--threads", str(THREADS)) as gunicorn:
        yield gunicorn


@contextmanager
def dribbling(port: int, beginning: bytes, clients: int) -> Iterator[None]:
    """Let so many clients begin a request, and go on with a byte every half second."""
    ended = threading.Event()
    with ExitStack() as stack:
        connections = [stack.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(clients)]
        for connection in connections:
            connection.sendall(beginning)
        thread = threading.Thread(target=_dribble, args=(connections, ended))
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()


def _dribble(connections: list[socket.socket], ended: threading.Event) -> None:
    while not ended.wait(0.5):
        for connection in list(connections):
            try:
                connection.sendall(b"a")
            except OSError:
                connections.remove(connection)  # the other side has had enough


def webhook() -> bytes:
    request = webhook_fixtures.load("onMessageAdded__sms_text")
    headers = webhook_fixtures.sign(request, ORIGIN, TOKEN)
    return on_the_wire(replace(request, headers=headers), Connection="close")


def is_answered_in_time(port: int) -> bool:
    with socket.create_connection(("127.0.0.1", port), timeout=TWILIO_WAITS) as connection:
        connection.sendall(webhook())
        try:
            return connection.recv(100).startswith(b"HTTP/1.1 204 ")
        except TimeoutError:
            return False


@pytest.mark.parametrize("beginning", SLOWLY.values(), ids=SLOWLY)
def test_clients_that_dribble_hold_every_thread_of_a_server_without_a_proxy(beginning, web):
    with dribbling(web.port, beginning, clients=THREADS):
        assert not is_answered_in_time(web.port)

    assert eventually(lambda: is_answered_in_time(web.port))


@pytest.fixture
def proxied(web, tmp_path, free_port: Callable[[], int]) -> Iterator[int]:
    """The port of nginx with the configuration of the document, less what is about TLS."""
    if not NGINX:
        pytest.skip("nginx is not installed")
    port, (site,) = free_port(), re.findall(r"```nginx\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    site = re.sub(r" *ssl_certificate.*\n", "", site).replace("listen 443 ssl;", f"listen 127.0.0.1:{port};")
    (tmp_path / "nginx.conf").write_text(main_part(tmp_path, site.replace("127.0.0.1:8000", f"127.0.0.1:{web.port}")))
    command = [NGINX, "-p", tmp_path, "-c", tmp_path / "nginx.conf", "-e", tmp_path / "nginx.log"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        assert eventually(lambda: listens(port))
        yield port
    finally:
        process.terminate()
        process.wait(10)


def main_part(folder: Path, site: str) -> str:
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    paths = "".join(f"{kind}_temp_path {folder}/{kind};\n" for kind in kinds)
    user = "user root;\n" if os.getuid() == 0 else ""
    rest = f"daemon off;\npid {folder}/nginx.pid;\nevents {{}}\nhttp {{\naccess_log off;\n{paths}{site}}}\n"
    return user + rest


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.parametrize("beginning", SLOWLY.values(), ids=SLOWLY)
def test_behind_the_documented_proxy_they_hold_up_nobody(beginning, proxied):
    with dribbling(proxied, beginning, clients=8 * THREADS):
        assert is_answered_in_time(proxied)


def test_behind_the_documented_proxy_what_was_signed_arrives_as_it_was_sent(proxied):
    request = replace(
        webhook_fixtures.load("onMessageAdded__sms_text"), target="/conversations/webhook?a=%2F%7e&b=%C3%A9"
    )
    headers = webhook_fixtures.sign(request, ORIGIN, TOKEN)

    assert exchange(proxied, on_the_wire(replace(request, headers=headers), Connection="close")).status == 204
