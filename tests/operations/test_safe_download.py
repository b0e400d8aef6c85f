"""Fetching a file from a URL: nothing private is reached, and nothing is endless."""

import socket
import ssl
from ipaddress import ip_address

import pytest

from app.common.checked_http import is_public
from app.operations.safe_download import Guard, fetch, guard_at
from app.operations.validation import Refused
from tests.support.loopback_site import PHOTO, on_loopback, resolving


def to_loopback(**limits):
    return Guard(resolve=resolving("127.0.0.1"), is_allowed=on_loopback, **limits)


def at(server, path):
    return f"http://media.example.com:{server.server_port}/{path}"


def refusal(url, guard=None):
    with pytest.raises(Refused) as caught:
        fetch(url, guard)
    return str(caught.value)


def test_a_file_is_fetched_from_the_host_that_was_named(site):
    fetched = fetch(at(site, "photo?a=b%20c"), to_loopback())

    assert fetched.content == PHOTO
    assert site.seen == [("/photo?a=b%20c", f"media.example.com:{site.server_port}", None)]


def test_letters_beyond_ascii_are_encoded(site):
    fetch(at(site, "photo/é✓"), to_loopback())

    assert site.seen[0][0] == "/photo/%C3%A9%E2%9C%93"


@pytest.mark.parametrize(
    "host",
    [
        pytest.param("127.0.0.1", id="loopback"),
        pytest.param("localhost", id="localhost"),
        pytest.param("127.1", id="loopback written short"),
        pytest.param("2130706433", id="loopback as a number"),
        pytest.param("0x7f000001", id="loopback in hexadecimal"),
        pytest.param("0177.0.0.1", id="loopback in octal"),
        pytest.param("0.0.0.0", id="this host"),
        pytest.param("10.1.2.3", id="private 10"),
        pytest.param("172.16.0.1", id="private 172"),
        pytest.param("192.168.1.1", id="private 192"),
        pytest.param("100.64.0.1", id="carrier NAT"),
        pytest.param("169.254.169.254", id="cloud metadata"),
        pytest.param("198.18.0.1", id="benchmarks"),
        pytest.param("192.0.2.1", id="documentation"),
        pytest.param("224.0.0.1", id="multicast"),
        pytest.param("240.0.0.1", id="reserved"),
        pytest.param("255.255.255.255", id="broadcast"),
        pytest.param("[::1]", id="IPv6 loopback"),
        pytest.param("[::]", id="IPv6 this host"),
        pytest.param("[fe80::1]", id="IPv6 link"),
        pytest.param("[fe80::1%25lo]", id="IPv6 link with its zone"),
        pytest.param("[fd00::1]", id="IPv6 private"),
        pytest.param("[ff02::1]", id="IPv6 multicast"),
        pytest.param("[2001:db8::1]", id="IPv6 documentation"),
        pytest.param("[::ffff:127.0.0.1]", id="IPv4 mapped"),
        pytest.param("[::ffff:a00:1]", id="IPv4 mapped in hexadecimal"),
        pytest.param("[::127.0.0.1]", id="IPv4 compatible"),
        pytest.param("[64:ff9b::7f00:1]", id="NAT64"),
        pytest.param("[64:ff9b:1::a00:1]", id="NAT64 of a network"),
        pytest.param("[2002:7f00:1::]", id="6to4"),
        pytest.param("[2001:0:7f00:1::]", id="Teredo"),
        pytest.param("192.88.99.1", id="relay of 6to4"),
        pytest.param("[2002:c058:6301::1]", id="6to4 of that relay"),
        pytest.param("[fec0::1]", id="IPv6 site"),
        pytest.param("[feff::1]", id="IPv6 site, its last network"),
        pytest.param("[3fff::1]", id="IPv6 documentation, the newer"),
        pytest.param("[3fff:fff::1]", id="IPv6 documentation, its last network"),
        pytest.param("[5f00::1]", id="IPv6 segment routing"),
        pytest.param("[2606:2800:21f:cb07:0:5efe:10.0.0.1]", id="ISATAP"),
        pytest.param("[2606:2800:21f:cb07:200:5efe:127.0.0.1]", id="ISATAP, of an address said to be global"),
    ],
)
def test_what_is_not_on_the_internet_is_not_fetched(host):
    assert "not a public address" in refusal(f"http://{host}/photo.jpg") or "not known" in refusal(f"http://{host}/")


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("93.184.215.14", True),
        ("2606:2800:21f:cb07:6820:80da:af6b:8b2c", True),
        ("::ffff:93.184.215.14", True),
        ("64:ff9b::5db8:d70e", True),
        ("2002:5db8:d70e::1", True),
        ("::ffff:10.0.0.1", False),
        ("64:ff9b::a00:1", False),
        ("2606:2800:21f:cb07:200:5efe:5db8:d70e", True),
        ("2606:2800:21f:cb07:0:5efe:a00:1", False),
        ("fe80::5efe:5db8:d70e", False),
        ("3ffe:ffff::1", True),
        ("2002:a00:1::1", False),
        ("::10.0.0.1", False),
    ],
)
def test_an_address_counts_as_the_one_that_it_carries(address, expected):
    assert is_public(ip_address(address)) is expected


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("ftp://media.example.com/photo.jpg", "is not a URL"),
        ("file:///etc/passwd", "is not a URL"),
        ("gopher://media.example.com/1", "is not a URL"),
        ("http://", "is not a URL"),
        ("http://media.example.com:99999/", "is not a URL"),
        ("http://media.example.com/a b", "is not a URL"),
        ("http://media.example.com/\r\nX-Evil: 1", "is not a URL"),
        ("http://user:secret@media.example.com/", "is not a URL"),
        ("http://:secret@media.example.com/", "password"),
        ("http://@127.0.0.1/", "password"),
    ],
)
def test_what_is_no_plain_web_address_is_refused(url, sentence):
    said = refusal(url, to_loopback())

    assert sentence in said


