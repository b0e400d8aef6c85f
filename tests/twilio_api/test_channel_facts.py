"""What webhooks tell of a message beside its text, from the parameters or from the metadata in one of them."""

import json

import pytest

from app.twilio_api.addresses import NOTHING, ChannelFacts, channel_facts
from app.twilio_api.form import Media, read_media

OF_WHATSAPP = {
    "type": "whatsapp",
    "data": {"context": {"ProfileName": "Ann"}, "ButtonPayload": "p_1", "ButtonText": "Yes"},
}


@pytest.mark.parametrize(
    ("parameters", "told"),
    [
        ({"ButtonText": "Yes", "ButtonPayload": "p_1", "ProfileName": "Ann"}, ChannelFacts("Yes", "p_1", "Ann")),
        ({"ChannelMetadata": json.dumps(OF_WHATSAPP)}, ChannelFacts("Yes", "p_1", "Ann", OF_WHATSAPP)),
        ({"AuthorFriendlyName": "Ann"}, ChannelFacts(profile_name="Ann")),
        (
            {"ChannelMetadata": '{"ProfileName": "Ann", "data": null}'},
            ChannelFacts("", "", "Ann", {"ProfileName": "Ann", "data": None}),
        ),
    ],
    ids=["parameters", "metadata", "a name of Event Streams", "metadata without data"],
)
def test_they_are_read_where_they_come(parameters, told):
    assert channel_facts(parameters) == told


@pytest.mark.parametrize(
    "odd", ["", "{", "[]", '"x"', '{"data": {"context": [1], "ButtonText": {"a": 1}}}', "[" * 5000]
)
def test_odd_metadata_tell_nothing(odd):
    found = channel_facts({"ChannelMetadata": odd})

    assert (found.button, found.button_payload, found.profile_name) == (NOTHING.button, "", "")


@pytest.mark.parametrize(
    "item",
    [
        {"Sid": "ME1", "ContentType": "image/png", "Filename": "a.png", "Size": 4},
        {"sid": "ME1", "content_type": "image/png", "filename": "a.png", "size": "4"},
        {"sid": "ME1", "contentType": "image/png", "fileName": "a.png", "size": 4},
    ],
    ids=["as documented", "small letters", "camel case"],
)
def test_media_are_read_whatever_the_letters_of_their_keys(item):
    assert read_media(json.dumps([item])) == (Media("ME1", "image/png", "a.png", 4),)
