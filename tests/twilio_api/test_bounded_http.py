"""HTTP requests against sites that drip, unpack without end, or hide behind a name that nobody resolves: all end."""

import socket
import threading
import tracemalloc

import pytest

from app.twilio_api.bounded_http import MOST_BYTES, Answer, BoundedHttp, RequestFailed
from app.twilio_api.client import Conversations
from app.twilio_api.errors import SendError
from app.twilio_api.look_up import Sought
from tests.support.loopback_site import PHOTO, certificate, secure_site, serve, site

__all__ = ["certificate", "secure_site", "serve", "site"]
SHORT, LONG = 0.5, 60.0  # seconds


TIMEOUT = (3.0, 8.0)  # for connecting, and for each read: none of these sites meets it


@pytest.fixture
def http():
    """Return something that makes requests and takes at most so many seconds for each."""
    made = []

    def make(seconds: float = LONG) -> BoundedHttp:
        made.append(BoundedHttp(seconds))
        return made[-1]

    yield make
    for one in made:
        one.close()


def get(http: BoundedHttp, site, path: str, *, scheme: str = "http") -> Answer:
    return http.request("GET", f"{scheme}://127.0.0.1:{site.server_port}/{path}", {}, timeout=TIMEOUT)


@pytest.mark.timeout(30)
@pytest.mark.parametrize("page", ["dripping", "dripping_head", "silent"])
def test_an_answer_that_never_ends_is_given_up(http, site, page):
    with pytest.raises(RequestFailed):
        get(http(SHORT), site, page)


@pytest.mark.timeout(30)
@pytest.mark.parametrize("page", ["dripping", "dripping_head"])
@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_an_answer_over_tls_that_never_ends_is_given_up(http, secure_site, certificate, page, variable, monkeypatch):
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    monkeypatch.setenv(variable, str(certificate))
    assert get(http(), secure_site, "photo", scheme="https").content == PHOTO
    with pytest.raises(RequestFailed):
        get(http(SHORT), secure_site, page, scheme="https")


@pytest.mark.timeout(30)
def test_a_name_that_nobody_resolves_is_not_waited_for(http, monkeypatch):
    nobody_does = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: nobody_does.wait(30))
    with pytest.raises(RequestFailed) as caught:
        http(SHORT).request("GET", "http://slow.example.com/", {}, timeout=TIMEOUT)
    nobody_does.set()

    assert caught.value.nothing_sent


@pytest.mark.parametrize(
    "proxy", ["socks5://user:pa55word@127.0.0.1:9", "http://user:pa55word@127.0.0.1:99999", "http://[::1", "::::"]
)
def test_a_proxy_that_cannot_be_used_is_named_and_nothing_was_sent(http, proxy, monkeypatch):
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("https_proxy", proxy)
    with pytest.raises(RequestFailed, match="set HTTPS_PROXY to http://host:port") as caught:
        http().request("POST", "https://api.example.com/", {}, timeout=TIMEOUT)
    twilio = Conversations(account_sid="AC" + "1" * 32, auth_token="0" * 32)
    with pytest.raises(SendError) as refused:
        twilio.find_message("CH" + "1" * 32, "", Sought(("parley", {}), "bot", None), back_to="IM" + "1" * 32)

    assert caught.value.nothing_sent
    assert "pa55word" not in str(caught.value)
    assert (refused.value.decision, refused.value.uncertain) == ("retry", False)


def test_what_unpacks_to_far_more_is_given_up_before_memory_is(http, site):
    tracemalloc.start()
    with pytest.raises(RequestFailed):
        get(http(), site, "bomb")
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert most < 4 * MOST_BYTES


def test_an_answer_without_end_is_given_up(http, site):
    with pytest.raises(RequestFailed):
        get(http(), site, "endless")


def test_a_connection_is_used_again():
    server = OneConnection()
    http = BoundedHttp(LONG)
    answers = [http.request("GET", server.url, {}, timeout=TIMEOUT) for _ in range(3)]
    http.close()
    server.thread.join()

    assert [(answer.status, answer.text) for answer in answers] == [(200, "ok")] * 3


@pytest.mark.timeout(30)
@pytest.mark.parametrize("status", [101, 102, 103])
def test_what_only_precedes_an_answer_is_none_and_the_connection_is_not_used_again(status):
    server = OneConnection(f"HTTP/1.1 {status} Wait\r\n\r\n".encode())
    http = BoundedHttp(LONG)
    with pytest.raises(RequestFailed) as caught:
        http.request("POST", server.url, {}, timeout=TIMEOUT)
    server.thread.join()
    http.close()

    assert not caught.value.nothing_sent


class OneConnection:
    """A server that takes one connection, and answers everything that comes through it until that is closed."""

    def __init__(self, answer: bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok") -> None:
        self._answer = answer
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/"
        self.thread = threading.Thread(target=self._serve)
        self.thread.start()

    def _serve(self) -> None:
        connection, _ = self._listener.accept()
        self._listener.close()
        with connection:
            while connection.recv(65536):
                connection.sendall(self._answer)


@pytest.mark.parametrize("charset", ["idna", "punycode", "undefined", "hex", "no-such-thing"])
def test_an_answer_in_an_encoding_that_is_none_is_read_as_utf8(charset):
    answer = Answer(200, {"Content-Type": f"application/json; charset={charset}"}, "ö\xff".encode("latin-1"))

    assert answer.text == "\ufffd\ufffd"


def test_a_redirect_is_an_answer_like_others_and_is_not_followed(http, site):
    assert get(http(), site, "hop/2").status == 302
    assert len(site.seen) == 1


@pytest.mark.timeout(30)
def test_twilio_that_drips_is_a_request_without_an_answer(site, monkeypatch):
    monkeypatch.setattr("app.twilio_api.http_client.REQUEST_SECONDS", SHORT)
    base_url = f"http://127.0.0.1:{site.server_port}/dripping"
    twilio = Conversations(account_sid="AC" + "1" * 32, auth_token="0" * 32, base_url=base_url)
    with pytest.raises(SendError) as caught:
        twilio.find_message("CH" + "1" * 32, "", Sought(("parley", {}), "bot", None), back_to="IM" + "1" * 32)

    assert (caught.value.decision, caught.value.uncertain) == ("retry", True)
