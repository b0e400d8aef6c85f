"""Which URL was signed: the configured origin and the raw target, with or without its port."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twilio.request_validator import RequestValidator

from app.twilio_api.signature import Keys, SignedRequest, check, public_url

TOKEN = "0123456789abcdef0123456789abcdef"
ORIGIN = "https://bot.example.com"
PARAMETERS = {"EventType": "onMessageAdded", "Body": "Hello, I need help"}


def accepts(url: str, signature: str) -> bool:
    """Return whether a form post to `url` passes with `signature`."""
    request = SignedRequest(
        url=url,
        form=tuple(PARAMETERS.items()),
        signature=signature,
        content_type="application/x-www-form-urlencoded",
        body=b"",
        method="POST",
    )
    return check(Keys((TOKEN,), {}), request).valid


@pytest.mark.parametrize(
    ("origin", "target", "url"),
    [
        pytest.param(ORIGIN, "/conversations/webhook", ORIGIN + "/conversations/webhook", id="path"),
        pytest.param(ORIGIN + "/", "/hook?", ORIGIN + "/hook?", id="slash of the origin, empty query"),
        pytest.param(ORIGIN, "/hook?t=%C3%A9%20x&b=a+b!:", ORIGIN + "/hook?t=%C3%A9%20x&b=a+b!:", id="raw query"),
        pytest.param(ORIGIN + "/bot", "/hook", ORIGIN + "/bot/hook", id="path prefix"),
        pytest.param(ORIGIN, "http://evil.example.com:1/hook?a=1", ORIGIN + "/hook?a=1", id="absolute target"),
        pytest.param(ORIGIN, "http://evil.example.com", ORIGIN, id="absolute target without a path"),
        pytest.param(ORIGIN, "/hook?next=http://x.example.com/", ORIGIN + "/hook?next=http://x.example.com/", id="url"),
        pytest.param(ORIGIN, "//evil.example.com/hook", ORIGIN + "//evil.example.com/hook", id="two slashes"),
        pytest.param(ORIGIN, "/hook?a=1#rc=3", ORIGIN + "/hook?a=1", id="fragment"),
    ],
)
def test_the_public_url_is_the_configured_origin_and_the_raw_target(origin, target, url):
    assert public_url(origin, target) == url


@settings(deadline=None)
@given(host=st.sampled_from(["bot.example.com", "127.0.0.1"]), port=st.sampled_from(["", ":443", ":80", ":8443"]))
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_what_the_sdk_accepts_about_ports_is_accepted(scheme, host, port):
    default = {"http": ":80", "https": ":443"}[scheme]
    url, bare, full = (f"{scheme}://{host}{part}/hook?a=1" for part in (port, "", port or default))

    assert accepts(url, RequestValidator(TOKEN).compute_signature(bare, PARAMETERS))
    assert accepts(url, RequestValidator(TOKEN).compute_signature(full, PARAMETERS))


@pytest.mark.parametrize("port", ["", ":443", ":8443"])
def test_what_the_sdk_accepts_with_a_password_in_the_url_is_accepted(port):
    url = f"https://user:p@ss:word@bot.example.com{port}/hook?a=1"
    signature = RequestValidator(TOKEN).compute_signature(url, PARAMETERS)

    assert RequestValidator(TOKEN).validate(url, PARAMETERS, signature)
    assert accepts(url, signature)


def test_a_signature_with_a_port_added_behind_the_password_is_accepted_as_by_the_sdk():
    signature = RequestValidator(TOKEN).compute_signature("https://user:pass@bot.example.com:443/hook", PARAMETERS)

    assert RequestValidator(TOKEN).validate("https://user:pass@bot.example.com/hook", PARAMETERS, signature)
    assert accepts("https://user:pass@bot.example.com/hook", signature)


def test_a_signature_with_another_password_is_refused():
    signature = RequestValidator(TOKEN).compute_signature("https://user:other@bot.example.com/hook", PARAMETERS)

    assert not accepts("https://user:pass@bot.example.com/hook", signature)


@pytest.mark.parametrize(
    ("url", "signed_url"),
    [
        pytest.param("https://[2001:db8::1]:8443/hook", "https://[2001:db8::1]/hook", id="IPv6, port left out"),
        pytest.param("https://[2001:db8::1]/hook", "https://[2001:db8::1]:443/hook", id="IPv6, port added"),
        pytest.param("https://user:pass@bot.example.com/hook", "https://bot.example.com/hook", id="password dropped"),
        pytest.param(
            "https://user:pass@bot.example.com:8443/hook", "https://bot.example.com:8443/hook", id="with port"
        ),
        pytest.param("https://bot.example.com/a@b:9", "https://bot.example.com/a@b:9", id="@ and : in the path"),
        pytest.param("https://bot.example.com/hook?", "https://bot.example.com/hook?", id="empty query"),
    ],
)
def test_addresses_the_sdk_stumbles_over_are_accepted_too(url, signed_url):
    assert accepts(url, RequestValidator(TOKEN).compute_signature(signed_url, PARAMETERS))


@pytest.mark.parametrize(
    "signed_url",
    [
        pytest.param("http://bot.example.com/hook", id="other scheme"),
        pytest.param("https://bot.example.com:8443/hook", id="a port of its own"),
        pytest.param("https://bot.example.com:80/hook", id="the port of the other scheme"),
        pytest.param("https://bot.example.com/Hook", id="other path"),
        pytest.param("https://bot.example.com/hook?", id="a query that was not sent"),
    ],
)
def test_a_signature_for_another_url_is_refused(signed_url):
    assert not accepts(
        "https://bot.example.com/hook", RequestValidator(TOKEN).compute_signature(signed_url, PARAMETERS)
    )
