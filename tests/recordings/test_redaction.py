"""Recordings without what is private: nothing of the original is left, and what belonged together still does."""

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.recordings.files import RecordedRequest, form_of, parse, render, with_form
from app.recordings.redaction import Kept, redact
from tests.support import webhook_fixtures

KEPT = Kept(
    agents=("support-agent", "agent-*"),
    keywords=("order", "where is my", "営業時間"),
    whole_messages=("STOP", "START", "HELP"),
)
SID, OTHER_SID = "IM" + "c0ffee11" * 4, "IM" + "beef0042" * 4
EMPTY = RecordedRequest("POST", "/conversations/webhook", {}, b"")


def request_with(**form):
    return with_form(EMPTY, tuple(form.items()))


def redacted(*forms, kept=KEPT):
    return [dict(form_of(request)) for request in redact([request_with(**form) for form in forms], kept)]


def redacted_value(name, value, kept=KEPT):
    return redacted({name: value}, kept=kept)[0][name]


def test_a_sid_has_the_same_stand_in_in_every_place():
    first, second = redacted(
        {"MessageSid": SID, "Attributes": json.dumps({"parley": {"reply_to": SID, "n": 0}})},
        {"MessageSid": OTHER_SID, "Body": f"see {SID}, please"},
    )

    stand_in = "IM00000000000000000000000000000001"
    assert first["MessageSid"] == stand_in
    assert json.loads(first["Attributes"]) == {"parley": {"reply_to": stand_in, "n": 0}}
    assert second["Body"] == f"lorem {stand_in}, consectetur"
    assert second["MessageSid"] == "IM00000000000000000000000000000002"


def test_a_number_has_the_same_stand_in_in_every_place_and_keeps_its_channel():
    whatsapp, sms = redacted(
        {"Author": "whatsapp:+4915112345678", "FriendlyName": "Chat with +4915112345678"},
        {
            "MessagingBinding.Address": "+4915112345678",
            "MessagingBinding.ProjectedAddress": "+4915112345678, +4915187654321",
            "Body": "call me at +49 (151) 12345678!",
            "Attributes": '{"phone": 4915112345678}',
        },
    )

    assert whatsapp == {"Author": "whatsapp:+15550100001", "FriendlyName": "Lorem lorem +15550100001"}
    assert sms["MessagingBinding.Address"] == "+15550100001"
    assert sms["MessagingBinding.ProjectedAddress"] == "+15550100001, +15550100002"
    assert sms["Body"] == "lorem et et +15550100001!"
    assert json.loads(sms["Attributes"]) == {"phone": 15550100001}


def test_a_name_has_the_same_stand_in_in_every_place():
    first, second = redacted(
        {"Body": "this is Carla Brandt speaking"},
        {"Identity": "Carla Brandt", "Attributes": '{"who": "Carla Brandt"}', "FriendlyName": "Dora"},
    )

    assert first["Body"] == "lorem et person-1 consectetur"
    assert second == {"Identity": "person-1", "Attributes": '{"who":"person-1"}', "FriendlyName": "person-2"}


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        pytest.param("Author", "support-bot", "support-bot", id="our own author"),
        pytest.param("Author", "system", "system", id="the system"),
        pytest.param("Author", "support-agent", "support-agent", id="an agent named in the settings"),
        pytest.param("Author", "agent-dana", "agent-person-1", id="an agent the pattern matches"),
        pytest.param("Attributes", '{"role":"agent"}', '{"role":"agent"}', id="the role of an agent"),
        pytest.param("Body", "Stop!", "Stop!", id="an opt-out word alone"),
        pytest.param("Body", "stop hurting", "lorem consectetur", id="an opt-out word in a sentence"),
        pytest.param("Body", "Where is my dog", "Where is my lorem", id="words of a rule"),
        pytest.param("Body", "明日の営業時間は", "営業時間", id="words of a rule without spaces"),
        pytest.param("Body", "", "", id="empty"),
        pytest.param("Body", " \n ", " \n ", id="blank"),
        pytest.param("Body", "Grüße, BOB 🎉 4711", "Lörem, LOREM 🙂 5555", id="capitals, accents, symbols, digits"),
        pytest.param("EventType", "onMessageAdded", "onMessageAdded", id="the type"),
        pytest.param("Index", "12", "12", id="the index"),
        pytest.param("ErrorCode", "30003", "30003", id="an error code"),
        pytest.param("DateCreated", "2026-08-11T13:03:28.879Z", "2026-08-11T13:03:28.879Z", id="a date"),
        pytest.param("Shape", "ROUND", "ROUND", id="unknown, looks like one of a list"),
        pytest.param("Weight", "42", "42", id="unknown, a number"),
        pytest.param("Nickname", "bob", "lorem", id="unknown, a text"),
        pytest.param("Index", "Bob's 12", "Lorem'et 55", id="a known one with something odd in it"),
        pytest.param("Attributes", '{"a": tru', '{"et": lorem', id="broken JSON"),
        pytest.param("Attributes", '{"vip":true,"n":[1,2.5,null]}', '{"vip":true,"n":[1,2.5,null]}', id="no strings"),
        pytest.param("Author", "12345", "15550100001", id="a short code"),
    ],
)
def test_what_decisions_depend_on_stays_and_the_rest_does_not(name, value, expected):
    assert redacted_value(name, value) == expected


