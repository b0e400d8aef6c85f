"""The emulator's webhooks: what is posted, when, to whom, signed how; and what becomes of sent messages."""

import json
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.rest import Client

from app.emulator.client import Emulator
from tests.emulator_receiver import AUTH_TOKEN, PATH, PUBLIC_URL, Receiver, sdk_client

CUSTOMER = "+15550100001"
NUMBER = "+15550100099"
SAMPLES = Path(__file__).parents[2] / "shared" / "samples"


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[Emulator, Receiver]]:
    receiver = Receiver()
    options = {"public_url": PUBLIC_URL, "receipt_delay": 0.01, "webhook_timeout": 0.5, "seed": 7}
    with Emulator.start(webhook_url=receiver.url, **options) as emulator:
        yield emulator, receiver
    receiver.close()


@pytest.fixture
def receiver(running: tuple[Emulator, Receiver]) -> Receiver:
    return running[1]


@pytest.fixture
def emulator(running: tuple[Emulator, Receiver]) -> Emulator:
    emulator, receiver = running
    emulator.reset()
    emulator.point_at(receiver.url, PUBLIC_URL)
    receiver.clear()
    return emulator


@pytest.fixture
def twilio(emulator: Emulator) -> Client:
    return sdk_client(emulator.url)


@pytest.fixture
def conversation(emulator: Emulator, twilio: Client, receiver: Receiver):
    sid = emulator.inbound("hello")["conversation_sid"]
    emulator.settle()
    receiver.clear()
    return twilio.conversations.v1.conversations(sid)


def test_a_first_message_creates_the_conversation_and_tells_of_it_in_order(emulator, receiver):
    emulator.inbound("hello")
    emulator.settle()

    assert receiver.events() == ["onConversationAdded", "onParticipantAdded", "onMessageAdded"]


def test_a_second_message_joins_the_same_conversation(emulator, receiver):
    first = emulator.inbound("hello")
    second = emulator.inbound("anybody there?")
    emulator.settle()

    assert second["conversation_sid"] == first["conversation_sid"]
    assert [form["Index"] for form in receiver.forms("onMessageAdded")] == ["0", "1"]


def test_every_post_is_signed_for_the_public_url_and_carries_twilios_headers(emulator, receiver):
    emulator.inbound("hello")
    emulator.settle()

    got = receiver.got[-1]
    assert [request.signed for request in receiver.got] == [True, True, True]
    assert (got.method, got.path) == ("POST", PATH)
    assert got.headers["Content-Type"] == "application/x-www-form-urlencoded; charset=utf-8"
    assert got.headers["User-Agent"] == "TwilioProxy/1.1"
    assert got.headers["Accept"] == "*/*"
    assert re.fullmatch(r"[0-9a-f-]{36}", got.headers["I-Twilio-Idempotency-Token"])


def test_a_configured_get_puts_the_signed_parameters_into_the_query(emulator, receiver, twilio):
    twilio.conversations.v1.configuration.webhooks().update(method="GET")
    emulator.inbound("a b & ü")
    emulator.settle()

    got = receiver.got[-1]
    assert (got.method, got.signed, got.form["Body"]) == ("GET", True, "a b & ü")


def test_an_sms_carries_the_parameters_of_a_recorded_one(emulator, receiver):
    emulator.inbound("Is anybody there?", sender="+15550100004", to=NUMBER)
    emulator.settle()

    form = receiver.forms("onMessageAdded")[0]
    assert form["Source"] == "SMS"
    assert form["Author"] == "+15550100004"
    assert form["RetryCount"] == "0"
    assert form["Attributes"] == "{}"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", form["DateCreated"])


