"""Whole stories: a customer writes, a reply goes out through the SDK, receipts come back; and the silences."""

import json

import pytest
from sqlalchemy import select
from twilio.rest import Client

from app import memory
from app.conversations import _http_client
from app.tables import messages

THANKS = "Thanks, we will be right back."


@pytest.fixture
def settle(emulator, run_worker):
    """Let everything happen that is under way: replies, receipts and what we note of them."""

    def settled() -> None:
        run_worker()
        assert emulator.settle()
        run_worker()

    return settled


@pytest.fixture
def stored_message(app):
    """Return the stored message of a SID."""

    def read(message_sid):
        with app.extensions["parley"].db.read() as tx:
            return tx.execute(select(messages).where(messages.c.message_sid == message_sid)).one()

    return read


@pytest.fixture
def twilio(environ):
    """The unmodified SDK, pointed at the emulator."""
    client = Client(environ["TWILIO_ACCOUNT_SID"], environ["TWILIO_AUTH_TOKEN"])
    client.http_client = _http_client(environ["TWILIO_API_BASE_URL"])
    return client


@pytest.fixture
def reason(app):
    """Return why a message was or was not answered."""

    def read(message):
        with app.extensions["parley"].db.read() as tx:
            return memory.decision(tx, message["message_sid"]).reason

    return read


def test_an_inbound_message_gets_one_reply_and_its_delivery_is_logged(customer_writes, settle, emulator, flask_command):
    customer_writes("hello")
    settle()

    (delivery,) = json.loads(flask_command("deliveries", "list", "--json"))
    assert emulator.replies() == [THANKS]
    assert (delivery["status"], delivery["rule"]) == ("delivered", "default")


def test_a_whatsapp_delivery_is_logged_up_to_read(customer_writes, settle, flask_command):
    customer_writes("hello", channel="whatsapp")
    settle()

    (delivery,) = json.loads(flask_command("deliveries", "list", "--json"))
    history = json.loads(flask_command("deliveries", "show", delivery["message_sid"], "--json"))[0]["history"]
    assert [event["status"] for event in history] == ["sent", "delivered", "read"]


def test_the_first_rule_that_matches_answers(customer_writes, run_worker, emulator):
    customer_writes("Where is my ORDER?!")
    run_worker()

    assert emulator.replies() == ["Please send your order number."]


def test_our_own_reply_names_the_message_it_answers(customer_writes, run_worker, emulator):
    message = customer_writes("hello")
    run_worker()

    (reply,) = [one for one in emulator.messages() if one["author"] == "support-bot"]
    assert json.loads(reply["attributes"]) == {"parley": {"reply_to": message["message_sid"], "n": 0}}


def test_a_redelivered_webhook_gets_one_reply(customer_writes, settle, emulator):
    emulator.faults(duplicate=1.0)
    customer_writes("hello")
    settle()

    assert emulator.replies() == [THANKS]


def test_an_agents_message_silences_the_bot(customer_writes, settle, emulator, reason):
    first = customer_writes("hello")
    settle()
    emulator.chat(first["conversation_sid"], "support-agent", "Hi, this is Ann.")
    second = customer_writes("thank you")
    settle()

    assert emulator.replies() == [THANKS]
    assert reason(second).startswith("paused until")


def test_any_chat_identity_beside_an_sms_customer_is_an_agent(customer_writes, settle, emulator, reason):
    first = customer_writes("hello")
    settle()
    emulator.chat(first["conversation_sid"], "ann@example.com", "Hi, this is Ann.")
    second = customer_writes("thank you")
    settle()

    assert reason(second).startswith("paused until")


def test_the_pause_ends_by_itself(customer_writes, settle, emulator, clock):
    first = customer_writes("hello")
    settle()
    emulator.chat(first["conversation_sid"], "support-agent", "Hi, this is Ann.")
    assert emulator.settle()
    settle()
    clock.advance(31 * 60)
    customer_writes("anybody there?")
    settle()

    assert emulator.replies() == [THANKS, THANKS]


def test_an_agent_who_wrote_while_the_message_waited_is_not_interrupted(
    customer_writes, settle, emulator, flask_command
):
    message = customer_writes("hello")
    emulator.chat(message["conversation_sid"], "support-agent", "I am on it.")
    assert emulator.settle()
    settle()

    assert emulator.replies() == []
    outcomes = [event["outcome"] for event in json.loads(flask_command("inbox", "list", "--json"))]
    assert "rule default not sent: a human wrote in the meantime" in outcomes


def test_a_web_visitor_alone_in_a_chat_is_answered(webhooks_arrive, settle, emulator, twilio):
    conversation = twilio.conversations.v1.conversations.create(friendly_name="web chat").sid
    emulator.chat(conversation, "visitor-42", "hello")
    assert emulator.settle()
    settle()

    assert emulator.replies() == [THANKS]


def test_stop_silences_the_bot_for_that_number_until_start(customer_writes, settle, emulator, reason):
    customer_writes("hello")
    settle()
    customer_writes("STOP")
    settle()
    silent = customer_writes("hello again")
    settle()
    assert reason(silent) == "the recipient has opted out"

    customer_writes("START")
    customer_writes("hello at last")
    settle()
    assert emulator.replies() == [THANKS, THANKS]


def test_a_carrier_that_reports_an_opt_out_silences_the_bot(customer_writes, settle, emulator, reason):
    emulator.carrier("+15550100001", error_code=21610, status="undelivered")
    customer_writes("hello")
    settle()
    second = customer_writes("hello again")
    settle()

    assert reason(second) == "the recipient has opted out"


