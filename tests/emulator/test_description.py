"""Every answer of the emulator, operation by operation, held against Twilio's own OpenAPI description."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from twilio.rest import Client

from app.emulator.client import Emulator

CUSTOMER = "+15550100001"
NUMBER = "+15550100099"
DESCRIPTION = Path(__file__).parents[3] / "shared" / "twilio-oai" / "twilio_conversations_v1.json"

NOT_EMULATED = ("/Credentials", "/Bindings", "/Notifications")


def exercise(emulator: Emulator, twilio: Client) -> None:
    """Call every operation that the emulator knows, once or more, with and without a service."""
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


def described_operations(description: dict[str, Any]) -> dict[tuple[str, str], tuple[re.Pattern[str], Any]]:
    """Return (method, path) -> (URL pattern, responses) for every operation we claim to know."""
    operations = {}
    for path, item in description["paths"].items():
        for method in {"get", "post", "delete"} & set(item):
            if not any(name in path for name in NOT_EMULATED):
                pattern = re.compile(re.sub(r"\{[^}]+\}", "[^/?]+", path) + r"(\?.*)?")
                operations[method.upper(), path] = (pattern, item[method]["responses"])
    return operations


def faults_in(description: dict[str, Any], schema: dict[str, Any], value: Any, where: str) -> list[str]:
    """Return what in a document differs from its schema: absent or unknown properties, types, formats."""
    if "$ref" in schema:
        schema = description["components"]["schemas"][schema["$ref"].rsplit("/", 1)[-1]]
    if value is None:
        return [] if schema.get("nullable") or "enum" in schema else [f"{where} is null"]
    known: dict[str, type | tuple[type, ...]] = {
        "string": str,
        "integer": int,
        "boolean": bool,
        "array": list,
        "object": dict,
    }
    faults = [] if isinstance(value, known.get(schema.get("type", ""), object)) else [f"{where} has a wrong type"]
    if "enum" in schema and value not in schema["enum"]:
        faults.append(f"{where} is {value!r}")
    if "pattern" in schema and not re.fullmatch(schema["pattern"], str(value)):
        faults.append(f"{where} does not match {schema['pattern']}")
    if schema.get("format") == "date-time" and not re.fullmatch(r"[-\d]{10}T[\d:]{8}Z", str(value)):
        faults.append(f"{where} is no date of Twilio's form")
    properties = schema.get("properties", {})
    if properties and isinstance(value, dict):
        faults += [f"{where}.{name} is absent" for name in set(properties) - set(value)]
        faults += [f"{where}.{name} is unknown" for name in set(value) - set(properties)]
        for name in set(properties) & set(value):
            faults += faults_in(description, properties[name], value[name], f"{where}.{name}")
    if isinstance(value, list):
        for item in value:
            faults += faults_in(description, schema.get("items", {}), item, f"{where}[]")
    return faults


def test_every_answer_matches_twilios_own_description(emulator, twilio):
    if not DESCRIPTION.exists():
        pytest.skip("Twilio's OpenAPI description is not part of this checkout")
    description = json.loads(DESCRIPTION.read_text())
    exercise(emulator, twilio)
    operations = described_operations(description)
    faults, seen = [], set()

    for method, url, status, text in twilio.http_client.documents:
        for (described_method, path), (pattern, responses) in operations.items():
            if method == described_method and pattern.fullmatch(url.removeprefix("https://conversations.twilio.com")):
                seen.add((method, path))
                if str(status) not in responses:
                    faults.append(f"{method} {path} answered {status}: {text}")
                elif text:
                    schema = responses[str(status)]["content"]["application/json"]["schema"]
                    faults += faults_in(description, schema, json.loads(text), f"{method} {path}")

    assert sorted(set(faults)) == []
    assert set(operations) - seen == set()
