"""Where the emulator's webhooks go: scopes, filters, pre-action answers, autocreation by address."""

import json
import threading

import pytest
from twilio.base.exceptions import TwilioRestException

from tests.support.webhook_receiver import (
    AUTH_TOKEN,
    PATH,
    PUBLIC_URL,
    Receiver,
)

CUSTOMER = "+15550100001"
NUMBER = "+15550100099"
EVERY_EVENT = [
    f"on{thing}{ending}"
    for thing in ("Message", "Conversation", "Participant")
    for ending in ("Add", "Added", "Update", "Updated", "Remove", "Removed")
] + ["onConversationStateUpdated", "onDeliveryUpdated"]


def _wait(seconds: float) -> bool:
    return not threading.Event().wait(seconds)


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


def test_a_pre_action_webhook_can_change_a_message(emulator, receiver, twilio, conversation):
    twilio.conversations.v1.configuration.webhooks().update(pre_webhook_url=f"{PUBLIC_URL}/pre", filters=EVERY_EVENT)
    changed = json.dumps({"body": "[masked]", "attributes": '{"masked":true}'}).encode()
    receiver.answer = lambda request: (200, changed) if request.path == "/pre" else (204, b"")
    emulator.inbound("my card is 4111")
    emulator.settle()

    asked, told = receiver.forms("onMessageAdd")[0], receiver.forms("onMessageAdded")[0]
    assert asked["Body"] == "my card is 4111"
    assert not {"MessageSid", "Index", "DateCreated"} & set(asked)
    assert (told["Body"], told["Attributes"]) == ("[masked]", '{"masked":true}')


def test_a_pre_action_webhook_that_refuses_stops_the_message(emulator, receiver, twilio, conversation):
    twilio.conversations.v1.configuration.webhooks().update(pre_webhook_url=f"{PUBLIC_URL}/pre", filters=EVERY_EVENT)
    receiver.answer = lambda request: (403, b"")

    with pytest.raises(TwilioRestException) as refusal:
        conversation.messages.create(body="hi", x_twilio_webhook_enabled="true")

    assert refusal.value.code == 50056
    assert [message["body"] for message in emulator.messages()] == ["hello"]


def test_a_pre_action_webhook_that_does_not_answer_lets_the_message_through(emulator, receiver, twilio, conversation):
    twilio.conversations.v1.configuration.webhooks().update(pre_webhook_url=f"{PUBLIC_URL}/pre", filters=EVERY_EVENT)
    receiver.answer = lambda request: _late() if request.path == "/pre" else (204, b"")
    emulator.inbound("me again")
    emulator.settle()

    assert receiver.forms("onMessageAdded")[0]["Body"] == "me again"


def test_autocreation_asks_only_about_the_conversation(emulator, receiver, twilio):
    twilio.conversations.v1.configuration.webhooks().update(pre_webhook_url=f"{PUBLIC_URL}/pre", filters=EVERY_EVENT)
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


def test_nothing_but_loopback_is_ever_called(emulator, twilio):
    twilio.conversations.v1.configuration.webhooks().update(post_webhook_url="https://elsewhere.example.org/hook")
    emulator.inbound("hello")
    emulator.settle()

    assert {post["error"] for post in emulator.webhooks()} == {
        "ValueError: not a loopback address: the emulator calls nothing else"
    }


def test_without_a_public_url_the_loopback_url_is_signed(emulator, receiver):
    plain = Receiver(public_url="")
    plain.public_url = plain.origin
    emulator.point_at(plain.url)
    emulator.inbound("hello")
    emulator.settle()
    plain.close()

    assert [got.signed for got in plain.got] == [True, True, True]
    assert AUTH_TOKEN not in json.dumps([got.form for got in plain.got])