def test_a_failed_delivery_says_what_its_code_means(customer_writes, settle, emulator, flask_command):
    emulator.carrier("+15550100001", error_code=30005, status="undelivered")
    customer_writes("hello")
    settle()

    (delivery,) = json.loads(flask_command("deliveries", "list", "--json"))
    assert (delivery["status"], delivery["error_code"]) == ("undelivered", 30005)
    assert "unknown or no longer exists" in delivery["meaning"]
    assert delivery["detail"] == "REST: undelivered, code 30005"


def test_a_receipt_of_a_message_we_never_sent_is_kept(post_webhook, run_worker, flask_command):
    post_webhook("onDeliveryUpdated__sent")
    run_worker()

    (delivery,) = json.loads(flask_command("deliveries", "list", "--json"))
    assert (delivery["status"], delivery["rule"]) == ("sent", None)
    assert "not us" in flask_command("deliveries", "list")


@pytest.mark.parametrize("fault", [{"status": 404}, {"status": 500}], ids=["gone", "fault"])
def test_details_that_twilio_does_not_give_never_make_a_receipt_dead(
    post_webhook, run_worker, flask_command, emulator, fault
):
    emulator.faults(fail_next=[{**fault, "path_contains": "Receipts", "method": "GET"}])
    post_webhook("onDeliveryUpdated__failed")
    run_worker()

    (event,) = json.loads(flask_command("inbox", "list", "--json"))
    (delivery,) = json.loads(flask_command("deliveries", "list", "--json"))
    assert event["state"] == "processed"
    assert delivery["detail"].startswith("details not fetched:")


def test_an_old_message_is_stored_but_not_answered(post_webhook, run_worker, emulator, flask_command):
    post_webhook("onMessageAdded__sms_text", DateCreated="2025-09-17T22:23:11.350Z")
    run_worker()

    (event,) = json.loads(flask_command("inbox", "list", "--json"))
    assert emulator.replies() == []
    assert event["outcome"] == "no reply: the message is older than 1 h"


def test_a_closed_conversation_is_not_answered(customer_writes, settle, emulator, post_webhook, reason):
    message = customer_writes("hello")
    closed = {"ConversationSid": message["conversation_sid"], "StateTo": "closed"}
    post_webhook("onConversationStateUpdated__closed_by_timer", closed)
    settle()
    late = {"ConversationSid": message["conversation_sid"], "MessageSid": "IM" + "9" * 32}
    post_webhook("onMessageAdded__sms_text", late)
    settle()

    assert emulator.replies() == [THANKS]
    assert reason({"message_sid": "IM" + "9" * 32}) == "the conversation is closed"


def test_two_bots_cannot_talk_for_ever(customer_writes, settle, emulator, reason):
    for n in range(6):
        last = customer_writes(f"I am out of office {n}")
        settle()

    assert len(emulator.replies()) == 5
    assert reason(last) == "5 automatic replies within 10 min are enough"


def test_an_edited_message_is_updated_and_not_answered_again(post_webhook, run_worker, emulator, customer_writes):
    message = customer_writes("hello")
    run_worker()
    post_webhook("onMessageUpdated__body_edited", _of(message), Body="hello, edited")
    run_worker()

    assert emulator.replies() == [THANKS]
    assert emulator.messages()


def test_a_message_that_was_edited_before_it_arrived_keeps_the_edit(post_webhook, run_worker, stored_message):
    sids = {"MessageSid": "IM" + "7" * 32, "ConversationSid": "CH" + "7" * 32}
    post_webhook("onMessageUpdated__body_edited", sids, Body="edited", DateUpdated="2030-01-01T00:00:00.000Z")
    post_webhook("onMessageAdded__sms_text", sids, Body="first")
    run_worker()

    assert stored_message(sids["MessageSid"]).body == "edited"


def test_a_removed_message_is_marked_and_its_text_is_gone(post_webhook, run_worker, stored_message):
    sids = {"MessageSid": "IM" + "7" * 32, "ConversationSid": "CH" + "7" * 32}
    post_webhook("onMessageAdded__sms_text", sids, Body="a secret")
    post_webhook("onMessageRemoved__by_sdk", sids, DateRemoved="2030-01-01T00:00:00.000Z")
    run_worker()

    assert stored_message(sids["MessageSid"]).body == ""
    assert stored_message(sids["MessageSid"]).removed_at is not None


def test_an_unknown_event_is_kept_and_ignored_with_a_reason(post_webhook, run_worker, flask_command):
    assert post_webhook("onPollAnswered__unknown_type").status_code == 204
    run_worker()

    (event,) = json.loads(flask_command("inbox", "list", "--json"))
    assert (event["state"], event["outcome"]) == ("ignored", "nothing to do for onPollAnswered")


def _of(message):
    return {"MessageSid": message["message_sid"], "ConversationSid": message["conversation_sid"]}


def test_what_the_sdk_does_at_the_emulator_arrives_signed_and_in_order(
    webhooks_arrive, settle, emulator, twilio, flask_command
):
    told = {"x_twilio_webhook_enabled": "true"}
    conversation = twilio.conversations.v1.conversations.create(friendly_name="Support", **told)
    conversation.participants.create(
        messaging_binding_address="+15550100001", messaging_binding_proxy_address="+15550100099", **told
    )
    message = conversation.messages.create(author="desk", body="Your parcel is here.", **told)
    assert emulator.settle()
    settle()

    events = json.loads(flask_command("inbox", "list", "--json"))
    (delivery,) = json.loads(flask_command("deliveries", "list", "--json"))
    (receipt,) = message.delivery_receipts.list()
    assert [event["event_type"] for event in reversed(events)] == [
        "onConversationAdded",
        "onParticipantAdded",
        "onMessageAdded",
        "onDeliveryUpdated",
        "onDeliveryUpdated",
    ]
    assert (receipt.sid, receipt.status) == (delivery["delivery_receipt_sid"], delivery["status"])
    assert delivery["status"] == "delivered"