@pytest.mark.parametrize(
    ("sample", "missing_here"),
    [
        pytest.param("rec-message-added-sms-full.json", set(), id="inbound SMS"),
        pytest.param("rec-participant-added-sms.json", set(), id="participant added"),
        pytest.param("rec-delivery-updated-sent.json", set(), id="delivery updated"),
        pytest.param("doc-conversation-added-whatsapp.json", {"UniqueName"}, id="conversation added"),
    ],
)
def test_a_post_has_the_parameters_of_the_real_one(emulator, receiver, twilio, sample, missing_here):
    if not (SAMPLES / sample).exists():
        pytest.skip("the recorded samples are not part of this checkout")
    real = json.loads((SAMPLES / sample).read_text())["form"]
    answer = emulator.inbound("hello", channel="whatsapp" if "whatsapp" in sample else "sms")
    twilio.conversations.v1.conversations(answer["conversation_sid"]).messages.create(body="hi")
    emulator.settle()

    assert set(real) - set(receiver.forms(real["EventType"])[0]) == missing_here


def test_a_whatsapp_picture_has_no_body_and_media_as_a_json_text(emulator, receiver):
    picture = {"content_type": "image/jpeg", "filename": "p.jpg", "size": 12345}
    emulator.inbound(channel="whatsapp", media=[picture])
    emulator.settle()

    form = receiver.forms("onMessageAdded")[0]
    media = json.loads(form["Media"])
    assert "Body" not in form
    assert (form["Source"], form["Author"]) == ("WHATSAPP", "whatsapp:+15550100001")
    assert [sorted(file) for file in media] == [["ContentType", "Filename", "Sid", "Size"]]
    assert (media[0]["ContentType"], media[0]["Size"]) == ("image/jpeg", 12345)


def test_a_chat_client_joins_and_writes_as_itself(emulator, receiver, conversation):
    emulator.chat(conversation.fetch().sid, "support-agent", "I take over", attributes={"a": 1})
    emulator.settle()

    joined, written = receiver.forms("onParticipantAdded")[0], receiver.forms("onMessageAdded")[0]
    assert (joined["Identity"], joined["MessagingBinding.Type"]) == ("support-agent", "chat")
    assert "MessagingBinding.Address" not in joined
    assert (written["Source"], written["ClientIdentity"]) == ("SDK", "support-agent")
    assert (written["Author"], written["Attributes"]) == ("support-agent", '{"a": 1}')
    assert "MessagingServiceSid" not in written


def test_edits_removals_and_reading_are_told(emulator, receiver, conversation):
    sid = conversation.fetch().sid
    written = emulator.chat(sid, "alice", "see you at 14:00")
    emulator.edit(written["message_sid"], "see you at 15:00")
    emulator.read(sid, "alice", 1)
    emulator.remove(written["message_sid"])
    emulator.settle()

    edited, removed = receiver.forms("onMessageUpdated")[0], receiver.forms("onMessageRemoved")[0]
    assert edited["Body"] == "see you at 15:00"
    assert edited["DateUpdated"] >= edited["DateCreated"]
    assert receiver.forms("onParticipantUpdated")[0]["LastReadMessageIndex"] == "1"
    assert "DateRemoved" in removed


def test_a_rest_message_is_not_echoed_but_its_receipts_are_told(emulator, receiver, conversation):
    conversation.messages.create(author="support-bot", body="hi")
    emulator.settle()

    assert receiver.events() == ["onDeliveryUpdated", "onDeliveryUpdated"]


def test_a_rest_message_with_the_webhook_header_is_echoed_as_api(emulator, receiver, conversation):
    conversation.messages.create(author="support-bot", body="hi", x_twilio_webhook_enabled="true")
    emulator.settle()

    form = receiver.forms("onMessageAdded")[0]
    assert (form["Source"], form["Author"]) == ("API", "support-bot")
    assert "ParticipantSid" not in form


@pytest.mark.parametrize(
    ("channel", "statuses"),
    [
        pytest.param("sms", ["sent", "delivered"], id="sms"),
        pytest.param("whatsapp", ["sent", "delivered", "read"], id="whatsapp"),
    ],
)
def test_receipts_go_forward_to_the_channels_last_status(emulator, receiver, twilio, channel, statuses):
    sid = emulator.inbound("hello", channel=channel)["conversation_sid"]
    twilio.conversations.v1.conversations(sid).messages.create(author="support-bot", body="hi")
    emulator.settle()

    forms = receiver.forms("onDeliveryUpdated")
    assert [form["Status"] for form in forms] == statuses
    assert len({form["DeliveryReceiptSid"] for form in forms}) == 1
    assert not [form for form in forms if "ErrorCode" in form or "Source" in form]


