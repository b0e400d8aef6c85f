"""HTTP requests against sites that drip, unpack without end, or hide behind a name that nobody resolves: all end."""

import socket
import threading
import tracemalloc

import pytest
import requests

from app.twilio_api.bounded_http import MOST_BYTES, BoundedSession
from app.twilio_api.client import Conversations
from app.twilio_api.errors import SendError
from app.twilio_api.look_up import Sought
from tests.support.loopback_site import PHOTO, certificate, secure_site, serve, site

__all__ = ["certificate", "secure_site", "serve", "site"]
SHORT, LONG = 0.5, 60.0  # seconds


def get(site, path: str, seconds: float = LONG, *, scheme: str = "http", **options) -> requests.Response:
    """Fetch a page with time-outs for each read that it never meets."""
    with BoundedSession(seconds) as session:
        return session.get(f"{scheme}://127.0.0.1:{site.server_port}/{path}", timeout=(3.0, 8.0), **options)


@pytest.mark.timeout(30)
@pytest.mark.parametrize("page", ["dripping", "dripping_head", "silent"])
def test_an_answer_that_never_ends_is_given_up(site, page):
    with pytest.raises(requests.RequestException):
        get(site, page, SHORT)


@pytest.mark.timeout(30)
@pytest.mark.parametrize("page", ["dripping", "dripping_head"])
def test_an_answer_over_tls_that_never_ends_is_given_up(secure_site, certificate, page):
    assert get(secure_site, "photo", scheme="https", verify=str(certificate)).content == PHOTO
    with pytest.raises(requests.RequestException):
        get(secure_site, page, SHORT, scheme="https", verify=str(certificate))


@pytest.mark.timeout(30)
def test_a_proxy_that_drips_is_given_up_before_anything_is_said(site):
    proxies = {"https": f"http://127.0.0.1:{site.server_port}"}
    with pytest.raises(requests.RequestException), BoundedSession(SHORT) as session:
        session.get("https://api.example.com/", timeout=(3.0, 8.0), proxies=proxies)


@pytest.mark.timeout(30)
def test_a_name_that_nobody_resolves_is_not_waited_for(monkeypatch):
    nobody_does = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: nobody_does.wait(30))
    with pytest.raises(requests.ConnectTimeout), BoundedSession(SHORT) as session:
        session.get("http://slow.example.com/", timeout=(3.0, 8.0))
    nobody_does.set()


def test_what_unpacks_to_far_more_is_given_up_before_memory_is(site):
    tracemalloc.start()
    with pytest.raises(requests.RequestException):
        get(site, "bomb")
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert most < 4 * MOST_BYTES


def test_an_answer_without_end_is_given_up(site):
    with pytest.raises(requests.RequestException):
        get(site, "endless")


def test_a_connection_is_used_again(site):
    with BoundedSession(LONG) as session:
        pages = [session.get(f"http://127.0.0.1:{site.server_port}/photo", timeout=(3.0, 8.0)) for _ in range(3)]
        ports = {page.raw.connection for page in pages}

    assert [page.content for page in pages] == [PHOTO] * 3
    assert ports == {None}  # all are back in the pool


@pytest.mark.timeout(30)
def test_twilio_that_drips_is_a_request_without_an_answer(site, monkeypatch):
    monkeypatch.setattr("app.twilio_api.http_client.REQUEST_SECONDS", SHORT)
    base_url = f"http://127.0.0.1:{site.server_port}/dripping"
    twilio = Conversations(account_sid="AC" + "1" * 32, auth_token="0" * 32, base_url=base_url)
    with pytest.raises(SendError) as caught:
        twilio.find_message("CH" + "1" * 32, "", Sought(("parley", {}), "bot", None), back_to="IM" + "1" * 32)

    assert (caught.value.decision, caught.value.uncertain) == ("retry", True)
