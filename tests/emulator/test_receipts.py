"""What becomes of messages the emulator sends to phones: receipts, opt-out, WhatsApp's window."""

import pytest

CUSTOMER = "+15550100001"
NUMBER = "+15550100099"


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


def test_who_wrote_stop_is_skipped_without_a_receipt_until_start(emulator, receiver, conversation):
    emulator.inbound("Stop")
    unheard = conversation.messages.create(author="support-bot", body="one")
    emulator.settle()
    emulator.inbound("START")
    conversation.messages.create(author="support-bot", body="two")
    emulator.settle()

    assert [form["Status"] for form in receiver.forms("onDeliveryUpdated")] == ["sent", "delivered"]
    assert conversation.messages(unheard.sid).delivery_receipts.list() == []
    assert conversation.messages(unheard.sid).fetch().delivery is None


def test_a_switch_tells_of_a_message_after_stop_with_21610(emulator, receiver, conversation):
    emulator.faults(receipt_after_stop=True)
    emulator.inbound("Stop")
    conversation.messages.create(author="support-bot", body="one")
    emulator.settle()
    emulator.inbound("START")
    conversation.messages.create(author="support-bot", body="two")
    emulator.settle()

    ends = [(form["Status"], form.get("ErrorCode")) for form in receiver.forms("onDeliveryUpdated")]
    assert ends == [("undelivered", "21610"), ("sent", None), ("delivered", None)]


def test_stop_by_whatsapp_is_an_ordinary_message_to_twilio(emulator, receiver, twilio):
    sid = emulator.inbound("STOP", channel="whatsapp")["conversation_sid"]
    twilio.conversations.v1.conversations(sid).messages.create(author="support-bot", body="hi")
    emulator.settle()

    assert receiver.forms("onDeliveryUpdated")[-1]["Status"] == "read"


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


def test_who_is_adopted_from_a_recording_has_an_open_whatsapp_window(emulator, receiver, twilio):
    recorded = {
        "ConversationSid": "CH" + "3" * 32,
        "MessageSid": "IM" + "4" * 32,
        "ParticipantSid": "MB" + "6" * 32,
        "Author": "whatsapp:+15550100001",
        "Source": "WHATSAPP",
        "Body": "hello",
    }
    sid = emulator.adopt(recorded)
    twilio.conversations.v1.conversations(sid).messages.create(author="support-bot", body="hi")
    emulator.settle()

    assert [got.form["Status"] for got in receiver.got] == ["sent", "delivered", "read"]
