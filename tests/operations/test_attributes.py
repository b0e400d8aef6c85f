"""`flask conversations attributes`: the JSON object of a conversation."""

import json

import pytest

NOBODY = "CH" + "9".zfill(32)


@pytest.fixture
def conversation(in_json):
    """A conversation with two attributes."""
    return in_json("conversations", "create", "--attributes", '{"order": 42, "name": "Zoë"}')["sid"]


@pytest.fixture
def attributes(in_json):
    """Run a command on attributes and return what it gives."""
    return lambda verb, *arguments: in_json("conversations", "attributes", verb, *arguments)


def test_attributes_are_shown_as_an_object(conversation, attributes):
    assert attributes("get", conversation) == {"order": 42, "name": "Zoë"}


def test_one_value_can_be_asked_for(conversation, attributes):
    assert attributes("get", conversation, "order") == 42


def test_a_key_that_is_not_there_is_named(conversation, refused):
    assert refused("conversations", "attributes", "get", conversation, "vip") == (
        f"Error: {conversation} has no attribute 'vip'; it has: order, name\n"
    )


def test_set_replaces_everything(conversation, attributes):
    assert attributes("set", conversation, '{"vip": true}') == {"vip": True}
    assert attributes("get", conversation) == {"vip": True}


def test_merge_keeps_what_is_not_named(conversation, attributes, flask_command):
    said = flask_command("conversations", "attributes", "merge", conversation, '{"order": 43, "vip": true}')

    assert said == f'{conversation} now has {{"order": 43, "name": "Zoë", "vip": true}}\n'
    assert attributes("get", conversation) == {"order": 43, "name": "Zoë", "vip": True}


def test_half_an_emoji_that_a_program_cut_can_be_merged_and_stays(conversation, attributes):
    assert attributes("merge", conversation, '{"cut": "\\ud83d"}')["cut"] == "\ud83d"


def test_unset_takes_keys_away(conversation, attributes):
    assert attributes("unset", conversation, "name") == {"order": 42}
    assert attributes("get", conversation) == {"order": 42}


def test_a_conversation_is_named_by_its_unique_name_too(in_json, attributes):
    in_json("conversations", "create", "--unique-name", "order-42")

    assert attributes("merge", "order-42", '{"vip": true}') == {"vip": True}


def test_json_is_read_from_standard_input(app, conversation, attributes):
    command = ["conversations", "attributes", "set", conversation, "-"]

    assert app.test_cli_runner().invoke(args=command, input='{"note": "from a file"}').exit_code == 0
    assert attributes("get", conversation) == {"note": "from a file"}


def test_exactly_16_kb_are_taken_and_no_byte_more(conversation, attributes, refused):
    room = 16 * 1024 - len('{"text":""}')

    assert attributes("set", conversation, json.dumps({"text": "x" * room})) == {"text": "x" * room}
    assert refused("conversations", "attributes", "set", conversation, json.dumps({"text": "x" * (room + 1)})) == (
        "Error: the attributes have 16385 bytes; Twilio takes 16384, so remove some\n"
    )


def test_a_merge_that_grows_too_large_changes_nothing(conversation, attributes, refused):
    large = json.dumps({"text": "é" * 8180})

    assert "bytes; Twilio takes 16384" in refused("conversations", "attributes", "merge", conversation, large)
    assert attributes("get", conversation) == {"order": 42, "name": "Zoë"}


def test_attributes_that_are_no_object_are_not_merged_into(account, refused):
    sid = account.ask(lambda v1: v1.conversations.create(attributes="[1, 2]")).sid

    assert refused("conversations", "attributes", "merge", sid, '{"a": 1}') == (
        "Error: the attributes at Twilio are not a JSON object; replace them with `attributes set`\n"
    )


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        pytest.param(
            ["set", NOBODY, "{'vip': true}"],
            "the attributes are not valid JSON (Expecting property name "
            "enclosed in double quotes: line 1 column 2 (char 1)); write them like '{\"vip\": true}'",
            id="no JSON",
        ),
        pytest.param(
            ["merge", NOBODY, "[1]"],
            "the attributes are not a JSON object; write them like '{\"vip\": true}'",
            id="a list",
        ),
        pytest.param(
            ["set", "a b", "{}"],
            "the conversation 'a b' cannot stand in a URL as it is; give its SID (CH...) instead",
            id="conversation",
        ),
    ],
)
def test_bad_input_is_refused_before_anything_is_sent(refused, emulator, arguments, sentence):
    assert refused("conversations", "attributes", *arguments) == f"Error: {sentence}\n"
    assert emulator.requests() == []


def test_a_conversation_that_is_not_there_is_named(refused):
    assert f"there is no conversation {NOBODY} (20404)" in refused("conversations", "attributes", "get", NOBODY)
