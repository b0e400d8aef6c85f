"""A refused request is explained by exactly what is wrong with it, and next to nothing is kept of it."""

import fcntl
import hashlib
import json
import threading
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twilio.request_validator import RequestValidator
from werkzeug.datastructures import MultiDict

from app import config, create_app
from app.receiver import rejections
from app.receiver.candidates import Received
from app.receiver.diagnosis import explain
from app.twilio_api.form import decode_form
from app.twilio_api.signature import Keys
from tests.conftest import ORIGIN, TOKEN
from tests.support.eventually import eventually
from tests.support.hostile_requests import FORM_TYPE, TARGET, deliver
from tests.support.webhook_fixtures import RecordedRequest

BODY = b"EventType=onMessageAdded&Body=Hello%2C+I+need+help&ErrorCode=&Author=%2B15550100001"
QUERY = "team=%C3%A9%20x&tilde=%7e"
KEYS = Keys((TOKEN, "f" * 32), {"WK1": "a-shared-secret"})
NAMES_KEY = {"X-Twilio-Webhooks-Signature-Settings": "key=WK1,algorithm=HMAC_SHA256"}


def signed(url=ORIGIN + TARGET, body=BODY, *, token=TOKEN, algorithm="HMAC_SHA1"):
    """Return the signature that Twilio's own library makes for a form post to a URL; body "" is a GET."""
    return RequestValidator(token).compute_signature(url, MultiDict(decode_form(body)), algorithm)


