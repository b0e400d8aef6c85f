"""What makes two posts the same event, where an event waits, and which posts cannot be used."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.twilio_api.events import EVENT_CLASSES
from app.twilio_api.form import decode_form, read_form
from app.twilio_api.parsing import Identity, Unusable, event_type, identity
from tests.support import webhook_fixtures

CONVERSATION = "CH00000000000000000000000000000003"
CHAT = "CH00000000000000000000000000000030"
WHATSAPP = "CH00000000000000000000000000000031"
MESSAGE = "IM00000000000000000000000000000004"
RECEIPT = "DY00000000000000000000000000000008"
HASHED = r"[0-9a-f]{64}"


def identity_of(request: webhook_fixtures.RecordedRequest) -> Identity:
    return identity(read_form(request.method, request.target, request.body))


def changed(name: str, changes: dict[str, str | None]) -> Identity:
    return identity_of(webhook_fixtures.with_fields(webhook_fixtures.load(name), changes))


@pytest.mark.parametrize(
    ("name", "key", "lane", "source"),
    [
        ("onMessageAdded__sms_text", f"onMessageAdded:{MESSAGE}", CONVERSATION, "SMS"),
        (
            "onMessageUpdated__body_edited",
            "onMessageUpdated:IM00000000000000000000000000000012:2026-08-11T13:09:30.250Z",
            CHAT,
            "SDK",
        ),
        (
            "onMessageRemoved__by_sdk",
            "onMessageRemoved:IM00000000000000000000000000000012:2026-08-11T13:10:00.001Z",
            CHAT,
            "SDK",
        ),
        ("onDeliveryUpdated__sent", f"onDeliveryUpdated:{RECEIPT}:sent", f"{CONVERSATION}:receipts", ""),
        ("onDeliveryUpdated__delivered", f"onDeliveryUpdated:{RECEIPT}:delivered", f"{CONVERSATION}:receipts", ""),
        (
            "onDeliveryUpdated__undelivered_opted_out",
            f"onDeliveryUpdated:{RECEIPT}:undelivered:21610",
            f"{CONVERSATION}:receipts",
            "",
        ),
        ("onConversationAdded__whatsapp", f"onConversationAdded:{WHATSAPP}", WHATSAPP, "WHATSAPP"),
        (
            "onConversationUpdated__api",
            f"onConversationUpdated:{CONVERSATION}:2026-08-11T13:30:00.000Z",
            CONVERSATION,
            "API",
        ),
        (
            "onConversationRemoved__api",
            f"onConversationRemoved:{CONVERSATION}:2026-08-11T14:00:00.000Z",
            CONVERSATION,
            "API",
        ),
        (
            "onConversationStateUpdated__closed_by_timer",
            f"onConversationStateUpdated:{CONVERSATION}:closed:2026-08-12T13:03:28.123Z",
            CONVERSATION,
            "",
        ),
        ("onParticipantAdded__sms", "onParticipantAdded:MB00000000000000000000000000000006", CONVERSATION, "SMS"),
        (
            "onParticipantUpdated__read_index",
            "onParticipantUpdated:MB00000000000000000000000000000060:2026-08-11T13:20:00.000Z:36",
            CHAT,
            "SDK",
        ),
        (
            "onParticipantRemoved__sms",
            "onParticipantRemoved:MB00000000000000000000000000000006:2026-08-11T13:40:00.000Z",
            CONVERSATION,
            "API",
        ),
        (
            "onUserAdded__chat",
            "onUserAdded:US00000000000000000000000000000050",
            "US00000000000000000000000000000050",
            "",
        ),
        (
            "onUserUpdated__online",
            "onUserUpdated:US00000000000000000000000000000050:2026-08-11T08:00:00.000Z",
            "US00000000000000000000000000000050",
            "SDK",
        ),
    ],
)
def test_each_type_has_its_key_its_lane_and_its_source(name, key, lane, source):
    assert identity_of(webhook_fixtures.load(name)) == Identity(key.partition(":")[0], key, lane, source)


@pytest.mark.parametrize("name", webhook_fixtures.names())
def test_a_redelivery_with_another_retry_count_has_the_same_identity(name):
    assert changed(name, {"RetryCount": "3"}) == identity_of(webhook_fixtures.load(name))


@pytest.mark.parametrize(
    ("name", "change"),
    [
        pytest.param("onMessageAdded__sms_text", {"MessageSid": "IM" + "5" * 32}, id="message"),
        pytest.param("onMessageUpdated__body_edited", {"DateUpdated": "2026-08-11T13:09:30.251Z"}, id="edit"),
        pytest.param("onDeliveryUpdated__failed", {"ErrorCode": "30005"}, id="error code"),
        pytest.param("onDeliveryUpdated__failed", {"Status": "undelivered"}, id="status"),
        pytest.param("onDeliveryUpdated__failed", {"DeliveryReceiptSid": "DY" + "5" * 32}, id="recipient"),
        pytest.param("onParticipantUpdated__read_index", {"LastReadMessageIndex": "37"}, id="read on"),
        pytest.param("onConversationStateUpdated__closed_by_timer", {"StateTo": "inactive"}, id="state"),
        pytest.param("onPollAnswered__unknown_type", {"Choice": "red"}, id="unknown type"),
        pytest.param("onMessageAdd__sms", {"Body": "other"}, id="before the action"),
        pytest.param("onMessageAdd__get", {"Body": "other"}, id="before the action, GET"),
    ],
)
def test_another_event_has_another_key(name, change):
    assert changed(name, change).event_key != identity_of(webhook_fixtures.load(name)).event_key


@pytest.mark.parametrize("code", ["0", "", None])
def test_no_error_is_written_in_three_ways_and_is_one_event(code):
    assert changed("onDeliveryUpdated__sent", {"ErrorCode": code}).event_key == f"onDeliveryUpdated:{RECEIPT}:sent"


@pytest.mark.parametrize(
    ("name", "change"),
    [
        pytest.param("onMessageAdd__sms", {}, id="before the action"),
        pytest.param("onPollAnswered__unknown_type", {}, id="unknown type"),
        pytest.param("onMessageUpdated__body_edited", {"DateUpdated": None}, id="no date"),
        pytest.param("onMessageUpdated__body_edited", {"DateUpdated": "a b"}, id="odd date"),
        pytest.param("onParticipantUpdated__read_index", {"LastReadMessageIndex": None}, id="nothing read yet"),
        pytest.param("onDeliveryUpdated__sent", {"Status": None}, id="no status"),
        pytest.param("onDeliveryUpdated__sent", {"Status": "x" * 500}, id="long status"),
        pytest.param("onDeliveryUpdated__sent", {"ErrorCode": "\x00é"}, id="odd error code"),
        pytest.param("onParticipantAdded__sms", {"ParticipantSid": None}, id="no participant"),
        pytest.param("onUserAdded__chat", {"UserSid": None}, id="no user"),
    ],
)
def test_where_a_part_is_missing_or_odd_the_key_is_a_hash_of_all(name, change):
    key = changed(name, change).event_key

    assert re.fullmatch(name.partition("__")[0] + ":" + HASHED, key)
    assert changed(name, {**change, "RetryCount": "9"}).event_key == key
    assert changed(name, {**change, "AccountSid": "AC" + "7" * 32}).event_key != key


def test_a_hashed_key_does_not_depend_on_the_order_of_parameters():
    request = webhook_fixtures.load("onPollAnswered__unknown_type")
    form = decode_form(request.body)

    assert identity(tuple(reversed(form))) == identity(form)


def test_of_a_repeated_parameter_the_first_value_identifies_the_event():
    form = decode_form(webhook_fixtures.load("onMessageAdded__sms_text").body)

    assert identity((*form, ("MessageSid", "IM" + "5" * 32))).event_key == f"onMessageAdded:{MESSAGE}"


@pytest.mark.parametrize(
    ("name", "change", "lane"),
    [
        pytest.param("onUserAdded__chat", {"UserSid": None}, "users", id="user without SID"),
        pytest.param("onUserAdded__chat", {"UserSid": "US1"}, "users", id="user with an odd SID"),
        pytest.param("onPollAnswered__unknown_type", {}, CHAT, id="unknown type of a conversation"),
        pytest.param("onPollAnswered__unknown_type", {"ConversationSid": "CH1"}, "unknown", id="odd conversation"),
        pytest.param("onPollAnswered__unknown_type", {"ConversationSid": None}, "unknown", id="no conversation"),
        pytest.param("onMessageAdd__sms", {}, CONVERSATION, id="before the action"),
        pytest.param(
            "onMessageAdd__sms", {"EventType": "onConversationAdd", "ConversationSid": None}, "unknown", id="pre"
        ),
    ],
)
def test_events_without_a_conversation_wait_elsewhere(name, change, lane):
    assert changed(name, change).lane == lane


@pytest.mark.parametrize(
    ("name", "change", "reason"),
    [
        ("onMessageAdded__sms_text", {"EventType": None}, "EventType is missing"),
        ("onMessageAdded__sms_text", {"EventType": ""}, "EventType is missing"),
        ("onMessageAdded__sms_text", {"ConversationSid": None}, "ConversationSid is missing"),
        ("onMessageAdded__sms_text", {"ConversationSid": ""}, "ConversationSid is missing"),
        ("onMessageAdded__sms_text", {"ConversationSid": "../Services"}, "ConversationSid is malformed"),
        ("onMessageAdded__sms_text", {"MessageSid": None}, "MessageSid is missing"),
        ("onMessageAdded__sms_text", {"MessageSid": MESSAGE + "\n"}, "MessageSid is malformed"),
        ("onMessageAdded__sms_text", {"MessageSid": MESSAGE[:-1] + "g"}, "MessageSid is malformed"),
        ("onMessageAdded__sms_text", {"MessageSid": CONVERSATION}, "MessageSid is malformed"),
        ("onMessageUpdated__body_edited", {"MessageSid": None}, "MessageSid is missing"),
        ("onMessageRemoved__by_sdk", {"ConversationSid": None}, "ConversationSid is missing"),
        ("onDeliveryUpdated__sent", {"ConversationSid": None}, "ConversationSid is missing"),
        ("onDeliveryUpdated__sent", {"MessageSid": None}, "MessageSid is missing"),
        ("onDeliveryUpdated__sent", {"DeliveryReceiptSid": "DY1"}, "DeliveryReceiptSid is malformed"),
        ("onConversationUpdated__api", {"ConversationSid": None}, "ConversationSid is missing"),
        ("onConversationStateUpdated__closed_by_timer", {"ConversationSid": "x"}, "ConversationSid is malformed"),
        ("onParticipantAdded__sms", {"ConversationSid": None}, "ConversationSid is missing"),
    ],
)
def test_a_post_without_what_its_type_must_have_cannot_be_used(name, change, reason):
    with pytest.raises(Unusable) as refusal:
        changed(name, change)

    assert refusal.value.reason == reason


@pytest.mark.parametrize("name", ["onMessageAdd__sms", "onMessageAdd__get", "onParticipantAdd__chat"])
def test_a_hook_before_the_action_is_never_refused_because_that_would_stop_the_action(name):
    assert changed(name, {"ConversationSid": None}).lane == "unknown"


@pytest.mark.parametrize("name", EVENT_CLASSES)
def test_a_redelivery_of_any_type_is_the_same_event(name):
    request = webhook_fixtures.load("onDeliveryUpdated__sent")
    first = webhook_fixtures.with_fields(request, EventType=name)
    second = webhook_fixtures.with_fields(first, RetryCount="1")

    assert identity_of(first) == identity_of(second)
    assert identity_of(first).event_type == name


@pytest.mark.parametrize(
    ("received", "stored"),
    [
        pytest.param("onPoll.v2_new-type", "onPoll.v2_new-type", id="plain"),
        pytest.param("on Poll\n<b>é", "on?Poll??b??", id="odd characters"),
        pytest.param("x" * 500, "x" * 64, id="too long"),
        pytest.param(" onMessageAdded", "?onMessageAdded", id="almost a known type"),
        pytest.param("\udcff\x00", "??", id="no text at all"),
    ],
)
def test_the_name_of_an_unknown_type_is_made_safe(received, stored):
    form = (("EventType", received), ("ConversationSid", CHAT))

    assert identity(form).event_type == stored
    assert event_type(form) == stored
    assert identity(form).event_key.startswith(stored + ":")


@pytest.mark.parametrize(
    ("received", "source"),
    [("sms", "SMS"), ("WhatsApp", "WHATSAPP"), ("a b\n<c>", "ABC"), ("x" * 40, "X" * 16), ("", ""), (None, "")],
)
def test_the_source_is_upper_case_and_plain(received, source):
    assert changed("onMessageAdded__sms_text", {"Source": received}).source == source


@settings(deadline=None)
@given(
    name=st.sampled_from([*EVENT_CLASSES, "onPollAnswered"]),
    pairs=st.lists(
        st.tuples(
            st.sampled_from(["Status", "ErrorCode", "DateUpdated", "UserSid", "Source", "Odd"]),
            st.text(st.characters(exclude_categories=())),
        ),
        max_size=8,
    ),
)
def test_keys_lanes_and_sources_of_any_values_are_short_and_plain(name, pairs):
    sids = (("ConversationSid", CHAT), ("MessageSid", MESSAGE), ("DeliveryReceiptSid", RECEIPT))

    found = identity((("EventType", name), *sids, *pairs))

    assert re.fullmatch(r"[A-Za-z0-9_.:+-]{1,255}", found.event_key)
    assert re.fullmatch(r"[A-Za-z0-9:]{1,64}", found.lane)
    assert re.fullmatch(r"[A-Z0-9_-]{0,16}", found.source)


@settings(deadline=None)
@given(raw=st.binary(max_size=300))
def test_bytes_without_an_event_type_are_refused_and_nothing_else_happens(raw):
    with pytest.raises(Unusable, match="EventType is missing"):
        identity(decode_form(b"Odd=" + raw.replace(b"EventType", b"")))
