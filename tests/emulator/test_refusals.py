"""What the emulator refuses, because Twilio would: with the same codes."""

import json

import pytest
import requests
from twilio.base.exceptions import TwilioException
from twilio.rest import Client

from tests.support.webhook_receiver import (
    ACCOUNT_SID,
    AUTH_TOKEN,
    refusal_of,
    sdk_client,
)

CUSTOMER = "+15550100001"
NUMBER = "+15550100099"


@pytest.fixture
def conversation(twilio: Client):
    return twilio.conversations.v1.conversations.create(friendly_name="Support")


def test_conversations_are_not_searched_by_address_and_identity_at_once(twilio):
    with pytest.raises(TwilioException, match="50451"):
        twilio.conversations.v1.participant_conversations.list(address=CUSTOMER, identity="alice")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        pytest.param({"identity": "a", "messaging_binding_address": CUSTOMER}, (400, 50211), id="identity and address"),
        pytest.param({"messaging_binding_address": "12"}, (400, 50407), id="bad address"),
        pytest.param(
            {"messaging_binding_address": CUSTOMER, "messaging_binding_proxy_address": "x"},
            (400, 50408),
            id="bad proxy",
        ),
        pytest.param(
            {"messaging_binding_address": CUSTOMER, "messaging_binding_proxy_address": CUSTOMER},
            (400, 50409),
            id="same",
        ),
        pytest.param(
            {"messaging_binding_address": CUSTOMER, "messaging_binding_proxy_address": f"whatsapp:{NUMBER}"},
            (400, 50414),
            id="channel mismatch",
        ),
        pytest.param({"identity": "a", "attributes": "{'no': 1}"}, (400, 50304), id="attributes not JSON"),
        pytest.param({"identity": "a", "attributes": json.dumps("x" * 4096)}, (400, 50304), id="attributes too long"),
        pytest.param({"identity": "i" * 257}, (400, 20001), id="identity too long"),
    ],
)
def test_a_participant_twilio_would_refuse_is_refused(conversation, arguments, expected):
    assert refusal_of(conversation.participants.create, **arguments) == expected


def test_an_address_pair_is_in_one_open_conversation_only(twilio, conversation):
    pair = {"messaging_binding_address": CUSTOMER, "messaging_binding_proxy_address": NUMBER}
    conversation.participants.create(**pair)
    other = twilio.conversations.v1.conversations.create()
    refused = refusal_of(other.participants.create, **pair)
    conversation.update(state="closed")

    assert refused == (409, 50416)
    assert other.participants.create(**pair).messaging_binding["address"] == CUSTOMER


def test_somebody_joins_once(conversation):
    conversation.participants.create(identity="alice")

    assert refusal_of(conversation.participants.create, identity="alice") == (409, 50433)


def test_fifty_phones_are_enough(conversation):
    for number in range(50):
        conversation.participants.create(
            messaging_binding_address=f"+155501002{number:02d}", messaging_binding_proxy_address=NUMBER
        )
    pair = {"messaging_binding_address": CUSTOMER, "messaging_binding_proxy_address": NUMBER}

    assert refusal_of(conversation.participants.create, **pair) == (403, 50418)


def test_ten_phones_are_enough_for_a_group_message(twilio):
    phones = [json.dumps({"messaging_binding": {"address": f"+1555010030{n}"}}) for n in range(9)]
    ours = json.dumps({"messaging_binding": {"projected_address": NUMBER}})
    made = twilio.conversations.v1.conversation_with_participants.create(participant=[*phones, ours])
    group = twilio.conversations.v1.conversations(made.sid)
    group.participants.create(messaging_binding_address="+15550100310")

    refused = refusal_of(group.participants.create, messaging_binding_address="+15550100311")
    assert refused == (403, 50436)


@pytest.mark.slow
def test_a_thousand_participants_are_enough(conversation):
    for number in range(1000):
        conversation.participants.create(identity=f"guest-{number}")

    assert refusal_of(conversation.participants.create, identity="one-too-many") == (403, 50417)


def test_a_closed_conversation_takes_no_writes(twilio, conversation):
    conversation.update(state="closed")

    assert refusal_of(conversation.messages.create, body="hi") == (400, 50377)
    assert refusal_of(conversation.participants.create, identity="alice") == (400, 50377)
    assert refusal_of(conversation.update, friendly_name="x") == (400, 50377)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        pytest.param({"timers_inactive": "PT2M"}, 50382, id="timer without state"),
        pytest.param({"state": "active", "timers_inactive": "PT30S"}, 50375, id="inactive too short"),
        pytest.param({"state": "active", "timers_closed": "PT9M"}, 50376, id="closed too short"),
        pytest.param({"state": "active", "timers_closed": "soon"}, 50376, id="no duration"),
        pytest.param({"state": "closed"}, 50384, id="born closed"),
        pytest.param({"attributes": json.dumps("x" * 16384)}, 50304, id="attributes too long"),
    ],
)
def test_a_conversation_twilio_would_refuse_is_refused(twilio, arguments, code):
    assert refusal_of(twilio.conversations.v1.conversations.create, **arguments) == (400, code)


