"""The arithmetic of a signature, against Twilio's published vectors and its own SDK."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twilio.request_validator import RequestValidator
from werkzeug.datastructures import MultiDict

from app.twilio_api.signature import compute
from tests.conftest import TOKEN
from tests.support.signed_vectors import GET_QUERY, JSON_URL, MESSAGE, OFFICIAL_TOKEN, OFFICIAL_URL, VECTOR_URL

CALL = (
    ("CallSid", "CA1234567890ABCDE"),
    ("Caller", "+14158675309"),
    ("Digits", "1234"),
    ("From", "+14158675309"),
    ("To", "+18005551212"),
)
REPEATED = (("Sid", "CA123"), ("SidAccount", "AC123"), ("Digits", "5678"), ("Digits", "1234"), ("Digits", "1234"))

MEDIA_ONLY = {
    **{name: value for name, value in MESSAGE.items() if name != "Body"},
    "Source": "WHATSAPP",
    "Author": "whatsapp:+15550100001",
    "Media": '[{"Sid":"ME00000000000000000000000000000009","ContentType":"image/jpeg",'
    '"Filename":"p.jpg","Size":12345}]',
}
RECEIPT = {
    "AccountSid": "AC00000000000000000000000000000001",
    "ChannelMessageSid": "SM00000000000000000000000000000007",
    "ChatServiceSid": "IS00000000000000000000000000000002",
    "ConversationSid": "CH00000000000000000000000000000003",
    "DateCreated": "2026-08-11T13:06:45.433Z",
    "DateUpdated": "2026-08-11T13:06:47.633Z",
    "DeliveryReceiptSid": "DY00000000000000000000000000000008",
    "EventType": "onDeliveryUpdated",
    "MessageSid": "IM00000000000000000000000000000004",
    "ParticipantSid": "MB00000000000000000000000000000006",
    "RetryCount": "0",
    "Status": "sent",
}
PARTICIPANT = {
    "AccountSid": "AC00000000000000000000000000000001",
    "ConversationSid": "CH00000000000000000000000000000003",
    "EventType": "onParticipantAdded",
    "ParticipantSid": "MB00000000000000000000000000000006",
    "DateCreated": "2026-08-11T13:03:20.000Z",
    "RoleSid": "RL00000000000000000000000000000009",
    "Attributes": "{}",
    "MessagingBinding.Type": "SMS",
    "MessagingBinding.Address": "+15550100001",
    "MessagingBinding.ProxyAddress": "+15550100099",
    "RetryCount": "0",
    "Source": "SMS",
}

TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=30)
PAIRS = st.lists(st.tuples(TEXT, TEXT), max_size=8)


@pytest.mark.parametrize(
    ("url", "form", "signature"),
    [
        pytest.param(OFFICIAL_URL, CALL, "RSOYDt4T1cUTdK1PDd93/VVr8B8=", id="https"),
        pytest.param(
            OFFICIAL_URL.replace(".com", ".com:443"), CALL, "kvajT1Ptam85bY51eRf/AJRuM3w=", id="https with its port"
        ),
        pytest.param(
            "http://mycompany.com:1234/myapp.php?foo=1&bar=2", CALL, "Zmvh+3yNM1Phv2jhDCwEM3q5ebU=", id="odd port"
        ),
        pytest.param(
            "http://mycompany.com:80/myapp.php?foo=1&bar=2", CALL, "0ZXoZLH/DfblKGATFgpif+LLRf4=", id="http port"
        ),
        pytest.param(
            "https://example.com/myapp.php?foo=1&bar=2",
            tuple((name, value.replace("+14158675309", "+14158675310")) for name, value in CALL),
            "L/OH5YylLD5NRKLltdqwSvS0BnU=",
            id="example of the security page",
        ),
        pytest.param(
            OFFICIAL_URL,
            tuple((name, value.replace("+14158675309", "+12349013030")) for name, value in CALL),
            "0/KCTR6DLpKmkAf8muzZqo1nDgQ=",
            id="example of the older security page",
        ),
        pytest.param(OFFICIAL_URL, REPEATED, "IK+Dwps556ElfBT0I3Rgjkr1wJU=", id="repeated names"),
        pytest.param(JSON_URL, (), "a9nBmqA0ju/hNViExpshrM61xv4=", id="no form"),
    ],
)
def test_signatures_published_by_twilio_are_reproduced(url, form, signature):
    assert compute(OFFICIAL_TOKEN, url, form) == signature


@pytest.mark.parametrize(
    ("url", "fields", "sha1", "sha256"),
    [
        pytest.param(
            VECTOR_URL,
            MESSAGE,
            "FBQ17NO9FcRC6NBgnNjuIrWkEDA=",
            "7Aw6dDU/uqvCb2UXvWm24sapwINP+xKNQwRlqbt9Va8=",
            id="V1 text message",
        ),
        pytest.param(
            VECTOR_URL,
            {**MESSAGE, "RetryCount": "1"},
            "g5h75coocEPRiXUV7cDWmVJf7Vc=",
            "AsIzcU8uBQze52A/MI6TPNksVCnbUbwdZs1Ji0m9TOk=",
            id="V2 redelivery",
        ),
        pytest.param(
            VECTOR_URL,
            {**MESSAGE, "Body": "  café ✓ + 😀  ", "Attributes": '{"k": "v w"}'},
            "EJAbcLwqGcY/Xf+08hgf3VxFgCk=",
            "AoCAub01ZQMqK3/38WEcdbihrrrHsg9UfKhu6fjbg9s=",
            id="V3 unicode and spaces",
        ),
        pytest.param(
            VECTOR_URL,
            {**MESSAGE, "Body": ""},
            "zt3+JDO/HoSSOh48JUMQk/sE9w4=",
            "uirQjRRGJLxIKyztCfWaAcmQb5T9wgc8HddgkVZ0omw=",
            id="V4 blank body",
        ),
        pytest.param(
            VECTOR_URL,
            MEDIA_ONLY,
            "gkh5tPQzsU53GS8PdNhu6zXQEl0=",
            "hr9GEaWgrTqNtsmlbqZ+qRLTwjtwiqSyZWW92o0w0PE=",
            id="V5 media without body",
        ),
        pytest.param(
            VECTOR_URL,
            RECEIPT,
            "rf/Wh/zHRiqQuyliZu7TDuZqYLA=",
            "/YJD9fcF+SWnQIRGE9Q+uBagjiZ04Pxl8QGWZolMH6I=",
            id="V6 receipt",
        ),
        pytest.param(
            VECTOR_URL,
            {**RECEIPT, "Status": "failed", "ErrorCode": "21610"},
            "ap3QWYp0UeqlEHDDL4rGR0feED8=",
            "bj7BxdmXLKmG2pCpv5GwULDoPTP5p6dutEttudPZ6Z4=",
            id="V7 failed receipt",
        ),
        pytest.param(
            VECTOR_URL,
            PARTICIPANT,
            "7T2ARFYmMULKj7nAhKyhVCMFNAA=",
            "M3PmvfTvkPuvn6gAoCAlUGCPHVoCzHH3RgoxUUL/JvE=",
            id="V8 names with dots",
        ),
        pytest.param(
            VECTOR_URL + "?tenant=a%20b&x=%C3%A9",
            MESSAGE,
            "nQTrteMmdEMxTYHIRw4aD35Ejx0=",
            "SYKgNI7UvmpxWkAps20o7SmcgsnLN2VJectuYfXO0pY=",
            id="V9 encoded query",
        ),
        pytest.param(
            VECTOR_URL + GET_QUERY,
            {},
            "nL2qKA5yTT1zfYyovslfhHXvhG4=",
            "lMButuenTL/df7EOeE5x9FHOh0WXkAPB6EzkeyR2Sxo=",
            id="V10 GET",
        ),
    ],
)
def test_conversations_webhooks_have_the_signatures_the_sdk_gave_them(url, fields, sha1, sha256):
    assert compute(TOKEN, url, tuple(fields.items())) == sha1
    assert compute(TOKEN, url, tuple(fields.items()), "HMAC_SHA256") == sha256


@settings(deadline=None)
@given(url_query=st.text("abcXYZ019%&=+-_.~", min_size=1, max_size=30), pairs=PAIRS, secret=TEXT)
@pytest.mark.parametrize("algorithm", ["HMAC_SHA1", "HMAC_SHA256"])
def test_any_text_is_signed_as_the_sdk_signs_it(algorithm, url_query, pairs, secret):
    url = f"{VECTOR_URL}?{url_query}"

    expected = RequestValidator(secret).compute_signature(url, MultiDict(pairs), algorithm)

    assert compute(secret, url, tuple(pairs), algorithm) == expected
