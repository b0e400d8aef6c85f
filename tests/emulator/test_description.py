"""Every answer of the emulator, operation by operation, held against Twilio's own OpenAPI description."""

import pytest

from app.emulator.client import Emulator
from tests.emulator import coverage, description, exercise
from tests.support.webhook_receiver import sdk_client


@pytest.fixture
def described():
    if not description.DESCRIPTION.exists():
        pytest.skip("Twilio's OpenAPI description is not part of this checkout")
    return description.read()


@pytest.fixture
def exchanges(emulator, twilio):
    exercise.exercise(emulator, twilio)
    return twilio.http_client.documents


def test_every_operation_answers_as_twilio_describes_it(described, exchanges):
    answered, differences = description.compare(described, exchanges)

    assert differences == []
    assert set(description.described_operations(described)) - answered == set()
    assert len(answered) == 103


def test_the_document_says_what_was_counted(described, exchanges):
    counted = coverage.count(described, exchanges)
    document = coverage.DOCUMENT.read_text()

    assert "103 of 103 operations answer as Twilio describes them. 93 do what they do there;" in counted
    assert coverage.with_table(document, counted) == document


def test_an_answer_that_differs_is_found(described):
    url, operation = "https://conversations.twilio.com/v1/Roles", "POST /v1/Roles"
    answered, differences = description.compare(described, [("POST", url, 201, '{"sid": "XX1"}')])

    assert answered == set()
    assert f"{operation}.sid does not match ^RL[0-9a-fA-F]{{32}}$" in differences
    assert f"{operation}.permissions is absent" in differences


def test_push_settings_are_kept_and_a_chat_client_has_a_binding(emulator, twilio):
    v1 = twilio.conversations.v1
    service = v1.services(v1.configuration().fetch().default_chat_service_sid)
    emulator.chat("", "visitor", "hello")
    emulator.chat("", "visitor", "hello again")
    v1.credentials.create(type="apn", sandbox=True, private_key="secret")
    shown = service.configuration.notifications().update(new_message_enabled=True, new_message_template="${MESSAGE}")

    assert [it.identity for it in service.bindings.list()] == ["visitor"]
    assert service.bindings.list(identity=["nobody"]) == []
    assert [it.type for it in v1.credentials.list()] == ["apn"]
    assert shown.new_message["enabled"] is True
    assert shown.new_message["template"] == "${MESSAGE}"


def test_the_log_says_that_nothing_is_pushed(capfd):
    with Emulator.start() as emulator:
        sdk_client(emulator.url).conversations.v1.credentials.create(type="fcm")

    assert "emulator.never_pushes" in capfd.readouterr().err


def test_without_node_the_count_through_twilio_node_says_so(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(SystemExit, match="node and npm are needed"):
        coverage.through_node()
