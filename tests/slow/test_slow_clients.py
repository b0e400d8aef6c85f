"""Clients that send a byte now and then stop gunicorn where no proxy is in front of it (see docs/security.md)."""

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace

import pytest

from tests.conftest import ORIGIN, TOKEN
from tests.support import webhook_fixtures
from tests.support.eventually import eventually
from tests.support.gunicorn_process import Gunicorn, serving
from tests.support.hostile_requests import on_the_wire

pytestmark = [pytest.mark.slow, pytest.mark.engines("sqlite")]
THREADS = 4
TWILIO_WAITS = 5.0  # seconds
HEAD = b"POST /conversations/webhook HTTP/1.1\r\nHost: x\r\nX-Twilio-Signature: A\r\n"
SLOWLY = {"in its headers": HEAD + b"X-A: ", "in its body": HEAD + b"Content-Length: 1000\r\n\r\n"}


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
