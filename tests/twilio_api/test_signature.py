"""Only requests signed by Twilio pass; the witness is Twilio's own SDK."""

import hmac
import logging
from base64 import b64encode
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twilio.request_validator import RequestValidator

from app.twilio_api.form import decode_form, read_form
from app.twilio_api.signature import Keys, SignedRequest, Verdict, check, compute, public_url
from tests.conftest import ORIGIN, TOKEN
from tests.support import webhook_fixtures
from tests.support.signed_vectors import GET_QUERY, JSON_URL, MESSAGE, OFFICIAL_TOKEN, OFFICIAL_URL, VECTOR_URL

OTHER_TOKEN = "fedcba9876543210fedcba9876543210"
FORM_TYPE = "application/x-www-form-urlencoded"

JSON_BODY = b'{"property": "value", "boolean": true}'
JSON_SIGNATURE = "a9nBmqA0ju/hNViExpshrM61xv4="


def verdict_on(*, keys: Keys, **request) -> Verdict:
    """Return the verdict on a request."""
    return check(keys, SignedRequest(**request))


def judge(**changes) -> Verdict:
    """Return the verdict on a rightly signed form post to which `changes` were made."""
    given_form = tuple(MESSAGE.items())
    request = {
        "keys": Keys((TOKEN,), {}),
        "url": VECTOR_URL,
        "form": given_form,
        "signature": compute(TOKEN, VECTOR_URL, given_form),
        "content_type": FORM_TYPE,
        "body": b"",
        "method": "POST",
    }
    return verdict_on(**{**request, **changes})


@pytest.mark.parametrize("name", webhook_fixtures.names())
def test_every_recorded_request_signed_by_the_sdk_is_valid_and_one_changed_byte_is_not(name):
    request = webhook_fixtures.load(name)
    signature = webhook_fixtures.sign(request, ORIGIN, TOKEN)["X-Twilio-Signature"]
    form = read_form(request.method, request.target, request.body)
    url = public_url(ORIGIN, request.target)
    sent = {
        "keys": Keys((TOKEN,), {}),
        "signature": signature,
        "content_type": request.headers.get("Content-Type", ""),
        "body": request.body,
        "method": request.method,
    }

    assert verdict_on(url=url, form=form, **sent).valid
    assert not verdict_on(url=url + "x", form=form, **sent).valid
    assert not verdict_on(url=url.replace("https", "http"), form=form, **sent).valid


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        pytest.param({"signature": None}, "missing", id="no header"),
        pytest.param({"signature": ""}, "missing", id="empty header"),
        pytest.param({"signature": "AAAA"}, "mismatch", id="short"),
        pytest.param({"signature": "é\udcff\ud800\x00" * 9}, "mismatch", id="characters of any kind"),
        pytest.param({"signature": "A" * 1_000_000}, "mismatch", id="very long"),
        pytest.param({"signature": compute(OTHER_TOKEN, VECTOR_URL, tuple(MESSAGE.items()))}, "mismatch", id="token"),
        pytest.param({"signature": compute("", VECTOR_URL, tuple(MESSAGE.items()))}, "mismatch", id="empty token"),
        pytest.param({"form": (*MESSAGE.items(), ("Extra", "1"))}, "mismatch", id="added parameter"),
        pytest.param({"form": tuple(MESSAGE.items())[1:]}, "mismatch", id="missing parameter"),
        pytest.param({"form": (*MESSAGE.items(), ("Body", "other"))}, "mismatch", id="repeated parameter"),
        pytest.param({"url": VECTOR_URL + "/"}, "mismatch", id="trailing slash"),
        pytest.param({"url": VECTOR_URL.replace("bot.", "evil.")}, "mismatch", id="other host"),
        pytest.param({"method": "GET"}, "mismatch", id="form signature on a GET"),
        pytest.param({"content_type": "application/json"}, "mismatch", id="form signature on JSON"),
        pytest.param({"keys": Keys()}, "no keys configured", id="no keys"),
        pytest.param({"keys": Keys(("", ""), {"k1": ""})}, "no keys configured", id="empty keys"),
    ],
)
def test_a_request_that_twilio_did_not_sign_is_refused_with_a_reason(change, reason):
    assert judge(**change) == Verdict(False, reason, "")


@pytest.mark.parametrize(
    "content_type",
    [FORM_TYPE, FORM_TYPE + "; charset=utf-8", "Application/X-WWW-Form-Urlencoded", FORM_TYPE + " ;charset=UTF-8"],
)
def test_a_form_is_recognised_in_any_spelling_of_its_type(content_type):
    assert judge(content_type=content_type).valid


@pytest.mark.parametrize("method", ["GET", "get", "HEAD"])
def test_the_parameters_of_a_get_count_once_in_its_url(method):
    url = VECTOR_URL + GET_QUERY
    signature = RequestValidator(TOKEN).compute_signature(url, {})

    assert judge(url=url, signature=signature, method=method, content_type="").valid


@pytest.mark.parametrize(
    ("url", "signature", "body", "reason"),
    [
        pytest.param(JSON_URL, JSON_SIGNATURE, JSON_BODY, "ok", id="published by Twilio"),
        pytest.param(JSON_URL, JSON_SIGNATURE, JSON_BODY + b" ", "body hash mismatch", id="other body"),
        pytest.param(JSON_URL, JSON_SIGNATURE, b"", "body hash mismatch", id="empty body"),
        pytest.param(OFFICIAL_URL, compute("12345", OFFICIAL_URL, ()), b"", "body hash mismatch", id="no hash"),
        pytest.param(JSON_URL + "0", JSON_SIGNATURE, JSON_BODY, "mismatch", id="other hash"),
    ],
)
def test_a_body_that_is_no_form_must_have_the_hash_in_the_signed_url(url, signature, body, reason):
    keys = Keys((OFFICIAL_TOKEN,), {})

    verdict = judge(keys=keys, url=url, signature=signature, body=body, form=(), content_type="application/json")

    assert verdict.reason == reason