def test_a_failing_carrier_shows_in_the_receipt_not_in_the_answer(emulator, receiver, conversation):
    emulator.carrier(CUSTOMER, error_code=30003)
    message = conversation.messages.create(author="support-bot", body="hi")
    emulator.settle()

    receipt = conversation.messages(message.sid).delivery_receipts.list()[0]
    last = receiver.forms("onDeliveryUpdated")[-1]
    assert (last["Status"], last["ErrorCode"]) == ("undelivered", "30003")
    assert (receipt.status, receipt.error_code) == ("undelivered", 30003)
    assert conversation.messages(message.sid).fetch().delivery["undelivered"] == "all"


def test_after_stop_messages_end_with_21610_until_start(emulator, receiver, conversation):
    emulator.inbound("Stop")
    conversation.messages.create(author="support-bot", body="one")
    emulator.settle()
    emulator.inbound("START")
    conversation.messages.create(author="support-bot", body="two")
    emulator.settle()

    ends = [(form["Status"], form.get("ErrorCode")) for form in receiver.forms("onDeliveryUpdated")]
    assert ends == [("undelivered", "21610"), ("sent", None), ("delivered", None)]


def test_whatsapp_free_form_outside_the_window_ends_with_63016_and_a_template_arrives(emulator, receiver, twilio):
    sid = emulator.inbound("hello", channel="whatsapp")["conversation_sid"]
    emulator.advance(25 * 3600)
    messages = twilio.conversations.v1.conversations(sid).messages
    messages.create(author="support-bot", body="still there?")
    emulator.settle()
    messages.create(author="support-bot", content_sid="HX00000000000000000000000000000001")
    emulator.settle()

    ends = [(form["Status"], form.get("ErrorCode")) for form in receiver.forms("onDeliveryUpdated")]
    assert ends == [("undelivered", "63016"), ("sent", None), ("delivered", None), ("read", None)]


def test_a_message_goes_to_every_phone_but_its_authors(emulator, receiver, twilio):
    first = emulator.inbound("hello")
    conversation = twilio.conversations.v1.conversations(first["conversation_sid"])
    other = conversation.participants.create(
        messaging_binding_address="+15550100002", messaging_binding_proxy_address=NUMBER
    )
    emulator.inbound("hello you")
    emulator.settle()

    assert {form["ParticipantSid"] for form in receiver.forms("onDeliveryUpdated")} == {other.sid}


def test_posts_of_one_conversation_wait_for_each_other(emulator, receiver):
    slow_first = iter([0.2])
    receiver.answer = lambda request: (204 if _wait(next(slow_first, 0)) else 500, b"")
    emulator.inbound("one")
    emulator.inbound("two")
    emulator.settle()

    gaps = [later.at - earlier.at for earlier, later in zip(receiver.got, receiver.got[1:], strict=False)]
    assert [form["Body"] for form in receiver.forms("onMessageAdded")] == ["one", "two"]
    assert gaps[0] >= 0.2


def _wait(seconds: float) -> bool:
    return not threading.Event().wait(seconds)


def test_a_refused_or_late_post_is_noted_and_not_repeated(emulator, receiver):
    receiver.answer = lambda request: (503, b"") if request.form["EventType"] != "onMessageAdded" else _late()
    emulator.inbound("hello")
    emulator.settle()

    outcomes = [(post["event_type"], post["status"], post["error"]) for post in emulator.webhooks()]
    assert outcomes == [
        ("onConversationAdded", 503, ""),
        ("onParticipantAdded", 503, ""),
        ("onMessageAdded", 0, "timeout"),
    ]


def _late() -> tuple[int, bytes]:
    _wait(0.8)
    return 204, b""


