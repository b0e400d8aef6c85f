"""Small things in which the emulator once differed from Twilio, each as Twilio does it."""

import pytest

from tests.support.webhook_receiver import PUBLIC_URL

CUSTOMER, NUMBER = "+15550100001", "+15550100099"
ASKED = ["onConversationAdd", "onConversationUpdate", "onMessageAdd"]


@pytest.fixture
def asks(twilio, receiver):
    """Let the account ask before a deed."""
    twilio.conversations.v1.configuration.webhooks().update(pre_webhook_url=f"{PUBLIC_URL}/pre", filters=ASKED)
    receiver.answer = lambda request: (200, b"{}")


def test_the_question_before_an_update_carries_the_wanted_state(asks, emulator, receiver, conversation):
    conversation.update(state="closed", x_twilio_webhook_enabled="true")

    assert [form["State"] for form in receiver.forms("onConversationUpdate")] == ["closed"]


def test_the_question_before_an_autocreation_has_no_friendly_name(asks, emulator, receiver, twilio):
    sid = emulator.inbound("hello", sender="+15550100055")["conversation_sid"]

    assert [form.get("FriendlyName") for form in receiver.forms("onConversationAdd")] == [None]
    assert twilio.conversations.v1.conversations(sid).fetch().friendly_name == "+15550100055"


def test_a_timers_state_event_has_no_messaging_service(emulator, receiver, conversation):
    conversation.update(timers_inactive="PT1M")
    emulator.advance(61)
    emulator.settle()
    conversation.update(state="active", x_twilio_webhook_enabled="true")
    emulator.settle()

    forms = receiver.forms("onConversationStateUpdated")
    assert [(form["Reason"], "MessagingServiceSid" in form) for form in forms] == [("TIMER", False), ("API", True)]


def test_a_get_webhook_leaves_colons_and_exclamation_marks_raw_in_its_query(emulator, receiver, twilio):
    twilio.conversations.v1.configuration.webhooks().update(method="GET")
    emulator.inbound("Hi! At 12:30, a+b?")
    emulator.settle()

    got = receiver.got[-1]
    assert "Body=Hi!+At+12:30%2C+a%2Bb%3F" in got.path
    assert (got.signed, got.form["Body"]) == (True, "Hi! At 12:30, a+b?")


def test_a_new_participant_wakes_an_inactive_conversation(emulator, receiver, conversation):
    conversation.update(state="inactive")
    conversation.participants.create(identity="ann")
    emulator.settle()

    assert conversation.fetch().state == "active"
    assert receiver.forms("onConversationStateUpdated")[-1]["Reason"] == "EVENT"


def test_a_message_through_rest_wakes_an_inactive_conversation(emulator, conversation):
    conversation.update(state="inactive")
    conversation.messages.create(author="support-bot", body="hi")

    assert conversation.fetch().state == "active"


def test_an_empty_friendly_name_clears_nothing(conversation, twilio):
    conversation.update(friendly_name="Support")
    conversation.update(friendly_name="")
    twilio.conversations.v1.users.create(identity="zoe", friendly_name="Zoe")
    user = twilio.conversations.v1.users("zoe").update(friendly_name="")

    assert (conversation.fetch().friendly_name, user.friendly_name) == ("Support", "Zoe")


def test_a_receipt_can_come_before_the_rest_answer(emulator, receiver, conversation):
    emulator.faults(early_receipt=1)
    message = conversation.messages.create(author="support-bot", body="hi")

    assert message.sid in [form["MessageSid"] for form in receiver.forms("onDeliveryUpdated")]


def test_without_a_phone_there_is_no_receipt_to_wait_for(emulator, twilio):
    emulator.faults(early_receipt=1)
    chat = twilio.conversations.v1.conversations.create()

    assert chat.messages.create(body="hi").body == "hi"