@pytest.mark.parametrize(
    ("tokens", "key"),
    [
        pytest.param((TOKEN,), "primary", id="only one"),
        pytest.param((TOKEN, OTHER_TOKEN), "primary", id="before the promotion"),
        pytest.param((OTHER_TOKEN, TOKEN), "secondary", id="after the promotion"),
        pytest.param(("", TOKEN), "secondary", id="only the secondary"),
    ],
)
def test_while_tokens_are_rotated_the_verdict_says_which_one_matched(tokens, key):
    assert judge(keys=Keys(tokens, {})) == Verdict(True, "ok", key)


SHARED = Keys((TOKEN,), {"k1": "first shared secret", "k2": "second shared secret"})


@pytest.mark.parametrize(
    ("secret", "algorithm", "settings", "verdict"),
    [
        pytest.param(
            "first shared secret",
            "HMAC_SHA256",
            "key=k1,algorithm=HMAC_SHA256",
            Verdict(True, "ok", "shared:k1"),
            id="256",
        ),
        pytest.param(
            "second shared secret",
            "HMAC_SHA1",
            "key=k2,algorithm=HMAC_SHA1",
            Verdict(True, "ok", "shared:k2"),
            id="SHA1",
        ),
        pytest.param("first shared secret", "HMAC_SHA1", "key=k1", Verdict(True, "ok", "shared:k1"), id="none named"),
        pytest.param(
            "first shared secret",
            "HMAC_SHA256",
            " algorithm=hmac_sha256 , key=k1",
            Verdict(True, "ok", "shared:k1"),
            id="order, case and spaces",
        ),
        pytest.param(TOKEN, "HMAC_SHA1", " ", Verdict(True, "ok", "primary"), id="blank is absent"),
        pytest.param(
            "second shared secret",
            "HMAC_SHA256",
            "key=k1,algorithm=HMAC_SHA256",
            Verdict(False, "mismatch", ""),
            id="other shared key",
        ),
        pytest.param(
            TOKEN, "HMAC_SHA1", "key=k1,algorithm=HMAC_SHA1", Verdict(False, "mismatch", ""), id="token instead"
        ),
        pytest.param(
            TOKEN, "HMAC_SHA1", "key=unknown,algorithm=HMAC_SHA1", Verdict(False, "unknown key", ""), id="unknown key"
        ),
        pytest.param(TOKEN, "HMAC_SHA1", "algorithm=HMAC_SHA1", Verdict(False, "unknown key", ""), id="no key"),
        pytest.param(TOKEN, "HMAC_SHA1", "nonsense", Verdict(False, "unknown key", ""), id="nonsense"),
        pytest.param(
            "first shared secret",
            "HMAC_SHA1",
            "key=k1,algorithm=MD5",
            Verdict(False, "unknown algorithm", ""),
            id="algorithm",
        ),
        pytest.param(
            "first shared secret", "HMAC_SHA256", None, Verdict(False, "mismatch", ""), id="shared key, not named"
        ),
        pytest.param(TOKEN, "HMAC_SHA256", None, Verdict(False, "mismatch", ""), id="token with SHA256"),
    ],
)
def test_a_request_that_names_a_shared_key_is_measured_by_that_key_alone(secret, algorithm, settings, verdict):
    signature = RequestValidator(secret).compute_signature(VECTOR_URL, MESSAGE, algorithm)

    assert judge(keys=SHARED, signature=signature, settings=settings) == verdict


def test_bytes_that_are_no_utf_8_are_signed_as_they_arrived():
    form = decode_form(b"EventType=onMessageAdded&Body=caf%E9+%FF")
    signed = VECTOR_URL.encode() + b"Bodycaf\xe9 \xff" + b"EventTypeonMessageAdded"

    expected = b64encode(hmac.new(TOKEN.encode(), signed, "sha1").digest()).decode()

    assert compute(TOKEN, VECTOR_URL, form) == expected


@settings(deadline=None)
@given(
    url=st.text(),
    pairs=st.lists(
        st.tuples(st.text(st.characters(exclude_categories=())), st.text(st.characters(exclude_categories=()))),
        max_size=5,
    ),
    signature=st.none() | st.text(st.characters(exclude_categories=())),
    settings=st.none()
    | st.text(st.characters(exclude_categories=()))
    | st.sampled_from(["key=k1", "key=k1,algorithm=HMAC_SHA256"]),
    content_type=st.text() | st.just(FORM_TYPE),
    body=st.binary(),
    method=st.sampled_from(["GET", "POST", "HEAD", ""]) | st.text(),
)
def test_no_request_whatsoever_makes_the_check_fail_or_pass(
    url, pairs, signature, settings, content_type, body, method
):
    verdict = verdict_on(
        keys=SHARED,
        url=url,
        form=tuple(pairs),
        signature=signature,
        settings=settings,
        content_type=content_type,
        body=body,
        method=method,
    )

    assert not verdict.valid
    assert verdict.key == ""


def test_an_algorithm_that_does_not_exist_gives_no_signature():
    assert compute(TOKEN, VECTOR_URL, (), "MD5") == ""


def test_secrets_are_in_no_representation_and_no_log(caplog):
    caplog.set_level(logging.DEBUG)

    judge(keys=SHARED, settings="key=k1,algorithm=NONE")
    judge(keys=SHARED, signature="wrong")

    shown = repr(SHARED) + str(replace(SHARED, tokens=(OTHER_TOKEN,))) + caplog.text
    assert TOKEN not in shown
    assert OTHER_TOKEN not in shown
    assert "shared secret" not in shown
