"""A fresh account of the emulator does what one of Twilio does: nothing, until it is set up through REST."""

from collections.abc import Iterator

import pytest
import requests
from twilio.base.exceptions import TwilioRestException
from twilio.rest import Client

from app.emulator.client import Emulator
from tests.support.webhook_receiver import Receiver, sdk_client

CUSTOMER, NUMBER = "+15550100001", "+15550100099"


@pytest.fixture(scope="module")
def process() -> Iterator[Emulator]:
    with Emulator.start(receipt_delay=0.01) as emulator:
        yield emulator


@pytest.fixture
def fresh(process: Emulator) -> Emulator:
    process.reset()
    return process


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.fixture
def v1(fresh: Emulator):
    client: Client = sdk_client(fresh.url)
    return client.conversations.v1


def begin(v1, address: str = NUMBER, kind: str = "sms") -> None:
    v1.address_configurations.create(type=kind, address=address, auto_creation_enabled=True)


def test_an_inbound_without_an_address_configuration_is_lost_and_the_answer_says_what_to_do(fresh):
    with pytest.raises(RuntimeError, match=r"autocreation is off.*the message is lost.*flask addresses create"):
        fresh.inbound("hello")

    assert fresh.messages() == []


def test_the_log_says_that_an_inbound_was_lost(capfd):
    with Emulator.start() as emulator, pytest.raises(RuntimeError):
        emulator.inbound("a secret", sender=CUSTOMER)

    said = capfd.readouterr().err
    assert "emulator.message_lost" in said
    assert "AutoCreation.Enabled=true" in said
    assert not [private for private in ("a secret", CUSTOMER, NUMBER) if private in said]


def test_a_number_of_another_channel_begins_nothing(fresh, v1):
    begin(v1)

    assert fresh.inbound("hello")["index"] == 0
    with pytest.raises(RuntimeError, match="autocreation is off"):
        fresh.inbound("hello", channel="whatsapp")


def test_a_webhook_url_without_filters_fires_nothing(fresh, v1, receiver):
    begin(v1)
    shown = v1.configuration.webhooks().update(post_webhook_url=receiver.url, method="POST")
    fresh.inbound("hello")
    fresh.settle()

    assert shown.filters == []
    assert receiver.got == []


def test_the_log_says_once_that_filters_are_missing(receiver, capfd):
    with Emulator.start() as emulator:
        v1 = sdk_client(emulator.url).conversations.v1
        begin(v1)
        v1.configuration.webhooks().update(post_webhook_url=receiver.url)
        emulator.inbound("hello")

    assert capfd.readouterr().err.count("emulator.no_filters") == 1


def test_with_filters_the_same_account_tells_everything(fresh, v1, receiver):
    begin(v1)
    events = ["onConversationAdded", "onParticipantAdded", "onMessageAdded"]
    v1.configuration.webhooks().update(post_webhook_url=receiver.url, method="POST", filters=events)
    fresh.inbound("hello")
    fresh.settle()

    assert receiver.events() == events


def test_a_webhook_url_given_at_the_start_comes_with_all_post_events(receiver):
    with Emulator.start(webhook_url=receiver.url) as emulator:
        hooks = sdk_client(emulator.url).conversations.v1.configuration.webhooks().fetch()

    assert len(hooks.filters) == 13
    assert [name for name in hooks.filters if not name.endswith("ed")] == []


@pytest.mark.parametrize(
    ("path", "form"),
    [
        pytest.param("/Conversations", {}, id="conversations"),
        pytest.param("/Users", {"Identity": "user{number}"}, id="users"),
        pytest.param("/Roles", {"FriendlyName": "a", "Type": "service", "Permission": "joinConversation"}, id="roles"),
    ],
)
def test_a_service_takes_thirty_new_things_a_second(fresh, v1, path, form):
    codes = []
    for number in range(200):
        filled = {name: value.format(number=number) for name, value in form.items()}
        codes.append(
            v1.domain.twilio.http_client.request(
                "POST", f"https://conversations.twilio.com/v1{path}", data=filled, auth=v1.domain.twilio.auth
            ).status_code
        )
        if codes[-1] == 429:
            break

    assert codes.count(201) >= 30
    assert codes[-1] == 429


def test_updates_of_one_conversation_count_too_and_another_conversation_is_free(v1):
    busy, other = v1.conversations.create(), v1.conversations.create()
    with pytest.raises(TwilioRestException) as refusal:
        for number in range(200):
            busy.update(attributes=f'{{"n": {number}}}')

    assert (refusal.value.status, refusal.value.code) == (429, 50063)
    assert other.messages.create(body="hi").body == "hi"


def test_lenient_needs_no_set_up_and_has_no_limits(receiver):
    with Emulator.start(lenient=True, webhook_url=receiver.url) as emulator:
        conversations = sdk_client(emulator.url, user="AC" + "9" * 32).conversations.v1.conversations
        sid = emulator.inbound("hello")["conversation_sid"]
        for number in range(100):
            conversations(sid).update(attributes=f'{{"n": {number}}}')
        emulator.settle()

        assert receiver.events()[:3] == ["onConversationAdded", "onParticipantAdded", "onMessageAdded"]


def test_a_fresh_service_webhook_fits_the_description(v1):
    service = v1.services.create(friendly_name="Second")
    shown = v1.services(service.sid).configuration.webhooks().fetch()

    assert (shown.method, shown.filters, shown.post_webhook_url) == ("POST", [], None)


def test_every_service_begins_with_twilios_four_roles(v1):
    roles = {role.friendly_name: role for role in v1.roles.list()}

    assert sorted(roles) == ["channel admin", "channel user", "service admin", "service user"]
    assert "sendMediaMessage" in roles["channel user"].permissions
    assert "deleteConversation" in roles["channel admin"].permissions
    assert roles["service admin"].type == "service"


def test_a_media_store_wants_the_same_credentials(fresh, v1):
    service = v1.configuration().fetch().default_chat_service_sid
    answer = requests.post(
        f"{fresh.url}/v1/Services/{service}/Media", b"x", auth=("AC" + "9" * 32, "0123456789abcdef" * 2), timeout=60
    )

    assert answer.status_code == 401