def test_a_services_own_webhook_silences_the_global_one(emulator, receiver, twilio):
    service = twilio.conversations.v1.services.create(friendly_name="Second")
    twilio.conversations.v1.services(service.sid).configuration.webhooks().update(
        post_webhook_url=f"{PUBLIC_URL}/service", filters=["onMessageAdded"], method="POST"
    )
    emulator.inbound("hello", service_sid=service.sid)
    emulator.settle()

    assert [(got.path, got.form["EventType"], got.signed) for got in receiver.got] == [
        ("/service", "onMessageAdded", True)
    ]


def test_a_conversations_webhook_is_added_to_the_global_one_and_can_replay(emulator, receiver, conversation):
    conversation.webhooks.create(
        target="webhook",
        configuration_url=f"{PUBLIC_URL}/scoped",
        configuration_method="post",
        configuration_filters=["onMessageAdded"],
        configuration_replay_after=-1,
    )
    emulator.inbound("again")
    emulator.settle()

    assert sorted((got.path, got.form["Body"]) for got in receiver.got) == [
        (PATH, "again"),
        ("/scoped", "again"),
        ("/scoped", "hello"),
    ]


def test_a_trigger_fires_on_its_keyword_only(emulator, receiver, conversation):
    conversation.webhooks.create(
        target="trigger", configuration_url=f"{PUBLIC_URL}/trigger", configuration_triggers=["refund"]
    )
    emulator.inbound("hello")
    emulator.inbound("I want a REFUND")
    emulator.settle()

    assert [got.form["Body"] for got in receiver.got if got.path == "/trigger"] == ["I want a REFUND"]


def test_events_outside_the_filters_do_not_fire(emulator, receiver, twilio):
    twilio.conversations.v1.configuration.webhooks().update(filters=["onParticipantAdded"])
    emulator.inbound("hello")
    emulator.settle()

    assert receiver.events() == ["onParticipantAdded"]


def test_timers_close_the_conversation_and_the_next_message_opens_another(emulator, receiver, conversation):
    conversation.update(timers_inactive="PT1M", timers_closed="PT10M")
    emulator.advance(61)
    emulator.advance(600)
    later = emulator.inbound("me again")
    emulator.settle()

    changes = [
        (form["StateFrom"], form["StateTo"], form["Reason"]) for form in receiver.forms("onConversationStateUpdated")
    ]
    assert changes == [("active", "inactive", "TIMER"), ("inactive", "closed", "TIMER")]
    assert later["conversation_sid"] != conversation.fetch().sid


def test_a_message_wakes_an_inactive_conversation(emulator, receiver, conversation):
    conversation.update(state="inactive")
    emulator.inbound("me again")
    emulator.settle()

    assert conversation.fetch().state == "active"
    assert receiver.forms("onConversationStateUpdated")[0]["Reason"] == "EVENT"


def test_removals_are_told_with_their_date(emulator, receiver, twilio, conversation):
    # The SDK's own delete() takes x_twilio_webhook_enabled but loses it (9.13.0), so the requests are made bare.
    header = {"X-Twilio-Webhook-Enabled": "true"}
    twilio.request("DELETE", conversation.participants.list()[0].url, headers=dict(header))
    twilio.request("DELETE", conversation.fetch().url, headers=dict(header))
    emulator.settle()

    assert receiver.events() == ["onParticipantRemoved", "onConversationRemoved"]
    assert [("DateRemoved" in form) for form in receiver.forms()] == [True, True]


def test_a_pre_action_webhook_can_change_a_message(emulator, receiver, twilio, conversation):
    twilio.conversations.v1.configuration.webhooks().update(pre_webhook_url=f"{PUBLIC_URL}/pre")
    changed = json.dumps({"body": "[masked]", "attributes": '{"masked":true}'}).encode()
    receiver.answer = lambda request: (200, changed) if request.path == "/pre" else (204, b"")
    emulator.inbound("my card is 4111")
    emulator.settle()

    asked, told = receiver.forms("onMessageAdd")[0], receiver.forms("onMessageAdded")[0]
    assert asked["Body"] == "my card is 4111"
    assert not {"MessageSid", "Index", "DateCreated"} & set(asked)
    assert (told["Body"], told["Attributes"]) == ("[masked]", '{"masked":true}')


