"""Every webhook becomes a typed event, with each parameter where its name says."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.twilio_api import events, parsing
from app.twilio_api import form as form_module
from app.twilio_api.form import Media
from tests.support import webhook_fixtures

SAMPLES = Path(__file__).parents[3] / "shared" / "samples"
SAMPLE_FILES = sorted(SAMPLES.glob("*.json"))


def moment(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%f%z")


def attachments(text: str) -> tuple[Media, ...]:
    return tuple(Media(item["Sid"], item["ContentType"], item["Filename"], item["Size"]) for item in json.loads(text))


ATTRIBUTES = {
    "AccountSid": ("account_sid", str),
    "Attributes": ("attributes", json.loads),
    "Author": ("author", str),
    "Body": ("body", str),
    "ChannelMessageSid": ("channel_message_sid", str),
    "ChatServiceSid": ("chat_service_sid", str),
    "ClientIdentity": ("client_identity", str),
    "ConversationSid": ("conversation_sid", str),
    "DateCreated": ("date_created", moment),
    "DateRemoved": ("date_removed", moment),
    "DateUpdated": ("date_updated", moment),
    "DeliveryReceiptSid": ("delivery_receipt_sid", str),
    "ErrorCode": ("error_code", int),
    "FriendlyName": ("friendly_name", str),
    "Identity": ("identity", str),
    "Index": ("index", int),
    "LastReadMessageIndex": ("last_read_message_index", int),
    "Media": ("media", attachments),
    "MessageBody": ("message_body", str),
    "MessageSid": ("message_sid", str),
    "MessagingBinding.Address": ("messaging_binding_address", str),
    "MessagingBinding.AuthorAddress": ("messaging_binding_author_address", str),
    "MessagingBinding.ProjectedAddress": ("messaging_binding_projected_address", str),
    "MessagingBinding.ProxyAddress": ("messaging_binding_proxy_address", str),
    "MessagingBinding.Type": ("messaging_binding_type", str),
    "MessagingServiceSid": ("messaging_service_sid", str),
    "ParticipantSid": ("participant_sid", str),
    "Reason": ("reason", str),
    "RetryCount": ("retry_count", int),
    "RoleSid": ("role_sid", str),
    "Source": ("source", str),
    "State": ("state", str),
    "StateFrom": ("state_from", str),
    "StateTo": ("state_to", str),
    "StateUpdated": ("state_updated", moment),
    "Status": ("status", str),
    "UniqueName": ("unique_name", str),
    "UserSid": ("user_sid", str),
    "isNotifiable": ("is_notifiable", json.loads),
    "isOnline": ("is_online", json.loads),
}

CLASSES = {
    "onMessageAdd": events.MessageAdd,
    "onMessageAdded": events.MessageAdded,
    "onMessageUpdate": events.MessageUpdate,
    "onMessageUpdated": events.MessageUpdated,
    "onMessageRemove": events.MessageRemove,
    "onMessageRemoved": events.MessageRemoved,
    "onConversationAdd": events.ConversationAdd,
    "onConversationAdded": events.ConversationAdded,
    "onConversationUpdate": events.ConversationUpdate,
    "onConversationUpdated": events.ConversationUpdated,
    "onConversationRemove": events.ConversationRemove,
    "onConversationRemoved": events.ConversationRemoved,
    "onConversationStateUpdated": events.ConversationStateUpdated,
    "onParticipantAdd": events.ParticipantAdd,
    "onParticipantAdded": events.ParticipantAdded,
    "onParticipantUpdate": events.ParticipantUpdate,
    "onParticipantUpdated": events.ParticipantUpdated,
    "onParticipantRemove": events.ParticipantRemove,
    "onParticipantRemoved": events.ParticipantRemoved,
    "onUserAdded": events.UserAdded,
    "onUserUpdate": events.UserUpdate,
    "onUserUpdated": events.UserUpdated,
    "onDeliveryUpdated": events.DeliveryUpdated,
}
PRE_ACTIONS = [
    "onMessageAdd",
    "onMessageUpdate",
    "onMessageRemove",
    "onConversationAdd",
    "onConversationUpdate",
    "onConversationRemove",
    "onParticipantAdd",
    "onParticipantUpdate",
    "onParticipantRemove",
    "onUserUpdate",
]


def event_of(name: str) -> events.Event:
    request = webhook_fixtures.load(name)
    return parsing.parse(form_module.read_form(request.method, request.target, request.body))


def as_attributes(form: dict[str, str]) -> dict[str, object]:
    """Return what the typed event must hold, read with the standard library instead of our parser."""
    known = {name: value for name, value in form.items() if name in ATTRIBUTES}
    return {ATTRIBUTES[name][0]: ATTRIBUTES[name][1](value) for name, value in known.items()}


@pytest.mark.parametrize(("name", "event_class"), CLASSES.items(), ids=CLASSES)
def test_every_type_has_its_class(name, event_class):
    event = parsing.parse((("EventType", name), ("AccountSid", "AC1")))

    assert type(event) is event_class
    assert event.event_type == name
    assert event.account_sid == "AC1"


def test_no_type_is_left_out_of_the_table():
    assert events.EVENT_CLASSES == CLASSES


@pytest.mark.parametrize("name", [name for name in webhook_fixtures.names() if "unknown" not in name])
def test_every_parameter_of_our_recordings_lands_in_its_attribute(name):
    form = webhook_fixtures.form(name)
    expected = as_attributes({key: value for key, value in form.items() if key not in ("EventType", "Subject")})

    event = event_of(name)

    assert {attribute: getattr(event, attribute) for attribute in expected} == expected
    assert event.fields == form


@pytest.mark.skipif(not SAMPLE_FILES, reason="../shared/samples is not beside this checkout")
@pytest.mark.parametrize("path", SAMPLE_FILES, ids=[path.stem for path in SAMPLE_FILES])
def test_every_parameter_of_the_shared_samples_lands_in_its_attribute(path):
    sample = json.loads(path.read_text("utf-8"))
    expected = as_attributes(sample["form"])

    event = parsing.parse(tuple(sample["form"].items()))

    assert type(event) is CLASSES[sample["event"]]
    assert set(sample["form"]) - set(ATTRIBUTES) == {"EventType"}
    assert {attribute: getattr(event, attribute) for attribute in expected} == expected


@pytest.mark.parametrize("name", PRE_ACTIONS)
def test_hooks_before_the_action_are_told_apart(name):
    assert parsing.is_pre_action(name)


@pytest.mark.parametrize("name", [*sorted(set(CLASSES) - set(PRE_ACTIONS)), "onPollAdd", "", "onmessageadd"])
def test_all_other_types_are_no_pre_actions(name):
    assert not parsing.is_pre_action(name)


def test_what_is_absent_is_empty():
    event = parsing.parse((("EventType", "onMessageAdded"),))

    assert (event.conversation_sid, event.participant_sid, event.body, event.source) == ("", "", "", "")
    assert (event.index, event.date_created, event.retry_count) == (None, None, 0)
    assert (event.attributes, event.attributes_text, event.media) == ({}, "", ())


@pytest.mark.parametrize(
    ("value", "code"),
    [("21610", 21610), ("0", 0), ("", 0), ("-1", 0), ("many", 0)],
    ids=lambda part: str(part) or "empty",
)
def test_an_error_code_is_a_number_and_zero_means_none(value, code):
    assert parsing.parse((("EventType", "onDeliveryUpdated"), ("ErrorCode", value))).error_code == code


def test_broken_attributes_are_kept_as_text():
    event = parsing.parse((("EventType", "onMessageAdded"), ("Attributes", "{broken")))

    assert (event.attributes, event.attributes_text) == ({}, "{broken")


def test_white_space_line_ends_and_emoji_of_a_message_survive():
    assert event_of("onMessageAdded__unicode_and_blank").body == "  café ✓ + 😀 100% = ~\r\nnext line  "


def test_media_without_text_are_a_message_with_an_empty_body():
    event = event_of("onMessageAdded__whatsapp_media_only")

    assert event.body == ""
    assert [media.filename for media in event.media] == ["garden gate.jpg", "reçu (2).pdf"]


def test_of_a_repeated_parameter_the_first_value_counts():
    event = parsing.parse((("EventType", "onMessageAdded"), ("Body", "first"), ("Body", "second")))

    assert (event.body, event.fields["Body"]) == ("first", "first")


def test_text_that_no_database_takes_is_replaced():
    event = parsing.parse(form_module.decode_form(b"EventType=onMessageAdded&Body=a%00b%FF&Odd%00=%ED%A0%80"))

    assert event.body == "a\ufffdb\ufffd"
    assert event.fields["Odd\ufffd"] == "\ufffd\ufffd\ufffd"


def test_a_type_twilio_adds_later_keeps_all_it_brought():
    event = event_of("onPollAnswered__unknown_type")

    assert type(event) is events.UnknownEvent
    assert (event.event_type, event.received_type) == ("", "onPollAnswered")
    assert event.fields["Choice"] == "blue"


def test_an_event_cannot_be_changed():
    event = event_of("onMessageAdded__sms_text")

    with pytest.raises(AttributeError):
        event.body = "other"


def test_the_representation_of_an_event_shows_neither_text_nor_addresses():
    event = event_of("onMessageAdded__sms_text")

    assert repr(event) == (
        "MessageAdded(ConversationSid=CH00000000000000000000000000000003, "
        "MessageSid=IM00000000000000000000000000000004)"
    )


def test_dates_are_in_utc():
    assert event_of("onMessageAdded__sms_text").date_created == datetime(2026, 8, 11, 13, 3, 28, 879000, UTC)


NAMES = st.sampled_from([*ATTRIBUTES, "EventType", "Odd"])
VALUES = st.text(st.characters(exclude_categories=())) | st.sampled_from(["-1", "[{}]", "{}", "[[", "1e999", *CLASSES])


@settings(deadline=None)
@given(name=st.sampled_from([*CLASSES, "onPollAnswered"]), pairs=st.lists(st.tuples(NAMES, VALUES), max_size=12))
def test_no_values_whatsoever_stop_the_parser(name, pairs):
    event = parsing.parse((("EventType", name), *pairs))

    assert type(event) is CLASSES.get(name, events.UnknownEvent)
    assert json.dumps([event.attributes, dict(event.fields)], allow_nan=False, ensure_ascii=False).encode("utf-8")


@settings(deadline=None)
@given(raw=st.binary(max_size=300))
def test_no_bytes_whatsoever_stop_the_parser(raw):
    assert isinstance(parsing.parse(form_module.decode_form(raw)), events.Event)