def test_media_keep_their_kind_and_size():
    item = {"Category": "media", "ContentType": "image/jpeg", "Filename": "passport bob.jpg", "Sid": SID, "Size": 81402}

    assert json.loads(redacted_value("Media", json.dumps([item]))) == [
        item | {"Filename": "file-1.jpg", "Sid": "IM00000000000000000000000000000001"}
    ]


def test_what_a_channel_tells_of_a_person_has_stand_ins():
    told = {"type": "whatsapp", "data": {"context": {"ProfileName": "Annabelle"}, "ButtonText": "Call Annabelle"}}
    (one,) = redacted({"ProfileName": "Annabelle", "ButtonText": "Call Annabelle", "ChannelMetadata": json.dumps(told)})

    assert "Annabelle" not in json.dumps(one)
    assert json.loads(one["ChannelMetadata"])["data"].keys() == {"context", "ButtonText"}


def test_the_query_of_a_post_and_all_headers_are_redacted_and_no_signature_is_left():
    headers = {"X-Twilio-Signature": "c2VjcmV0", "I-Twilio-Idempotency-Token": "d1b2c3a4", "X-Sender": "Bob"}
    target = f"https://bob.example/conversations/webhook?from=%2B4915112345678&sid={SID}"
    (request,) = redact([with_form(RecordedRequest("POST", target, headers, b""), (("Body", "hi"),))], KEPT)

    assert request.target == ("/conversations/webhook?from=%2B15550100001&sid=IM00000000000000000000000000000001")
    assert request.headers == {
        "Host": "bot.example.com",
        "Accept": "*/*",
        "User-Agent": "TwilioProxy/1.1",
        "I-Twilio-Idempotency-Token": "00000000-0000-4000-8000-000000000001",
        "Content-Type": "application/x-www-form-urlencoded; charset=utf-8",
        "Content-Length": "7",
    }


@pytest.mark.parametrize("name", webhook_fixtures.names())
def test_every_kind_of_webhook_can_be_recorded_and_read_back(name):
    (request,) = redact([webhook_fixtures.load(name)], KEPT)

    assert parse(render(request)) == request
    assert [key for key, _ in form_of(request)] == [key for key, _ in form_of(webhook_fixtures.load(name))]


# Letters that no stand-in has: what holds one of them can only come from the original.
secret_words = st.text("bghjkqvwxyzBGHJKQVWXYZßжд漢字ñ", min_size=3, max_size=9)
secret_texts = st.lists(secret_words, min_size=1, max_size=5).map(" ".join)
secret_sids = st.builds("{}{:032x}".format, st.sampled_from(["IM", "CH", "MB"]), st.integers(2**120, 2**128 - 1))
secret_numbers = st.builds("+{}".format, st.integers(20_000_000_000, 999_999_999_999_999))
secret_addresses = st.builds("{}{}".format, st.sampled_from(["", "whatsapp:"]), secret_numbers)
secrets = st.one_of(secret_texts, secret_sids, secret_addresses)


@st.composite
def private_forms(draw):
    """A form, and everything in it that nobody else may know."""
    name, number, sid, text = draw(secret_texts), draw(secret_addresses), draw(secret_sids), draw(secret_texts)
    more = draw(st.lists(secrets, max_size=4))
    mixed = " ".join(draw(st.permutations([name, number, sid, text, *more])))
    attributes = {"a": [name, {"b": mixed}], "number": number, "c": {"d": sid, "ok": True, "n": 3}}
    media = [{"Sid": sid, "Filename": f"{text}.pdf", "ContentType": "application/pdf", "Size": 7}]
    form = {
        "EventType": draw(st.sampled_from(["onMessageAdded", "onConversationAdded", "onUserAdded", "onSomethingNew"])),
        "Author": draw(st.sampled_from([name, number])),
        "Identity": name,
        "ConversationSid": sid,
        "FriendlyName": draw(st.sampled_from([name, mixed])),
        "UniqueName": mixed,
        "MessagingBinding.ProjectedAddress": f"{number},{draw(secret_addresses)}",
        "Body": draw(st.sampled_from([text, mixed, text.upper()])),
        "Attributes": draw(st.sampled_from([json.dumps(attributes), mixed, json.dumps(mixed, ensure_ascii=False)])),
        "Media": json.dumps(media),
        "Unknown": draw(st.sampled_from([mixed, name, number, sid])),
    }
    digits = re.sub(r"\D", "", number)
    return form, {name, number, digits, sid, text, *more, *text.split(), *name.split()}


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.lists(private_forms(), min_size=1, max_size=3))
def test_no_original_number_sid_name_or_text_survives(drawn):
    requests = redact([request_with(**form) for form, _ in drawn], Kept())

    left = json.dumps([[request.target, *form_of(request)] for request in requests], ensure_ascii=False).casefold()
    assert [secret for _, private in drawn for secret in private if secret.casefold() in left] == []


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.lists(st.tuples(st.sampled_from(["Author", "Body", "Attributes", "Media", "X", "EventType"]), st.text())))
def test_redaction_never_raises_and_its_result_can_be_written(pairs):
    request = with_form(EMPTY, tuple((name, text.encode("utf-8", "replace").decode()) for name, text in pairs))
    (recorded,) = redact([request], KEPT)

    assert parse(render(recorded)) == recorded


def test_bytes_that_are_no_utf_8_do_not_survive():
    (recorded,) = redact([RecordedRequest("POST", "/conversations/webhook", {}, b"Body=%FF%FEabc&Author=%FFbob")], KEPT)

    assert dict(form_of(recorded)) == {"Body": "·lorem", "Author": "person-1"}