def test_a_pre_action_webhook_that_refuses_stops_the_message(emulator, receiver, twilio, conversation):
    twilio.conversations.v1.configuration.webhooks().update(pre_webhook_url=f"{PUBLIC_URL}/pre")
    receiver.answer = lambda request: (403, b"")

    with pytest.raises(TwilioRestException) as refusal:
        conversation.messages.create(body="hi", x_twilio_webhook_enabled="true")

    assert refusal.value.code == 50056
    assert [message["body"] for message in emulator.messages()] == ["hello"]


def test_a_pre_action_webhook_that_does_not_answer_lets_the_message_through(emulator, receiver, twilio, conversation):
    twilio.conversations.v1.configuration.webhooks().update(pre_webhook_url=f"{PUBLIC_URL}/pre")
    receiver.answer = lambda request: _late() if request.path == "/pre" else (204, b"")
    emulator.inbound("me again")
    emulator.settle()

    assert receiver.forms("onMessageAdded")[0]["Body"] == "me again"


def test_autocreation_asks_only_about_the_conversation(emulator, receiver, twilio):
    twilio.conversations.v1.configuration.webhooks().update(pre_webhook_url=f"{PUBLIC_URL}/pre")
    receiver.answer = lambda request: (200, b"{}")
    emulator.inbound("hello")
    emulator.settle()

    question = receiver.got[0].form
    assert receiver.events() == ["onConversationAdd", "onConversationAdded", "onParticipantAdded", "onMessageAdded"]
    assert (question["MessageBody"], question["MessagingBinding.Address"]) == ("hello", CUSTOMER)
    assert "ConversationSid" not in question


def test_with_address_configurations_only_those_addresses_create(emulator, receiver, twilio):
    twilio.conversations.v1.address_configurations.create(
        type="sms",
        address=NUMBER,
        auto_creation_enabled=True,
        auto_creation_type="webhook",
        auto_creation_webhook_url=f"{PUBLIC_URL}/address",
        auto_creation_webhook_method="post",
        auto_creation_webhook_filters=["onMessageAdded"],
    )
    emulator.inbound("hello")
    with pytest.raises(RuntimeError, match="autocreation is off"):
        emulator.inbound("hello", to="+15550100098")
    emulator.settle()

    assert sorted(got.path for got in receiver.got if got.form["EventType"] == "onMessageAdded") == [
        "/address",
        PATH,
    ]


def test_any_form_can_be_signed_and_posted_as_it_is(emulator, receiver):
    receiver.answer = lambda request: (418, b"short and stout")
    answer = emulator.post({"EventType": "onSomethingNew", "Empty": "", "Text": " ü + "})

    assert (answer["status"], answer["body"]) == (418, "short and stout")
    assert receiver.got[0].signed
    assert receiver.got[0].form == {"EventType": "onSomethingNew", "Empty": "", "Text": " ü + "}


def test_nothing_but_loopback_is_ever_called(emulator, twilio):
    twilio.conversations.v1.configuration.webhooks().update(post_webhook_url="https://elsewhere.example.org/hook")
    emulator.inbound("hello")
    emulator.settle()

    assert {post["error"] for post in emulator.webhooks()} == {
        "ValueError: not a loopback address: the emulator calls nothing else"
    }


def test_without_a_public_url_the_loopback_url_is_signed(emulator, receiver):
    plain = Receiver(public_url="")
    plain._public_url = plain.origin
    emulator.point_at(plain.url)
    emulator.inbound("hello")
    emulator.settle()
    plain.close()

    assert [got.signed for got in plain.got] == [True, True, True]
    assert AUTH_TOKEN not in json.dumps([got.form for got in plain.got])
