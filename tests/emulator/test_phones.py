"""A person with a phone or before a web chat: what is on the screen, and what looking at it does."""

import pytest

CUSTOMER, OTHER = "+15550100001", "+15550100002"
WHATSAPP = f"whatsapp:{CUSTOMER}"


def test_a_held_whatsapp_phone_reads_when_looked_at_and_not_before(emulator, receiver, twilio):
    emulator.look(WHATSAPP)
    sid = emulator.inbound("hello", channel="whatsapp")["conversation_sid"]
    twilio.conversations.v1.conversations(sid).messages.create(author="support-bot", body="hi")
    emulator.settle()
    before = [form["Status"] for form in receiver.forms("onDeliveryUpdated")]
    moved = emulator.look(WHATSAPP)
    emulator.settle()

    assert before == ["sent", "delivered"]
    assert moved == 1
    assert [form["Status"] for form in receiver.forms("onDeliveryUpdated")] == ["sent", "delivered", "read"]


def test_looking_twice_reads_once(emulator, receiver, twilio):
    emulator.look(WHATSAPP)
    sid = emulator.inbound("hello", channel="whatsapp")["conversation_sid"]
    twilio.conversations.v1.conversations(sid).messages.create(author="support-bot", body="hi")
    emulator.settle()

    assert [emulator.look(WHATSAPP), emulator.look(WHATSAPP)] == [1, 0]


def test_sms_knows_no_reading(emulator, receiver, conversation):
    conversation.messages.create(author="support-bot", body="hi")
    emulator.settle()

    assert emulator.look(CUSTOMER) == 0
    assert receiver.forms("onDeliveryUpdated")[-1]["Status"] == "delivered"


def test_a_visitor_who_looks_has_read_to_the_end(emulator, receiver):
    sid = emulator.chat("", "visitor", "hello")["conversation_sid"]
    emulator.chat(sid, "support-agent", "how can I help?")
    emulator.look("visitor")
    emulator.settle()

    assert receiver.forms("onParticipantUpdated")[-1]["LastReadMessageIndex"] == "1"


def test_a_web_chat_is_opened_once_for_each_visitor(emulator, receiver):
    first = emulator.chat("", "visitor", "hello")
    again = emulator.chat("", "visitor", "are you there?")
    other = emulator.chat("", "somebody else", "hello")
    emulator.settle()

    assert first["conversation_sid"] == again["conversation_sid"] != other["conversation_sid"]
    begun = {form["ClientIdentity"]: form["ConversationSid"] for form in receiver.forms("onConversationAdded")}
    assert begun == {"visitor": first["conversation_sid"], "somebody else": other["conversation_sid"]}
    assert len(receiver.forms("onConversationAdded")) == 2


def test_a_visitor_in_a_closed_web_chat_begins_a_new_one(emulator, twilio):
    sid = emulator.chat("", "visitor", "hello")["conversation_sid"]
    twilio.conversations.v1.conversations(sid).update(state="closed")

    assert emulator.chat("", "visitor", "once more")["conversation_sid"] != sid


def test_the_screen_shows_the_conversations_somebody_is_in_and_no_others(emulator, twilio):
    sid = emulator.inbound("mine")["conversation_sid"]
    emulator.inbound("not mine", sender=OTHER)
    twilio.conversations.v1.conversations(sid).messages.create(author="support-bot", body="an answer")

    assert [message["body"] for message in emulator.messages(participant=CUSTOMER)] == ["mine", "an answer"]


def test_carriers_are_shown_as_they_were_set(emulator):
    emulator.carrier(CUSTOMER, error_code=30003)
    emulator.carrier(OTHER, status="sent")
    emulator.carrier(OTHER)

    assert emulator.carriers() == {CUSTOMER: {"status": "undelivered", "error_code": 30003}}


@pytest.mark.parametrize("name", [CUSTOMER, "nobody"])
def test_who_is_in_no_conversation_sees_nothing(emulator, name):
    assert emulator.messages(participant=name) == []
    assert emulator.look(name) == 0
