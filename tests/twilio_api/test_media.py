"""The media store, against the emulator: a file is stored once, and refusals become the one decision."""

import pytest
import requests

from app.twilio_api.client import Conversations
from app.twilio_api.errors import SendError
from app.twilio_api.media import upload

ACCOUNT, TOKEN = "AC" + "1".zfill(32), "0123456789abcdef0123456789abcdef"


@pytest.fixture
def twilio(emulator):
    return Conversations(account_sid=ACCOUNT, auth_token=TOKEN, base_url=emulator.url)


@pytest.fixture
def service(twilio):
    return twilio.ask(lambda client: client.conversations.v1.services.create(friendly_name="second").sid)


def test_an_uploaded_file_is_what_a_message_then_carries(twilio, service, emulator):
    conversation = emulator.inbound("hello", service_sid=service)["conversation_sid"]
    sid = upload(twilio, service, b"%PDF-1.7 menu \x00\xff", "application/pdf", "our menu & more.pdf")
    sent = twilio.ask(
        lambda client: (
            client.conversations.v1.services(service)
            .conversations(conversation)
            .messages.create(author="bot", media_sid=sid)
        )
    )

    (media,) = sent.media
    assert (media["sid"], media["content_type"], media["filename"], media["size"]) == (
        sid,
        "application/pdf",
        "our menu & more.pdf",
        16,
    )


def test_the_bytes_arrive_as_they_are(twilio, service, emulator):
    sid = upload(twilio, service, bytes(range(256)), "image/png", "all bytes.png")
    url = f"{emulator.url}/v1/Services/{service}/Media/{sid}/Content"

    assert requests.get(url, auth=(ACCOUNT, TOKEN), timeout=10).content == bytes(range(256))


def test_without_a_service_the_file_goes_to_the_default_one(twilio, emulator):
    conversation = emulator.inbound("hello")["conversation_sid"]
    sid = upload(twilio, "", b"GIF89a", "image/gif", "wave.gif")
    messages = twilio.ask(lambda client: client.conversations.v1.conversations(conversation).messages)

    assert messages.create(author="bot", media_sid=sid).media[0]["sid"] == sid


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        pytest.param({"status": 429, "code": 20429, "retry_after": 7}, ("retry", "account"), id="account busy"),
        pytest.param({"status": 500}, ("retry", ""), id="500"),
        pytest.param({"status": 401, "code": 20003}, ("retry", ""), id="credentials"),
        pytest.param({"status": 413}, ("give up", ""), id="too large"),
    ],
)
def test_a_refused_upload_becomes_the_one_decision(twilio, service, emulator, fault, expected):
    emulator.faults(fail_next=[fault])
    with pytest.raises(SendError) as caught:
        upload(twilio, service, b"GIF89a", "image/gif", "wave.gif")

    assert (caught.value.decision, caught.value.scope) == expected


def test_what_is_no_service_never_reaches_the_network(twilio, emulator):
    with pytest.raises(SendError) as caught:
        upload(twilio, "IS1/../x", b"GIF89a", "image/gif", "wave.gif")

    assert caught.value.decision == "give up"
    assert emulator.requests() == []