def test_a_unique_name_is_unique(twilio):
    twilio.conversations.v1.conversations.create(unique_name="order-1")

    assert refusal_of(twilio.conversations.v1.conversations.create, unique_name="order-1") == (409, 50353)


@pytest.mark.parametrize(
    ("address", "length", "expected"),
    [
        pytest.param(CUSTOMER, 1601, (400, 50504), id="1,601 characters to a phone"),
        pytest.param("", 32769, (400, 50504), id="over 32 KB in chat"),
    ],
)
def test_a_body_that_is_too_long_is_refused(emulator, twilio, conversation, address, length, expected):
    phone = emulator.inbound("hello")["conversation_sid"]
    target = twilio.conversations.v1.conversations(phone if address else conversation.sid)

    assert refusal_of(target.messages.create, body="x" * length) == expected


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        pytest.param({"configuration_url": "http://127.0.0.1/x"}, 50370, id="no filters"),
        pytest.param(
            {"configuration_url": "http://127.0.0.1/" + "x" * 512, "configuration_filters": ["onMessageAdded"]},
            50372,
            id="URL too long",
        ),
        pytest.param({"target": "trigger", "configuration_url": "http://127.0.0.1/x"}, 50362, id="no triggers"),
        pytest.param(
            {"target": "trigger", "configuration_url": "http://127.0.0.1/x", "configuration_triggers": ["x" * 249]},
            50366,
            id="trigger too long",
        ),
    ],
)
def test_a_scoped_webhook_twilio_would_refuse_is_refused(conversation, arguments, code):
    assert refusal_of(conversation.webhooks.create, **({"target": "webhook"} | arguments)) == (400, code)


def test_a_conversation_has_five_webhooks_at_most(conversation):
    settings = {"configuration_url": "http://127.0.0.1:9/x", "configuration_filters": ["onMessageAdded"]}
    for _ in range(5):
        conversation.webhooks.create(target="webhook", **settings)

    assert len(conversation.webhooks.list()) == 5
    assert refusal_of(conversation.webhooks.create, target="webhook", **settings) == (403, 50361)


@pytest.mark.parametrize(
    ("user", "secret"),
    [
        pytest.param(ACCOUNT_SID, "wrong", id="wrong token"),
        pytest.param("SK" + "0" * 32, "", id="key without secret"),
        pytest.param("someone", AUTH_TOKEN, id="neither account nor key"),
    ],
)
def test_without_credentials_there_is_a_401(emulator, user, secret):
    answer = requests.get(f"{emulator.url}/v1/Conversations", auth=(user, secret), timeout=60)

    assert (answer.status_code, answer.json()["code"]) == (401, 20003)
    assert answer.json()["more_info"] == "https://www.twilio.com/docs/errors/20003"


def test_an_api_key_is_accepted(emulator):
    client = sdk_client(emulator.url, user="SK" + "0" * 32, secret="anything")

    assert client.conversations.v1.conversations.list() == []


def test_a_missing_conversation_is_told_by_50350_below_and_20404_itself(twilio):
    missing = twilio.conversations.v1.conversations("CH" + "0" * 32)

    assert refusal_of(missing.fetch) == (404, 20404)
    assert refusal_of(missing.messages.create, body="hi") == (404, 50350)


@pytest.mark.parametrize(
    "query",
    [
        pytest.param({"PageSize": "101"}, id="page size beyond the largest"),
        pytest.param({"PageSize": "many"}, id="page size no number"),
        pytest.param({"Page": "x"}, id="page no number"),
        pytest.param({"PageToken": "abc"}, id="foreign token"),
        pytest.param({"Order": "random"}, id="unknown order"),
    ],
)
def test_a_list_twilio_could_not_page_is_refused(emulator, conversation, query):
    url = f"{emulator.url}/v1/Conversations/{conversation.sid}/Messages"
    answer = requests.get(url, query, auth=(ACCOUNT_SID, AUTH_TOKEN), timeout=60)

    assert (answer.status_code, answer.json()["code"]) == (400, 20001)
