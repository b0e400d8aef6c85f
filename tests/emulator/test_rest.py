"""The emulator's REST API, driven by the unmodified SDK: resources live from creation to deletion."""

import json
from typing import Any

import pytest
import requests
from twilio.rest import Client

from tests.support.webhook_receiver import (
    ACCOUNT_SID,
    AUTH_TOKEN,
    refusal_of,
)

CUSTOMER = "+15550100001"
NUMBER = "+15550100099"


@pytest.fixture
def conversation(twilio: Client):
    return twilio.conversations.v1.conversations.create(friendly_name="Support")


def test_a_conversation_lives_from_creation_to_deletion(twilio):
    conversations = twilio.conversations.v1.conversations
    created = conversations.create(friendly_name="Support", unique_name="order-1", attributes='{"vip":true}')
    fetched = conversations("order-1").fetch()
    updated = conversations(created.sid).update(friendly_name="Sales", state="inactive")
    conversations(created.sid).delete()

    assert (fetched.sid, fetched.attributes, fetched.state) == (created.sid, '{"vip":true}', "active")
    assert (updated.friendly_name, updated.state) == ("Sales", "inactive")
    assert refusal_of(conversations(created.sid).fetch) == (404, 20404)


def test_dates_are_read_by_the_sdk(conversation):
    assert conversation.date_created.tzinfo is not None
    assert conversation.fetch().date_updated >= conversation.date_created


def test_an_sms_participant_has_its_binding(conversation):
    participant = conversation.participants.create(
        messaging_binding_address=CUSTOMER, messaging_binding_proxy_address=NUMBER, attributes='{"a":1}'
    )

    assert participant.messaging_binding == {"type": "sms", "address": CUSTOMER, "proxy_address": NUMBER}
    assert (participant.identity, participant.attributes) == (None, '{"a":1}')


def test_a_chat_participant_is_found_by_identity_changed_and_removed(conversation):
    conversation.participants.create(identity="support-agent")
    participants = twilio_participants(conversation)
    changed = participants("support-agent").update(attributes='{"role":"agent"}', last_read_message_index=3)
    participants("support-agent").delete()

    assert (changed.identity, changed.messaging_binding) == ("support-agent", None)
    assert (changed.attributes, changed.last_read_message_index) == ('{"role":"agent"}', 3)
    assert conversation.participants.list() == []


def twilio_participants(conversation: Any) -> Any:
    return conversation._version.conversations(conversation.sid).participants


def test_messages_are_listed_both_ways_over_pages(emulator, conversation):
    for number in range(7):
        conversation.messages.create(author="support-bot", body=str(number))

    assert [it.body for it in conversation.messages.list(page_size=3)] == list("0123456")
    assert [it.body for it in conversation.messages.list(order="desc", page_size=3)] == list("6543210")
    assert [it.body for it in conversation.messages.list(order="desc", limit=2)] == ["6", "5"]


def test_a_message_added_meanwhile_does_not_shift_the_pages(conversation):
    for number in range(4):
        conversation.messages.create(body=str(number))
    first = conversation.messages.page(order="desc", page_size=2)
    conversation.messages.create(body="new")
    second = first.next_page()

    assert [it.body for it in first] == ["3", "2"]
    assert [it.body for it in second] == ["1", "0"]
    assert [it.body for it in second.previous_page()] == ["3", "2"]


def test_a_message_can_be_fetched_edited_and_deleted(twilio, conversation):
    message = conversation.messages.create(author="support-bot", body="helo", attributes='{"parley":1}')
    messages = twilio.conversations.v1.conversations(conversation.sid).messages
    edited = messages(message.sid).update(body="hello")
    messages(message.sid).delete()

    assert (message.index, message.author, message.attributes) == (0, "support-bot", '{"parley":1}')
    assert (edited.body, edited.attributes) == ("hello", '{"parley":1}')
    assert refusal_of(messages(message.sid).fetch) == (404, 20404)


def test_indexes_grow_and_are_not_reused(twilio, conversation):
    first = conversation.messages.create(body="one")
    twilio.conversations.v1.conversations(conversation.sid).messages(first.sid).delete()

    assert conversation.messages.create(body="two").index == 1


def test_the_author_is_system_unless_given_and_media_url_is_ignored(emulator, conversation):
    url = f"{emulator.url}/v1/Conversations/{conversation.sid}/Messages"
    form = {"Body": "hi", "MediaUrl": "https://example.com/cat.jpg"}
    answer = requests.post(url, form, auth=(ACCOUNT_SID, AUTH_TOKEN), timeout=60)

    assert answer.status_code == 201
    assert (answer.json()["author"], answer.json()["media"]) == ("system", None)


def test_a_content_sid_wins_over_the_body(conversation):
    sid = "HX00000000000000000000000000000001"
    message = conversation.messages.create(body="ignored", content_sid=sid)

    assert (message.body, message.content_sid) == (None, sid)


def test_receipts_are_listed_and_summed_up(emulator, twilio, conversation):
    for address in (CUSTOMER, "+15550100002"):
        conversation.participants.create(messaging_binding_address=address, messaging_binding_proxy_address=NUMBER)
    emulator.carrier("+15550100002", error_code=30005, status="failed")
    message = conversation.messages.create(author="support-bot", body="hi")
    emulator.settle()
    context = twilio.conversations.v1.conversations(conversation.sid).messages(message.sid)

    receipts = context.delivery_receipts.list()
    assert sorted((it.status, it.error_code) for it in receipts) == [("delivered", 0), ("failed", 30005)]
    assert context.delivery_receipts(receipts[0].sid).fetch().sid == receipts[0].sid
    assert context.fetch().delivery == {
        "total": 2,
        "sent": "some",
        "delivered": "some",
        "read": "none",
        "failed": "some",
        "undelivered": "none",
    }


