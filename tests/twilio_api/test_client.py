"""The REST seam, against the emulator: replies, look-ups, receipts, and one decision for every failure."""

from datetime import timedelta

import pytest

from app.twilio_api.client import Conversations
from app.twilio_api.errors import SendError
from app.twilio_api.look_up import Found, Sought
from tests.support.webhook_receiver import sdk_client

ACCOUNT, TOKEN = "AC" + "1".zfill(32), "0123456789abcdef0123456789abcdef"
MARKER = {"reply_to": "IM" + "1" * 32, "n": 0}


@pytest.fixture
def twilio(emulator):
    return Conversations(account_sid=ACCOUNT, auth_token=TOKEN, base_url=emulator.url)


@pytest.fixture
def conversation(emulator):
    return emulator.inbound("hello")


def send(twilio, conversation, body="hi"):
    return twilio.send_message(conversation["conversation_sid"], "", author="bot", body=body, marker=MARKER)


def find(twilio, conversation, **more):
    sought = Sought(**{"mark": ("parley", MARKER), "author": "bot", "tried_at": None, **more})
    return twilio.find_message(conversation["conversation_sid"], "", sought, back_to=conversation["message_sid"])


def test_a_message_that_was_sent_is_found_by_its_marker(twilio, conversation):
    sent = send(twilio, conversation)

    assert find(twilio, conversation).sid == sent


def test_a_message_that_was_not_sent_is_not_found(twilio, conversation):
    assert find(twilio, conversation) == Found()


def test_a_marker_of_somebody_else_is_not_ours(twilio, conversation, emulator):
    emulator.chat(conversation["conversation_sid"], "mallory", "not the bot", attributes={"parley": MARKER})

    assert find(twilio, conversation) == Found()


def test_of_a_message_whose_name_nobody_wrote_down_the_marker_tells(twilio, conversation):
    sent = send(twilio, conversation)

    assert find(twilio, conversation, author=None).sid == sent
    assert find(twilio, conversation, author="another").sid == ""


def test_a_text_is_the_same_though_its_line_ends_are_not(twilio, conversation):
    messages = twilio.conversation(conversation["conversation_sid"], "").messages
    stored = messages.create(author="bot", body="first line\r\nsecond line ")

    found = find(twilio, conversation, body="first line\nsecond line", tried_at=stored.date_created)
    assert found == Found(candidates=(stored.sid,))


@pytest.mark.parametrize(
    ("more", "is_one"),
    [
        ({"body": "hi"}, True),
        ({"body": "Hi"}, False),
        ({"body": "hi", "author": "another"}, False),
        ({"body": "hi", "author": None}, False),
        ({"body": "hi", "tried_at": None}, False),
        ({"body": "hi", "tried_after": 59}, True),
        ({"body": "hi", "tried_after": 62}, False),
        ({"body": "hi", "content_sid": "HX" + "1" * 32}, False),
        ({"body": "hi", "media_sid": "ME" + "1" * 32}, False),
        ({"body": ""}, False),
    ],
)
def test_without_a_marker_a_message_may_be_ours_by_author_text_and_time(twilio, conversation, more, is_one):
    stored = twilio.conversation(conversation["conversation_sid"], "").messages.create(author="bot", body="hi")
    tried_at = stored.date_created + timedelta(seconds=more.pop("tried_after", 0))

    found = find(twilio, conversation, **{"tried_at": tried_at, **more})
    assert (found.sid, found.candidates) == ("", (stored.sid,) if is_one else ())


def test_a_reply_behind_many_messages_is_found(twilio, conversation, emulator):
    sent = send(twilio, conversation)
    for n in range(60):
        emulator.inbound(f"message {n}")

    assert find(twilio, conversation).sid == sent


def test_sending_never_asks_for_webhooks(twilio, conversation, emulator):
    sent = send(twilio, conversation)
    assert emulator.settle()

    assert sent not in [post["message_sid"] for post in emulator.webhooks("onMessageAdded")]


