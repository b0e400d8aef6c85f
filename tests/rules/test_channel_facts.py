"""What a channel tells beside the text, in conditions and templates: buttons, types of files, profiles, metadata."""

from datetime import UTC, datetime

import pytest

from app.rules.describe import conditions
from app.rules.engine import decide
from app.rules.facts import ConversationFacts, Inbound, Policy
from app.rules.loader import load
from app.twilio_api.addresses import ChannelFacts

NOON = datetime(2026, 11, 23, 11, 0, tzinfo=UTC)
METADATA = {"type": "whatsapp", "data": {"context": {"forwarded": True}}}
PRESSED = ChannelFacts("Yes,  please", "confirm_4711", "Ann", METADATA)


def decided(when, facts=PRESSED, reply="Hello.", **more):
    message = Inbound("IM1", "CH1", "whatsapp:+15550100001", "Yes, please", "whatsapp", "WHATSAPP", NOON, **more)
    rules = load(f"[[rule]]\nname = 'it'\n{when}\nreply = '''{reply}'''")
    return decide(
        message.__class__(**{**vars(message), "channel_facts": facts}), ConversationFacts(), rules, Policy("bot"), NOON
    )


@pytest.mark.parametrize(
    "when",
    [
        'button = "yes, please"',
        'button = ["No", "Yes, please"]',
        'button_payload = "confirm_4711"',
        'button_payload = ["confirm_4710", "confirm_4711"]',
        'profile_name = "ANN"',
        'channel_metadata = { "data.context.forwarded" = true, type = ["messenger", "whatsapp"] }',
        'not = { button = "No" }',
    ],
)
def test_a_rule_applies_where_the_channel_told_so(when):
    assert decided(f"when = {{ {when} }}").code == "replied"


@pytest.mark.parametrize(
    ("when", "failed"),
    [
        ('button = "No"', "another button was pressed"),
        ('button_payload = "CONFIRM_4711"', "the button has another payload"),
        ('profile_name = "Bob"', "the profile has another name"),
        (
            'channel_metadata = { "data.context.forwarded" = false }',
            "channel metadata data.context.forwarded is not false",
        ),
        ('channel_metadata = { "data.sent" = 1 }', "channel metadata data.sent is missing"),
    ],
)
def test_otherwise_it_does_not_and_says_why_without_a_word_of_the_message(when, failed):
    assert decided(f"when = {{ {when} }}").tried[0] == ("it", failed)


@pytest.mark.parametrize(
    ("when", "failed"),
    [
        ('button = "Yes"', "no button was pressed"),
        ('button_payload = "x"', "no button with a payload was pressed"),
        ('profile_name = "Ann"', "no name of a profile came"),
    ],
)
def test_a_message_of_which_the_channel_told_nothing_matches_none_of_them(when, failed):
    assert decided(f"when = {{ {when} }}", ChannelFacts()).tried[0].failed == failed


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        ('"audio/ogg"', "replied"),
        ('"AUDIO/*"', "replied"),
        ('["video/mp4", "image/*"]', "replied"),
        ('"audio/mpeg"', "no rule"),
        ('"video/*"', "no rule"),
    ],
)
def test_a_rule_can_ask_for_a_type_of_files(wanted, code):
    types = {"has_media": True, "media_types": ("image/jpeg", "audio/ogg")}

    assert decided(f"when = {{ media_type = {wanted} }}", **types).code == code


@pytest.mark.parametrize("wanted", ['"ogg"', '"*/*"', '["image/jpeg", "a b/c"]'])
def test_what_is_no_type_of_files_is_refused_when_the_rules_are_loaded(wanted):
    with pytest.raises(ValueError, match="is no type of files; write one such as"):
        load(f"[[rule]]\nname = 'it'\nwhen = {{ media_type = {wanted} }}\nreply = 'x'")


def test_templates_know_them_all():
    told = "{{ button }}|{{ button_payload }}|{{ profile_name }}|{{ media_type }}"
    reply = told + "|{{ channel_metadata.data.context.forwarded }}"

    assert decided("", reply=reply, media_types=("audio/ogg",)).reply == "Yes,  please|confirm_4711|Ann|audio/ogg|True"


def test_where_nothing_came_templates_have_empty_texts():
    assert (
        decided("", ChannelFacts(), "{{ button }}{{ profile_name|default('Hi', true) }}{{ media_type }}").reply == "Hi"
    )


def test_a_button_without_a_text_is_no_empty_message():
    rules = load("[[rule]]\nname = 'it'\nreply = 'x'")
    message = Inbound("IM1", "CH1", "whatsapp:+15550100001", "", "whatsapp", "WHATSAPP", NOON, channel_facts=PRESSED)

    assert decide(message, ConversationFacts(), rules, Policy("bot"), NOON).code == "replied"


def test_the_list_of_rules_says_them_in_words():
    rule = load(
        "[[rule]]\nname = 'it'\nreply = 'x'\n[rule.when]\nmedia_type = 'image/*'\nbutton = ['Yes', 'No']\n"
        "button_payload = 'p'\nprofile_name = 'Ann'\nchannel_metadata = { type = 'whatsapp' }"
    ).rules[0]

    assert conditions(rule.when) == [
        "with a file of the type image/*",
        "the button “Yes” or “No” was pressed",
        "a button with the payload p was pressed",
        "the author's profile is called Ann",
        'channel metadata type is "whatsapp"',
    ]