def came(signature, *, target=TARGET, method="POST", body=BODY, **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Received.of(
        method, target, ({"Content-Type": FORM_TYPE, "X-Twilio-Signature": signature} | named).items(), body
    )


def mismatches(received, public_url=ORIGIN, keys=KEYS):
    return [one.mismatch for one in explain(received, keys, public_url)]


def changed(name, value):
    return BODY.replace(name, value)


JSON = b'{"a": 1}'
AS_JSON = f"?bodySHA256={hashlib.sha256(BODY).hexdigest()}"
WITH_QUERY = f"{TARGET}?{QUERY}"
CASES = {
    "scheme": (["scheme"], came(signed(f"http://bot.example.com{TARGET}"))),
    "host of the Host header": (
        ["host"],
        came(signed(f"https://new.example.com{TARGET}"), Host="new.example.com"),
    ),
    "host that a proxy forwards": (
        ["host"],
        came(signed(f"https://new.example.com{TARGET}"), Host="10.0.0.1:8000", X_Forwarded_Host="new.example.com, x"),
    ),
    "port": (["port"], came(signed(f"{ORIGIN}:8443{TARGET}"), Host="bot.example.com:8443")),
    "scheme, host and port": (
        ["scheme", "host", "port"],
        came(signed(f"http://new.example.com:8443{TARGET}"), Host="new.example.com:8443"),
    ),
    "trailing slash": (["trailing slash"], came(signed(f"{ORIGIN}{TARGET}/"))),
    "prefix that a proxy takes away": (
        ["path prefix"],
        came(signed(f"{ORIGIN}/bot{TARGET}"), X_Forwarded_Prefix="/bot"),
    ),
    "path that a proxy rewrites": (["path"], came(signed(f"{ORIGIN}/old/hook"), X_Original_URI="/old/hook")),
    "two slashes": (["path"], came(signed(f"{ORIGIN}/{TARGET}"))),
    "query added": (["query"], came(signed(), target=WITH_QUERY)),
    "query parameter added": (
        ["query"],
        came(signed(f"{ORIGIN}{WITH_QUERY}"), target=f"{WITH_QUERY}&tracking=1"),
    ),
    "query dropped, but told": (
        ["query"],
        came(signed(f"{ORIGIN}{WITH_QUERY}"), X_Original_URI=WITH_QUERY),
    ),
    "query unescaped": (["query"], came(signed(f"{ORIGIN}{TARGET}?team=é x&tilde=~"), target=WITH_QUERY)),
    "query escaped anew": (["query"], came(signed(f"{ORIGIN}{TARGET}?team=%C3%A9+x&tilde=~"), target=WITH_QUERY)),
    "escapes in capitals": (["query"], came(signed(f"{ORIGIN}{TARGET}?t=%C3%A9"), target=f"{TARGET}?t=%c3%a9")),
    "blank field lost on the way": (["blank field"], came(signed(body=BODY + b"&ClientIdentity="))),
    "blank fields not signed": (["blank field"], came(signed(body=changed(b"&ErrorCode=", b"")))),
    "value trimmed on the way": (["trimmed field"], came(signed(body=changed(b"help", b"help+")))),
    "values trimmed by the signer": (["trimmed field"], came(signed(), body=changed(b"help", b"help+"))),
    "line ends": (
        ["line ends"],
        came(signed(body=changed(b"help", b"a%0D%0Ab%0D%0Ac")), body=changed(b"help", b"a%0Ab%0Ac")),
    ),
    "one of a repeated field": (["repeated field"], came(signed(), body=BODY + b"&Body=again")),
    "JSON with a hash that got lost": (["json"], came(signed(f"{ORIGIN}{TARGET}{AS_JSON}", b""))),
    "body not signed": (["json"], came(signed(body=b""))),
    "other content type": (["content type"], came(signed(), Content_Type="application/json")),
    "POST that became GET": (
        ["method"],
        came(signed(), method="GET", target=f"{TARGET}?{BODY.decode()}", body=b""),
    ),
    "GET that became POST": (["method"], came(signed(f"{ORIGIN}{TARGET}?{BODY.decode()}", b""))),
    "shared key without its header": (["shared key"], came(signed(token="a-shared-secret", algorithm="HMAC_SHA256"))),
    "unknown shared key": (["unknown shared key"], came("x" * 28, X_Twilio_Webhooks_Signature_Settings="key=WK2")),
    "token though a key is named": (["auth token"], came(signed(), **NAMES_KEY)),
    "other algorithm than named": (["shared key"], came(signed(token="a-shared-secret"), **NAMES_KEY)),
    "token with SHA-256": (["algorithm"], came(signed(algorithm="HMAC_SHA256"))),
    "empty token": (["empty token"], came(signed(token=""))),
    "no signature": (["signature missing"], came("")),
    "another token": (["unexplained"], came(signed(token="e" * 32))),
    "field changed": (["unexplained"], came(signed(body=changed(b"help", b"money")))),
    "hash of another body": (
        ["body changed"],
        came(signed(f"{ORIGIN}{TARGET}{AS_JSON}", b""), target=TARGET + AS_JSON, body=JSON, Content_Type="text/json"),
    ),
}


@pytest.mark.parametrize(("expected", "received"), CASES.values(), ids=CASES)
def test_a_mismatch_is_explained_by_exactly_that_mismatch(expected, received):
    assert mismatches(received) == expected


@pytest.mark.parametrize(
    ("public_url", "called", "host", "right"),
    [
        pytest.param("http://bot.example.com", ORIGIN, "", ORIGIN, id="scheme"),
        pytest.param("https://old.example.com", ORIGIN, "bot.example.com", ORIGIN, id="host"),
        pytest.param("http://localhost:8000", ORIGIN, "bot.example.com", ORIGIN, id="local address"),
        pytest.param("https://Bot.example.com", ORIGIN, "", ORIGIN, id="capitals"),
        pytest.param(f"{ORIGIN}/bot", ORIGIN, "", ORIGIN, id="prefix too much"),
        pytest.param("https://old.example.com/bot", f"{ORIGIN}/bot", "bot.example.com", f"{ORIGIN}/bot", id="keeps it"),
        pytest.param("https://me:secret@old.example.com", ORIGIN, "bot.example.com", ORIGIN, id="no password"),
        pytest.param("", ORIGIN, "bot.example.com", ORIGIN, id="PUBLIC_URL empty"),
    ],
)
def test_the_fix_names_the_public_url_that_would_have_been_right(public_url, called, host, right):
    received = came(signed(called + TARGET), Host=host)

    fixes = [one.fix for one in explain(received, KEYS, public_url)]

    assert {fix.rpartition("set ")[2] for fix in fixes} == {f"PUBLIC_URL={right}"}
    assert "secret" not in "".join(fixes)
    assert explain(received, KEYS, right) == []


def test_a_token_in_no_setting_is_not_guessed_at_and_what_was_tried_is_said():
    (explanation,) = explain(came(signed(token="e" * 32)), KEYS, ORIGIN)

    assert "TWILIO_AUTH_TOKEN" in explanation.fix
    assert "scheme, host, port" in explanation.fix


def test_a_forger_cannot_make_the_fix_name_an_address_of_his():
    forged = signed(f"https://evil.example.com{TARGET}", token="")

    (explanation,) = explain(came(forged, Host="evil.example.com"), KEYS, ORIGIN)

    assert explanation.mismatch == "unexplained"
    assert "evil" not in explanation.fix


def test_without_any_key_the_fix_is_to_set_one():
    assert mismatches(came(signed()), keys=Keys()) == ["no token"]


texts = st.text(max_size=40)
odd = st.one_of(texts, st.sampled_from(["http://", "//", "?", "://[", "http://[::1", "a:b@c:1", "%", "\ud800", ":"]))


@settings(deadline=None, max_examples=150)
@given(st.sampled_from(["GET", "POST", "HEAD", "PUT"]), odd, odd, odd, odd, odd, st.binary(max_size=60))
def test_nothing_that_arrives_breaks_the_diagnosis(method, target, public_url, host, original, content_type, body):
    received = Received.of(
        method,
        target,
        {
            "Host": host,
            "X-Original-URI": original,
            "Content-Type": content_type,
            "X-Twilio-Signature": host + "x",
            "X-Forwarded-Port": host,
            "X-Twilio-Webhooks-Signature-Settings": original,
        }.items(),
        body,
    )

    assert explain(received, KEYS, public_url)


@pytest.mark.parametrize(
    "received",
    [
        pytest.param(came("x", body=b"a=1&" * 60_000), id="many parameters"),
        pytest.param(came("x", body=b"a=" + b"x" * 250_000), id="one long value"),
        pytest.param(came("x", body=b"", method="GET", target=f"{TARGET}?" + "a=%41&" * 40_000), id="long query"),
        pytest.param(came("x", body=b"&".join(b"a%d=%d" % (n, n) for n in range(100))), id="many tries"),
    ],
)
def test_the_diagnosis_of_a_hostile_request_comes_to_an_end(received):
    assert mismatches(received) == ["unexplained"]


@pytest.fixture
def app(tmp_path, sqlite_url):
    environ = {"TWILIO_AUTH_TOKEN": TOKEN, "PUBLIC_URL": ORIGIN, "DATABASE_URL": sqlite_url}
    application = create_app(config.from_environment(environ))
    yield application
    application.extensions["parley"].db.close()


def secretive(signature):
    """A refused webhook full of things that must be kept nowhere."""
    body = b"EventType=onMessageAdded&Body=secret-text&Author=%2B15550100001"
    headers = {"Content-Type": FORM_TYPE, "X-Twilio-Signature": signature, "Host": "secret-host.example.com"}
    return RecordedRequest("POST", f"{TARGET}?token=secret-query&15550100001=x&b", headers, body)


def test_the_door_keeps_why_and_the_names_of_the_query_and_nothing_else(app, tmp_path, capfd):
    answer = deliver(app, secretive("c2VjcmV0LXNpZ25hdHVyZQ=="))
    file = tmp_path / rejections.FILE
    assert eventually(lambda: rejections.read(file))

    (refusal,) = rejections.read(file)
    assert answer.status_code == 403
    assert refusal.checked_url == ORIGIN + TARGET
    assert refusal.query_names == ("token", "?", "b")
    assert (refusal.reason, refusal.mismatch) == ("mismatch", "unexplained")
    kept = file.read_text()
    assert [word for word in ("secret", "15550100001", TOKEN, "c2VjcmV0") if word in kept] == []


def test_the_door_explains_one_request_a_second_and_counts_the_others(app, tmp_path):
    for _ in range(50):
        deliver(app, secretive("x"))
    file = tmp_path / rejections.FILE
    assert eventually(lambda: rejections.read(file))

    assert len(rejections.read(file)) < 50


def test_the_answer_does_not_wait_for_the_diagnosis(app, tmp_path):
    with (tmp_path / rejections.FILE).with_suffix(".lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        answer = deliver(app, replace(secretive("x"), body=b"a=" + b"x" * 200_000))
        kept = rejections.read(tmp_path / rejections.FILE)

    assert (answer.status_code, kept) == (403, [])


def some_refusal(number):
    return rejections.Refusal(datetime.now(UTC), "POST", f"{ORIGIN}/{number}", (), "mismatch", ())


def test_the_last_hundred_refusals_are_kept_newest_first(tmp_path):
    file = tmp_path / "instance" / rejections.FILE
    for number in range(130):
        rejections.keep(file, some_refusal(number))

    kept = [refusal.checked_url for refusal in rejections.read(file)]
    assert kept == [f"{ORIGIN}/{number}" for number in range(129, 29, -1)]


def test_garbage_in_the_file_is_left_out_and_gone_with_the_next_refusal(tmp_path):
    file = tmp_path / rejections.FILE
    rejections.keep(file, some_refusal(1))
    file.write_bytes(b"\xff\x00 garbage\n[]\n{}\n" + b'{"at": 1}\n' + file.read_bytes() + b'{"at": "2026')
    assert len(rejections.read(file)) == 1
    rejections.keep(file, some_refusal(2))

    assert len(file.read_text().splitlines()) == len(rejections.read(file)) == 2


def test_many_writers_at_once_lose_nothing_and_tear_nothing(tmp_path):
    file = tmp_path / rejections.FILE
    writers = [threading.Thread(target=rejections.keep, args=(file, some_refusal(number))) for number in range(40)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()

    assert len(rejections.read(file)) == 40
    assert all(json.loads(line) for line in file.read_text().splitlines())