def test_services_are_separate_worlds(twilio):
    service = twilio.conversations.v1.services.create(friendly_name="Second")
    inside = twilio.conversations.v1.services(service.sid).conversations.create(unique_name="order-1")
    twilio.conversations.v1.conversations.create(unique_name="order-1")

    assert inside.chat_service_sid == service.sid
    assert f"/Services/{service.sid}/" in inside.url
    assert len(twilio.conversations.v1.services(service.sid).conversations.list()) == 1
    assert refusal_of(twilio.conversations.v1.conversations(inside.sid).fetch) == (404, 20404)


def test_the_default_service_is_reached_both_ways(twilio, conversation):
    default_sid = twilio.conversations.v1.configuration().fetch().default_chat_service_sid
    message = twilio.conversations.v1.services(default_sid).conversations(conversation.sid).messages.create(body="hi")

    assert [it.sid for it in conversation.messages.list()] == [message.sid]


def test_webhook_configurations_keep_what_they_are_given(twilio):
    settings = {"filters": ["onMessageAdded"], "method": "POST", "post_webhook_url": "http://127.0.0.1:9/x"}
    twilio.conversations.v1.configuration.webhooks().update(**settings)
    service = twilio.conversations.v1.services.create(friendly_name="Second")
    configuration = twilio.conversations.v1.services(service.sid).configuration
    before = configuration.webhooks().fetch()
    after = configuration.webhooks().update(**settings)

    shown = twilio.conversations.v1.configuration.webhooks().fetch()
    assert (shown.filters, shown.method, shown.post_webhook_url) == tuple(settings.values())
    assert (before.filters, before.post_webhook_url) == ([], None)
    assert (after.filters, after.post_webhook_url) == (["onMessageAdded"], "http://127.0.0.1:9/x")


def test_a_number_is_found_in_its_conversations(emulator, twilio):
    answer = emulator.inbound("hello")
    found = twilio.conversations.v1.participant_conversations.list(address=CUSTOMER)

    assert [it.conversation_sid for it in found] == [answer["conversation_sid"]]
    assert found[0].participant_messaging_binding["proxy_address"] == NUMBER


def test_a_group_is_created_with_its_participants(twilio):
    members = [{"messaging_binding": {"address": "+15550100001"}}, {"messaging_binding": {"address": "+15550100002"}}]
    ours = {"identity": "desk", "messaging_binding": {"projected_address": NUMBER}}
    created = twilio.conversations.v1.conversation_with_participants.create(
        friendly_name="Group", participant=[json.dumps(member) for member in [*members, ours]]
    )
    conversation = twilio.conversations.v1.conversations(created.sid)

    assert (created.state, conversation.fetch().state) == ("initializing", "active")
    assert len(conversation.participants.list()) == 3
    assert refusal_of(conversation.messages.create, author="stranger", body="hi") == (400, 50513)
    assert conversation.messages.create(author=NUMBER, body="hi").author == NUMBER


def test_media_goes_up_is_sent_once_and_comes_down(emulator, twilio, conversation):
    url = f"{emulator.url}/v1/Services/{conversation.chat_service_sid}/Media"
    auth = (ACCOUNT_SID, AUTH_TOKEN)
    header = {"Content-Type": "image/png"}
    stored = requests.post(
        url, b"\x89PNG..", auth=auth, headers=header, params={"Filename": "a.png"}, timeout=60
    ).json()
    message = conversation.messages.create(author="support-bot", media_sid=stored["sid"])

    shown = requests.get(f"{url}/{stored['sid']}", auth=auth, timeout=60).json()
    content = requests.get(emulator.url + shown["links"]["content"], auth=auth, timeout=60)
    public = requests.get(shown["links"]["content_direct_temporary"], timeout=60)
    assert (content.content, content.headers["Content-Type"]) == (b"\x89PNG..", "image/png")
    assert public.content == b"\x89PNG.."
    assert message.media == [{"sid": stored["sid"], "size": 6, "content_type": "image/png", "filename": "a.png"}]
    assert refusal_of(conversation.messages.create, media_sid=stored["sid"]) == (400, 50508)
    assert refusal_of(conversation.messages.create, media_sid="ME" + "0" * 32) == (400, 50507)


def test_a_temporary_link_refuses_other_credentials(emulator, conversation):
    url = f"{emulator.url}/v1/Services/{conversation.chat_service_sid}/Media"
    stored = requests.post(url, b"GIF89a", auth=(ACCOUNT_SID, AUTH_TOKEN), timeout=60).json()
    link = stored["links"]["content_direct_temporary"]

    assert requests.get(link, timeout=60).status_code == 200
    assert requests.get(link, auth=(ACCOUNT_SID, AUTH_TOKEN), timeout=60).status_code == 400


def test_users_and_roles_are_kept(twilio):
    role = twilio.conversations.v1.roles.create(friendly_name="agent", type="service", permission=["joinConversation"])
    twilio.conversations.v1.users.create(identity="alice", role_sid=role.sid, friendly_name="Alice")
    user = twilio.conversations.v1.users("alice").update(attributes='{"shift":"early"}')

    assert (user.friendly_name, user.role_sid, user.attributes) == ("Alice", role.sid, '{"shift":"early"}')
    assert "agent" in [it.friendly_name for it in twilio.conversations.v1.roles.list()]
