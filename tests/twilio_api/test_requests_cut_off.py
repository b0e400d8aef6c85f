"""Requests that fail: only one of which not a single byte has left is certain to have done nothing."""

import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from app.twilio_api.bounded_http import BoundedHttp, RequestFailed
from app.twilio_api.client import Conversations
from app.twilio_api.errors import SendError
from app.twilio_api.http_environment import Way, way_to
from tests.support.loopback_site import certificate, secure_site, serve

__all__ = ["certificate", "secure_site", "serve"]
CH = "CH" + "1" * 32
CREATED = b'HTTP/1.1 201 Created\r\nContent-Length: 100\r\n\r\n{"sid": "IM'
Behaviour = Callable[[socket.socket], None]


@contextmanager
def server(behave: Behaviour) -> Iterator[str]:
    """Give the address of a server that behaves so with its first connection."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve_one() -> None:
        connection, _ = listener.accept()
        connection.settimeout(30)
        behave(connection)
        connection.close()

    thread = threading.Thread(target=serve_one)
    thread.start()
    yield f"127.0.0.1:{listener.getsockname()[1]}"
    thread.join()
    listener.close()


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def read_until(connection: socket.socket, end: bytes) -> None:
    read = b""
    while end not in read:
        read += connection.recv(65536)


def reset_at_once(connection: socket.socket) -> None:
    reset(connection)


def reset_after_a_byte(connection: socket.socket) -> None:
    connection.recv(1)
    reset(connection)


def reset_after_the_head(connection: socket.socket) -> None:
    read_until(connection, b"\r\n\r\n")
    reset(connection)


def reset_after_all(connection: socket.socket) -> None:
    read_until(connection, b"Body=hello")
    reset(connection)


def close_without_a_word(connection: socket.socket) -> None:
    read_until(connection, b"Body=hello")


def answer_half(connection: socket.socket) -> None:
    read_until(connection, b"Body=hello")
    connection.sendall(CREATED)


def answer_nonsense(connection: socket.socket) -> None:
    read_until(connection, b"Body=hello")
    connection.sendall(b"hello to you too\r\n\r\n")


AFTER_A_BYTE = [
    reset_after_a_byte,
    reset_after_the_head,
    reset_after_all,
    close_without_a_word,
    answer_half,
    answer_nonsense,
]


def send(base_url: str) -> None:
    calls: list[str] = []
    twilio = Conversations(account_sid="AC" + "1" * 32, auth_token="x", base_url=base_url, record_call=calls.append)
    try:
        twilio.send_message(CH, "", author="bot", body="hello", marker={"n": 0})
    finally:
        assert calls in (["no answer"], ["not connected"])


@pytest.mark.parametrize("behave", AFTER_A_BYTE)
def test_what_fails_after_a_byte_may_have_been_heard(behave):
    with server(behave) as address, pytest.raises(SendError) as caught:
        send(f"http://{address}")

    assert (caught.value.decision, caught.value.uncertain) == ("retry", True)


def test_a_connection_that_is_refused_was_told_nothing():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(SendError) as caught:
            send(f"http://127.0.0.1:{unused.getsockname()[1]}")

    assert (caught.value.decision, caught.value.uncertain) == ("retry", False)


def test_a_name_that_does_not_exist_was_told_nothing(monkeypatch):
    def nobody(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", nobody)
    with pytest.raises(SendError) as caught:
        send("http://nowhere.example.com")

    assert (caught.value.decision, caught.value.uncertain) == ("retry", False)


def post(url: str, monkeypatch: pytest.MonkeyPatch, **environment: str) -> RequestFailed:
    """Return how a request fails."""
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy", "REQUESTS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    http = BoundedHttp(20)
    with pytest.raises(RequestFailed) as caught:
        http.request("POST", url, {}, b"Body=hello", timeout=(3.0, 8.0))
    http.close()
    return caught.value


def speak_no_tls(connection: socket.socket) -> None:
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


def reset_in_the_handshake(connection: socket.socket) -> None:
    connection.recv(10)
    reset(connection)


@pytest.mark.parametrize("behave", [speak_no_tls, reset_in_the_handshake, reset_at_once])
def test_where_tls_does_not_come_about_nothing_was_said(behave, monkeypatch):
    with server(behave) as address:
        assert post(f"https://{address}/", monkeypatch).nothing_sent


def test_a_certificate_that_nobody_vouches_for_is_told_nothing(secure_site, monkeypatch):
    failed = post(f"https://127.0.0.1:{secure_site.server_port}/photo", monkeypatch)

    assert failed.nothing_sent
    assert secure_site.seen == []


def test_a_certificate_of_another_name_is_told_nothing(secure_site, certificate, monkeypatch):
    url = f"https://localhost:{secure_site.server_port}/photo"

    assert post(url, monkeypatch, REQUESTS_CA_BUNDLE=str(certificate)).nothing_sent
    assert secure_site.seen == []


def reset_after_all_over_tls(certificate: object) -> Behaviour:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(str(certificate))

    def behave(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as secured:
            read_until(secured, b"Body=hello")
            reset(secured)

    return behave


def test_a_reset_after_all_was_said_over_tls_leaves_it_open(certificate, monkeypatch):
    with server(reset_after_all_over_tls(certificate)) as address:
        failed = post(f"https://{address}/", monkeypatch, REQUESTS_CA_BUNDLE=str(certificate))

    assert not failed.nothing_sent


def refuse_the_tunnel(connection: socket.socket) -> None:
    read_until(connection, b"\r\n\r\n")
    connection.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")


@pytest.mark.parametrize("behave", [refuse_the_tunnel, reset_after_the_head])
def test_a_proxy_that_makes_no_tunnel_hears_nothing_of_the_request(behave, monkeypatch):
    with server(behave) as address:
        failed = post("https://api.example.com/", monkeypatch, HTTPS_PROXY=f"http://{address}")

    assert failed.nothing_sent


def test_a_proxy_is_told_the_name_and_password_of_its_address(monkeypatch):
    heard = []

    def listen(connection: socket.socket) -> None:
        heard.append(connection.recv(65536))
        connection.sendall(b"HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n")

    with server(listen) as address:
        post("https://api.example.com/", monkeypatch, HTTPS_PROXY=f"http://maria:s%20t@{address}")

    assert heard[0].startswith(b"CONNECT api.example.com:443 HTTP/1.")
    assert b"authorization: basic bwfyawe6cyb0" in heard[0].lower()


@pytest.mark.parametrize(
    ("environment", "url", "expected"),
    [
        ({"HTTPS_PROXY": "http://p:1"}, "https://a.example.com/", "http://p:1"),
        ({"https_proxy": "p:1"}, "https://a.example.com/", "http://p:1"),
        ({"HTTP_PROXY": "http://p:1"}, "https://a.example.com/", ""),
        ({"ALL_PROXY": "http://p:1"}, "https://a.example.com/", "http://p:1"),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "example.com"}, "https://a.example.com/", ""),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "10.0.0.0/8"}, "https://10.1.2.3/", ""),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "other.org"}, "https://a.example.com/", "http://p:1"),
        ({}, "https://a.example.com/", ""),
    ],
)
def test_the_environment_names_the_proxy(environment, url, expected, monkeypatch):
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    assert way_to(url).proxy == expected
    assert way_to(url, trust_environment=False).proxy == ""


def test_a_proxy_without_a_name_is_told_none():
    assert [Way(proxy, {}).credentials for proxy in ("http://p:1", "http://a%40b:c%3Ad@p:1")] == ["", "a@b:c:d"]


def test_certificates_that_are_not_where_the_environment_says_are_named(monkeypatch, tmp_path):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "none.pem"))
    with pytest.raises(OSError, match=r"none\.pem; check REQUESTS_CA_BUNDLE"):
        way_to("https://a.example.com/")

    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path))
    assert way_to("https://a.example.com/").certificates == {"ca_cert_dir": str(tmp_path)}
