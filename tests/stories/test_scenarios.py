"""Whole stories: a customer writes, a reply goes out through the SDK, receipts come back, and messages change."""

import json
import logging

import pytest
from sqlalchemy import select
from twilio.rest import Client

from app.db.tables import messages
from app.twilio_api.http_client import FencedHttpClient

THANKS = "Thanks, we will be right back."


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
    client.http_client = FencedHttpClient(
        environ["TWILIO_API_BASE_URL"], lambda _result: None, lambda _change: None, trust_environment=False
    )
    return client


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


def test_a_web_visitor_alone_in_a_chat_is_answered(webhooks_arrive, settle, emulator, twilio):
    conversation = twilio.conversations.v1.conversations.create(friendly_name="web chat").sid
    emulator.chat(conversation, "visitor-42", "hello")
    assert emulator.settle()
    settle()

    assert emulator.replies() == [THANKS]


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


@pytest.mark.parametrize(
    "faults",
    [
        {"fail_next": [{"status": 404, "path_contains": "Receipts", "method": "GET"}]},
        {"fail_next": [{"status": 500, "path_contains": "Receipts", "method": "GET"}]},
        {"cut_next": 1},
        pytest.param({"hang_next": 9.0}, marks=pytest.mark.slow),
    ],
    ids=["gone", "fault", "cut", "time-out"],
)
def test_details_that_twilio_does_not_give_never_make_a_receipt_dead(
    post_webhook, run_worker, flask_command, emulator, faults, caplog
):
    logging.getLogger("parley").addHandler(caplog.handler)
    emulator.faults(**faults)
    post_webhook("onDeliveryUpdated__failed")
    run_worker()

    (event,) = json.loads(flask_command("inbox", "list", "--json"))
    (delivery,) = json.loads(flask_command("deliveries", "list", "--json"))
    assert event["state"] == "processed"
    assert delivery["detail"].startswith("details not fetched:")
    (line,) = [one for one in caplog.records if one.name == "parley.deliveries"]
    assert (line.error_code, line.detail) == (delivery["error_code"], delivery["detail"])
    assert line.meaning
    assert "+1555" not in str(vars(line))


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
