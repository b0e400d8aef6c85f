"""The emulator's REST API, driven by the unmodified SDK and held against Twilio's own description."""

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from twilio.base.exceptions import TwilioException, TwilioRestException
from twilio.rest import Client

from app.emulator.client import Emulator
from tests.emulator_receiver import ACCOUNT_SID, AUTH_TOKEN, sdk_client

CUSTOMER = "+15550100001"
NUMBER = "+15550100099"
ROOT = Path(__file__).parents[1]
DESCRIPTION = ROOT.parent / "shared" / "twilio-oai" / "twilio_conversations_v1.json"


@pytest.fixture(scope="module")
def running() -> Iterator[Emulator]:
    with Emulator.start(receipt_delay=0.01, seed=7) as emulator:
        yield emulator


@pytest.fixture
def emulator(running: Emulator) -> Emulator:
    running.reset()
    return running


@pytest.fixture
def twilio(emulator: Emulator) -> Client:
    return sdk_client(emulator.url)


@pytest.fixture
def conversation(twilio: Client):
    return twilio.conversations.v1.conversations.create(friendly_name="Support")


def refusal_of(call: Any, *args: Any, **more: Any) -> tuple[int, int]:
    """Return HTTP status and Twilio's code of a call that must be refused."""
    with pytest.raises(TwilioRestException) as refusal:
        call(*args, **more)
    return refusal.value.status, refusal.value.code


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
    answer = requests.post(url, form, auth=(ACCOUNT_SID, AUTH_TOKEN), timeout=5)

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
    assert (before.filters, before.post_webhook_url) == (None, None)
    assert (after.filters, after.post_webhook_url) == (["onMessageAdded"], "http://127.0.0.1:9/x")


def test_a_number_is_found_in_its_conversations(emulator, twilio):
    answer = emulator.inbound("hello")
    found = twilio.conversations.v1.participant_conversations.list(address=CUSTOMER)

    assert [it.conversation_sid for it in found] == [answer["conversation_sid"]]
    assert found[0].participant_messaging_binding["proxy_address"] == NUMBER


def test_conversations_are_not_searched_by_address_and_identity_at_once(twilio):
    with pytest.raises(TwilioException, match="50451"):
        twilio.conversations.v1.participant_conversations.list(address=CUSTOMER, identity="alice")


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
    stored = requests.post(url, b"\x89PNG..", auth=auth, headers=header, params={"Filename": "a.png"}, timeout=5).json()
    message = conversation.messages.create(author="support-bot", media_sid=stored["sid"])

    shown = requests.get(f"{url}/{stored['sid']}", auth=auth, timeout=5).json()
    content = requests.get(emulator.url + shown["links"]["content"], auth=auth, timeout=5)
    public = requests.get(shown["links"]["content_direct_temporary"], timeout=5)
    assert (content.content, content.headers["Content-Type"]) == (b"\x89PNG..", "image/png")
    assert public.content == b"\x89PNG.."
    assert message.media == [{"sid": stored["sid"], "size": 6, "content_type": "image/png", "filename": "a.png"}]
    assert refusal_of(conversation.messages.create, media_sid=stored["sid"]) == (400, 50508)
    assert refusal_of(conversation.messages.create, media_sid="ME" + "0" * 32) == (400, 50507)


def test_users_and_roles_are_kept(twilio):
    role = twilio.conversations.v1.roles.create(friendly_name="agent", type="conversation", permission=["sendMessage"])
    twilio.conversations.v1.users.create(identity="alice", role_sid=role.sid, friendly_name="Alice")
    user = twilio.conversations.v1.users("alice").update(attributes='{"shift":"early"}')

    assert (user.friendly_name, user.role_sid, user.attributes) == ("Alice", role.sid, '{"shift":"early"}')
    assert "agent" in [it.friendly_name for it in twilio.conversations.v1.roles.list()]


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

    assert refusal_of(conversation.participants.create, **pair) == (400, 50418)


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
    assert refusal_of(conversation.webhooks.create, target="webhook", **settings) == (400, 50361)


@pytest.mark.parametrize(
    ("user", "secret"),
    [
        pytest.param(ACCOUNT_SID, "wrong", id="wrong token"),
        pytest.param("SK" + "0" * 32, "", id="key without secret"),
        pytest.param("someone", AUTH_TOKEN, id="neither account nor key"),
    ],
)
def test_without_credentials_there_is_a_401(emulator, user, secret):
    answer = requests.get(f"{emulator.url}/v1/Conversations", auth=(user, secret), timeout=5)

    assert (answer.status_code, answer.json()["code"]) == (401, 20003)
    assert answer.json()["more_info"] == "https://www.twilio.com/docs/errors/20003"


def test_an_api_key_is_accepted(emulator):
    client = sdk_client(emulator.url, user="SK" + "0" * 32, secret="anything")

    assert client.conversations.v1.conversations.list() == []


def test_a_missing_conversation_is_told_by_50350_below_and_20404_itself(twilio):
    missing = twilio.conversations.v1.conversations("CH" + "0" * 32)

    assert refusal_of(missing.fetch) == (404, 20404)
    assert refusal_of(missing.messages.create, body="hi") == (404, 50350)


def test_a_thousand_conversations_are_quickly_made(emulator, twilio):
    started = time.monotonic()
    for number in range(1000):
        twilio.conversations.v1.conversations.create(friendly_name=str(number))

    assert len(twilio.conversations.v1.conversations.list(page_size=100)) == 1000
    assert time.monotonic() - started < 20


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_a_signal_ends_it_cleanly(number):
    command = [sys.executable, "-m", "app.emulator", "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    ready = process.stdout.readline()
    process.send_signal(number)
    rest, errors = process.communicate(timeout=10)

    assert re.fullmatch(r"Emulator ready on http://127\.0\.0\.1:\d+\n", ready)
    assert (process.returncode, rest, errors) == (0, "", "")


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


NOT_EMULATED = ("/Credentials", "/Bindings", "/Notifications")


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