FAILURES = [
    pytest.param({"status": 429, "code": 20429, "retry_after": 7}, ("retry", False, "account", 7), id="account busy"),
    pytest.param({"status": 429, "code": 50063, "retry_after": 2}, ("retry", False, "conversation", 2), id="busy"),
    pytest.param({"status": 500}, ("retry", True, "", None), id="500"),
    pytest.param({"status": 503, "retry_after": 3}, ("retry", True, "account", 3), id="503"),
    pytest.param({"status": 401, "code": 20003}, ("retry", False, "", None), id="credentials"),
    pytest.param({"status": 403, "code": 20003}, ("retry", False, "", None), id="forbidden"),
    pytest.param({"status": 404, "code": 20404}, ("suppress", False, "", None), id="gone"),
    pytest.param({"status": 400, "code": 50377}, ("suppress", False, "", None), id="closed"),
    pytest.param({"status": 400, "code": 50513}, ("give up", False, "", None), id="not a participant"),
    pytest.param({"status": 400, "code": 99999}, ("give up", False, "", None), id="unknown 4xx"),
]


@pytest.mark.parametrize(("fault", "expected"), FAILURES)
def test_a_failure_becomes_one_decision(twilio, conversation, emulator, fault, expected):
    emulator.faults(fail_next=[fault])
    with pytest.raises(SendError) as caught:
        send(twilio, conversation)

    error, (decision, uncertain, scope, seconds) = caught.value, expected
    assert (error.decision, error.uncertain, error.scope) == (decision, uncertain, scope)
    assert error.retry_after == (None if seconds is None else timedelta(seconds=seconds))


@pytest.mark.parametrize(("fault", "expected"), FAILURES)
def test_a_look_up_that_fails_becomes_the_same_decision(twilio, conversation, emulator, fault, expected):
    emulator.faults(fail_next=[{**fault, "method": "GET"}])
    with pytest.raises(SendError) as caught:
        find(twilio, conversation)

    assert (caught.value.decision, caught.value.uncertain, caught.value.scope) == expected[:3]


def test_a_connection_cut_after_storing_is_uncertain(twilio, conversation, emulator):
    emulator.faults(cut_next=1)
    with pytest.raises(SendError) as caught:
        send(twilio, conversation)

    assert (caught.value.decision, caught.value.uncertain) == ("retry", True)
    assert find(twilio, conversation) is not None


def test_tls_that_does_not_come_about_has_said_nothing(conversation, emulator):
    plain = Conversations(account_sid=ACCOUNT, auth_token=TOKEN, base_url=emulator.url.replace("http:", "https:"))
    with pytest.raises(SendError) as caught:
        send(plain, conversation)

    assert (caught.value.decision, caught.value.uncertain) == ("retry", False)


def test_a_refused_connection_is_certain(conversation):
    nobody = Conversations(account_sid=ACCOUNT, auth_token=TOKEN, base_url="http://127.0.0.1:9")
    with pytest.raises(SendError) as caught:
        send(nobody, conversation)

    assert (caught.value.decision, caught.value.uncertain) == ("retry", False)


@pytest.mark.parametrize(
    "sid", ["", "CH1", "CH" + "z" * 32, "CH" + "1" * 32 + "/../x", "IM" + "1" * 32, "CH" + "1" * 32 + "\n"]
)
def test_what_is_no_sid_never_reaches_the_sdk(twilio, emulator, sid):
    with pytest.raises(SendError) as caught:
        twilio.send_message(sid, "", author="bot", body="x", marker=MARKER)

    assert caught.value.decision == "give up"
    assert emulator.requests() == []


def test_the_details_of_a_receipt_are_fetched(twilio, conversation, emulator):
    emulator.carrier("+15550100001", error_code=30003, status="undelivered")
    message_sid = send(twilio, conversation)
    assert emulator.settle()
    at_twilio = sdk_client(emulator.url).conversations.v1.conversations(conversation["conversation_sid"])
    (receipt,) = at_twilio.messages(message_sid).delivery_receipts.list()

    detail = twilio.fetch_receipt(
        conversation["conversation_sid"], "", message_sid=message_sid, delivery_receipt_sid=receipt.sid
    )
    assert (detail.status, detail.error_code) == ("undelivered", 30003)


def test_a_message_goes_to_the_service_of_its_conversation(twilio, emulator):
    service = sdk_client(emulator.url).conversations.v1.services.create(friendly_name="second").sid
    conversation = emulator.inbound("hello", service_sid=service)
    twilio.send_message(conversation["conversation_sid"], service, author="bot", body="hi", marker=MARKER)

    assert any(f"/Services/{service}/" in request["path"] for request in emulator.requests())
    assert emulator.replies("bot") == ["hi"]