def test_one_private_address_among_public_ones_is_enough_to_refuse(site):
    guard = Guard(resolve=resolving(("127.0.0.1", "10.0.0.1")), is_allowed=on_loopback)

    assert "not a public address" in refusal(at(site, "photo"), guard)
    assert site.seen == []


def test_a_name_that_changes_its_address_after_the_check_changes_nothing(site):
    guard = Guard(resolve=resolving("127.0.0.1", "10.0.0.1"), is_allowed=on_loopback)

    assert fetch(at(site, "photo"), guard).content == PHOTO


def test_a_name_that_changes_its_address_between_redirects_is_refused(site):
    guard = Guard(resolve=resolving("127.0.0.1", "10.0.0.1"), is_allowed=on_loopback)

    assert "not a public address" in refusal(at(site, "hop/1"), guard)
    assert len(site.seen) == 1


def test_a_name_that_nobody_knows_is_said(site):
    def resolve(*_, **__):
        raise socket.gaierror(-2, "Name or service not known")

    assert "check the spelling" in refusal(at(site, "photo"), Guard(resolve=resolve))


def test_redirects_are_followed_three_times(site):
    assert fetch(at(site, "hop/3"), to_loopback()).url == at(site, "photo")
    assert "redirects more than 3 times" in refusal(at(site, "hop/4"), to_loopback())


@pytest.mark.parametrize(
    ("target", "sentence"),
    [
        pytest.param("http://169.254.169.254/latest/meta-data", "not a public address", id="cloud metadata"),
        pytest.param("//10.0.0.1/", "not a public address", id="without a scheme"),
        pytest.param("file:///etc/passwd", "is not a URL", id="a file"),
        pytest.param("http://user:secret@media.example.com/", "is not a URL", id="a password"),
    ],
)
def test_a_redirect_is_checked_like_the_first_url(site, target, sentence):
    guard = Guard(
        resolve=lambda host, port, **_: [(2, 1, 6, "", ("127.0.0.1" if "example" in host else host, port))],
        is_allowed=on_loopback,
    )

    assert sentence in refusal(at(site, f"to/?{target}"), guard)


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("missing", "answered 404"),
        ("nowhere", "redirects to nowhere"),
        ("zipped", "answered 200"),
        ("short", "ended too early"),
        ("announced", "is larger than 1 MB"),
        ("endless", "is larger than 1 MB"),
    ],
)
def test_what_is_no_whole_file_is_refused(site, path, sentence):
    assert sentence in refusal(at(site, path), to_loopback(most_bytes=1024 * 1024))


@pytest.mark.parametrize("path", ["silent", "dripping", "dripping_head"])
def test_the_time_limit_is_for_the_whole_fetch(site, path):
    assert "took longer than 0.4 seconds" in refusal(at(site, path), to_loopback(seconds=0.4))


def test_a_resolver_that_does_not_answer_is_not_waited_for(site):
    guard = Guard(resolve=lambda *_, **__: site.is_over.wait(10) and [], seconds=0.2)

    assert "not found in time" in refusal(at(site, "photo"), guard)


def test_a_server_that_nobody_runs_is_said(free_port):
    assert "cannot be fetched" in refusal(f"http://media.example.com:{free_port()}/photo", to_loopback())


def test_a_query_is_not_repeated_in_an_error(site):
    assert "s3cret" not in refusal(at(site, "missing?token=s3cret"), to_loopback())


def test_proxies_of_the_environment_are_not_used(site, free_port, monkeypatch):
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")

    assert fetch(at(site, "photo"), to_loopback()).content == PHOTO


def test_only_the_very_origin_that_is_trusted_may_be_private(site):
    origin = f"http://127.0.0.1:{site.server_port}"

    assert fetch(f"{origin}/photo", Guard(trusted_origin=origin)).content == PHOTO
    assert "not a public address" in refusal(f"{origin}/photo", Guard(trusted_origin="http://127.0.0.1:1"))
    assert "not a public address" in refusal(f"{origin}/to/?http://127.0.0.1:1/", Guard(trusted_origin=origin))


def test_tls_is_spoken_with_the_name_though_the_address_is_dialled(secure_site, certificate):
    guard = to_loopback(tls=lambda: ssl.create_default_context(cafile=certificate))
    fetched = fetch(at(secure_site, "photo").replace("http:", "https:"), guard)

    assert fetched.content == PHOTO
    assert secure_site.asked_names == ["media.example.com"]


def test_a_certificate_for_another_name_is_refused(secure_site, certificate):
    guard = to_loopback(tls=lambda: ssl.create_default_context(cafile=certificate))
    url = f"https://other.example.com:{secure_site.server_port}/photo"

    assert "certificate is not valid" in refusal(url, guard)
    assert secure_site.seen == []


def test_a_certificate_that_nobody_vouches_for_is_refused(secure_site):
    assert "certificate is not valid" in refusal(at(secure_site, "photo").replace("http:", "https:"), to_loopback())


@pytest.mark.parametrize(
    ("api", "is_fetched"),
    [
        ("http://127.0.0.1:4010", True),
        ("http://localhost:4010", True),
        ("", False),
        ("https://proxy.example.com", False),
    ],
)
def test_files_of_this_machine_are_fetched_where_the_api_is_on_it(site, api, is_fetched):
    url = f"http://127.0.0.1:{site.server_port}/photo"
    fetched = fetch(url, guard_at(api)).content == PHOTO if is_fetched else refusal(url, guard_at(api))

    assert fetched is True or "not a public address" in fetched
    assert "not a public address" in refusal("http://10.0.0.1/photo", guard_at(api))
