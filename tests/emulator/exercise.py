"""Calls every operation that Twilio describes, through twilio-python, once or more, with and without a service."""

import json
from typing import Any

from twilio.rest import Client

from app.emulator.client import Emulator

CUSTOMER, NUMBER = "+15550100001", "+15550100099"


def exercise(emulator: Emulator, twilio: Client) -> None:
    """Call them all at an emulator that needs no set-up."""
    emulator.inbound("hello", channel="whatsapp", media=[{"content_type": "image/png", "filename": "a", "size": 3}])
    v1 = twilio.conversations.v1
    default = v1.services(v1.configuration().fetch().default_chat_service_sid)
    v1.configuration().update(default_inactive_timer="PT5M")
    for world in (v1, default):
        _exercise_conversation(emulator, world)
        _exercise_people(world)
    address = v1.address_configurations.create(type="sms", address=NUMBER, auto_creation_enabled=True)
    v1.address_configurations(address.sid).fetch()
    v1.address_configurations(address.sid).update(friendly_name="desk")
    v1.address_configurations.list()
    v1.address_configurations(address.sid).delete()
    for webhooks in (v1.configuration.webhooks(), default.configuration.webhooks()):
        webhooks.fetch()
        webhooks.update(post_webhook_url="http://127.0.0.1:9/x", filters=["onMessageAdded"])
    _exercise_push(emulator, v1, default)
    default.configuration().fetch()
    default.configuration().update(reachability_enabled=True)
    default.fetch()
    v1.services.list()
    v1.services(v1.services.create(friendly_name="Other").sid).delete()


def _exercise_conversation(emulator: Emulator, world: Any) -> None:
    sid = world.conversations.create(friendly_name="Support").sid
    conversation = world.conversations(sid)
    conversation.update(attributes="{}")
    conversation.fetch()
    world.conversations.list()
    phone = conversation.participants.create(messaging_binding_address=CUSTOMER, messaging_binding_proxy_address=NUMBER)
    conversation.participants(phone.sid).fetch()
    conversation.participants(phone.sid).update(last_read_message_index=0)
    conversation.participants.list()
    message = conversation.messages.create(author="support-bot", body="hi")
    conversation.messages.list()
    conversation.messages(message.sid).fetch()
    conversation.messages(message.sid).update(body="hello")
    emulator.settle()
    receipt = conversation.messages(message.sid).delivery_receipts.list()[0]
    conversation.messages(message.sid).delivery_receipts(receipt.sid).fetch()
    hook = conversation.webhooks.create(target="studio", configuration_flow_sid="FW" + "0" * 32)
    conversation.webhooks(hook.sid).fetch()
    conversation.webhooks(hook.sid).update(configuration_flow_sid="FW" + "1" * 32)
    conversation.webhooks.list()
    world.participant_conversations.list(address=CUSTOMER)
    conversation.webhooks(hook.sid).delete()
    conversation.messages(message.sid).delete()
    conversation.participants(phone.sid).delete()
    group = [json.dumps({"identity": name}) for name in ("ann", "ben", "eve")]
    world.conversation_with_participants.create(participant=group)
    user = world.users("ann")
    user.user_conversations.list()
    user.user_conversations(world.conversations.list(limit=100)[-1].sid).fetch()
    user.user_conversations(world.conversations.list(limit=100)[-1].sid).update(notification_level="muted")
    user.user_conversations(world.conversations.list(limit=100)[-1].sid).delete()
    conversation.delete()


def _exercise_people(world: Any) -> None:
    user = world.users.create(identity="zoe")
    world.users(user.sid).fetch()
    world.users(user.sid).update(friendly_name="Zoe")
    world.users.list()
    world.users(user.sid).delete()
    role = world.roles.create(friendly_name="agent", type="service", permission=["createConversation"])
    world.roles(role.sid).fetch()
    world.roles(role.sid).update(permission=["joinConversation"])
    world.roles.list()
    world.roles(role.sid).delete()


def _exercise_push(emulator: Emulator, v1: Any, default: Any) -> None:
    credential = v1.credentials.create(type="fcm", friendly_name="phones", secret="x")
    v1.credentials(credential.sid).fetch()
    v1.credentials(credential.sid).update(friendly_name="all phones")
    v1.credentials.list()
    v1.credentials(credential.sid).delete()
    emulator.chat("", "visitor", "hello")
    binding = default.bindings.list(identity=["visitor"])[0]
    default.bindings(binding.sid).fetch()
    default.bindings(binding.sid).delete()
    default.configuration.notifications().update(new_message_enabled=True, new_message_sound="ping")
    default.configuration.notifications().fetch()
