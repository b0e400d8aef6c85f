"""`flask participants`: one by one, as an operator types it, against the emulator."""

import json

import pytest

from app.operations import participants

PROXY = "+15550100099"
CUSTOMER = "+15550100001"


@pytest.fixture
def conversation(account):
    """The SID of a new conversation."""
    return account.ask(lambda v1: v1.conversations.create(friendly_name="order 7", unique_name="order-7")).sid


@pytest.fixture
def fail(app, emulator):
    """Run a command that must be refused before anything is written, and return what it said."""

    def run(*arguments):
        before = len(emulator.requests())
        result = app.test_cli_runner().invoke(args=list(arguments))
        assert result.exit_code == 1, result.output
        assert [it for it in emulator.requests()[before:] if it["method"] != "GET"] == []
        return result.output

    return run


@pytest.fixture
def in_json(flask_command):
    return lambda *arguments: json.loads(flask_command(*arguments, "--json"))


def people(account, conversation):
    return [
        (it["identity"] or None, it["messaging_binding"])
        for it in participants.list_participants(account, conversation)
    ]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        pytest.param(
            ["--sms", CUSTOMER, "--proxy-address", PROXY],
            (None, {"type": "sms", "address": CUSTOMER, "proxy_address": PROXY}),
            id="sms",
        ),
        pytest.param(
            ["--whatsapp", CUSTOMER, "--proxy-address", PROXY],
            (
                None,
                {"type": "whatsapp", "address": f"whatsapp:{CUSTOMER}", "proxy_address": f"whatsapp:{PROXY}"},
            ),
            id="whatsapp",
        ),
        pytest.param(["--identity", "alice"], ("alice", None), id="chat"),
        pytest.param(["--group", CUSTOMER], (None, {"type": "sms", "address": CUSTOMER}), id="group"),
        pytest.param(
            ["--identity", "alice", "--projected-address", PROXY],
            ("alice", {"type": "sms", "projected_address": PROXY}),
            id="own number in a group",
        ),
    ],
)
def test_somebody_is_added(flask_command, account, conversation, arguments, expected):
    said = flask_command("participants", "add", conversation, *arguments)

    assert people(account, conversation) == [expected]
    assert said.startswith("Added ")


def test_several_kinds_are_added_at_once_and_a_second_time_nobody_is(in_json, account, conversation):
    several = ["--sms", CUSTOMER, "--sms", "+15550100002", "--whatsapp", CUSTOMER, "--identity", "alice"]
    command = ["participants", "add", "order-7", *several, "--proxy-address", PROXY, "--attributes", '{"vip": true}']
    first, second = in_json(*command), in_json(*command)

    assert [one["kind"] for one in first["added"]] == ["sms", "sms", "whatsapp", "chat"]
    assert (second["added"], second["failed"]) == ([], [])
    assert [one["sid"] for one in second["present"]] == [one["sid"] for one in first["added"]]
    assert len(people(account, conversation)) == 4
    assert {it["attributes"] for it in participants.list_participants(account, conversation)} == {'{"vip":true}'}


def test_a_file_and_arguments_go_together_and_a_dry_run_sends_nothing(
    app, flask_command, fail, emulator, account, conversation, tmp_path
):
    path = tmp_path / "customers.csv"
    path.write_text("address,identity\n+15550100001,\n,bob\n")
    command = ["participants", "add", conversation, "--identity", "alice", "--file", str(path)]
    command += ["--proxy-address", PROXY]
    dry = flask_command(*command, "--dry-run")

    assert "Would add 3; 0 are there already. Nothing was sent." in dry
    assert people(account, conversation) == []
    assert flask_command(*command) == "Added 3.\n"


def test_a_list_comes_through_standard_input(app, account, conversation):
    command = ["participants", "add", conversation, "--file", "-"]
    result = app.test_cli_runner().invoke(args=command, input="alice\nbob\n")

    assert (result.exit_code, result.output) == (0, "Added 2.\n")


def test_the_function_says_who_was_there_already(account, conversation):
    first = participants.add(account, conversation, sms=CUSTOMER, proxy_address=PROXY, attributes={"vip": True})
    again = participants.add(account, conversation, sms=CUSTOMER, proxy_address=PROXY)
    chat = participants.add(account, conversation, identity="alice")

    assert (first.kind, first.address, first.already) == ("sms", CUSTOMER, False)
    assert (again.sid, again.already) == (first.sid, True)
    assert participants.add(account, conversation, identity="alice").sid == chat.sid


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        pytest.param(["--sms", CUSTOMER], "needs one of your Twilio numbers", id="sms without our number"),
        pytest.param(["--whatsapp", CUSTOMER], "needs your WhatsApp sender", id="whatsapp without our sender"),
        pytest.param(["--group", f"whatsapp:{CUSTOMER}"], "no WhatsApp groups", id="whatsapp group"),
        pytest.param(
            ["--identity", "alice", "--identity", "bob", "--projected-address", PROXY], "only one --identity", id="two"
        ),
        pytest.param([], "nobody to add", id="nobody"),
        pytest.param(["--identity", "alice", "--attributes", "vip"], "not valid JSON", id="attributes"),
        pytest.param(["--identity", "alice", "--service", "IS1"], "'IS1' is not a SID", id="service"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_sent(fail, conversation, emulator, arguments, sentence):
    before = len(emulator.requests())

    assert sentence in fail("participants", "add", conversation, *arguments)
    assert len(emulator.requests()) == before


@pytest.mark.parametrize(
    "name",
    [pytest.param("CH1/Messages", id="a path"), pytest.param("order?x", id="a query"), pytest.param("..", id="up")],
)
def test_a_name_that_would_address_something_else_is_refused(fail, account, emulator, name):
    assert "cannot stand in a URL" in fail("participants", "add", name, "--identity", "alice")
    assert emulator.requests() == []


def test_a_conversation_that_is_not_there_is_named(fail, emulator):
    missing = "CH" + "9" * 32

    assert f"there is no conversation {missing}" in fail("participants", "add", missing, "--identity", "alice")


def test_twilios_refusal_becomes_a_sentence_with_the_next_step(app, account, conversation, fail):
    other = account.ask(lambda v1: v1.conversations.create()).sid
    participants.add(account, other, sms=CUSTOMER, proxy_address=PROXY)
    command = ["participants", "add", conversation, "--sms", CUSTOMER, "--proxy-address", PROXY, "--identity", "alice"]
    result = app.test_cli_runner().invoke(args=command)

    assert result.exit_code == 1
    assert f"Failed: {CUSTOMER}: Twilio refused the request (50416); this customer already talks" in result.output
    assert people(account, conversation) == [("alice", None)]


def test_the_list_shows_who_takes_part_and_how(flask_command, in_json, account, conversation):
    participants.add(account, conversation, sms=CUSTOMER, proxy_address=PROXY)
    participants.add(account, conversation, identity="alice")
    listed = flask_command("participants", "list", conversation).splitlines()

    assert listed[0].split() == ["SID", "KIND", "NAME", "PROXY", "ADDRESS", "ATTRIBUTES", "DATE", "CREATED"]
    assert [line.split()[1:3] for line in listed[1:]] == [["sms", CUSTOMER], ["chat", "alice"]]
    assert len(in_json("participants", "list", conversation, "--limit", "1")) == 1


def test_nobody_takes_part_in_a_new_conversation(flask_command, conversation):
    assert flask_command("participants", "list", conversation) == "Nobody takes part.\n"


@pytest.mark.parametrize(
    "who",
    [
        pytest.param("+1 555 010 0001", id="number"),
        pytest.param("\u202a+15550100001\u202c", id="number copied from a telephone"),
        pytest.param("whatsapp:+15550100002", id="whatsapp"),
        pytest.param("Zoë / sales?", id="identity that no URL can carry"),
    ],
)
def test_somebody_is_found_and_removed_by_name(flask_command, in_json, account, conversation, who):
    participants.add(account, conversation, sms=CUSTOMER, proxy_address=PROXY)
    participants.add(account, conversation, whatsapp="+15550100002", proxy_address=PROXY)
    participants.add(account, conversation, identity="Zoë / sales?")
    sid = in_json("participants", "show", conversation, who)["sid"]
    said = flask_command("participants", "remove", conversation, who, "--yes")

    assert sid in said
    assert sid not in [it["sid"] for it in participants.list_participants(account, conversation)]
    assert len(people(account, conversation)) == 2


def test_removing_asks_and_a_dry_run_only_says(app, flask_command, account, conversation):
    participants.add(account, conversation, identity="alice")
    refused = app.test_cli_runner().invoke(args=["participants", "remove", conversation, "alice"], input="n\n")
    dry = flask_command("participants", "remove", conversation, "alice", "--dry-run")

    assert (refused.exit_code, "Remove alice (MB" in refused.output) == (1, True)
    assert dry.startswith("Would remove alice (MB")
    assert people(account, conversation) == [("alice", None)]


def test_somebody_with_two_of_our_numbers_is_named_by_sid(fail, account, conversation):
    first = participants.add(account, conversation, sms=CUSTOMER, proxy_address=PROXY)
    participants.add(account, conversation, sms=CUSTOMER, proxy_address="+15550100098")
    said = fail("participants", "remove", conversation, CUSTOMER, "--yes")

    assert f"'{CUSTOMER}' is 2 participants: {first.sid} (sms, by {PROXY}), " in said


@pytest.mark.parametrize(
    ("who", "sentence"),
    [
        pytest.param("bob", "nobody in", id="stranger"),
        pytest.param("+12", "'+12' is not a phone number", id="no number"),
        pytest.param("messenger:7777777777", "is 'messenger:7777777777'; `flask participants list", id="Messenger"),
        pytest.param("WhatsApp:US.13491208655", "is 'whatsapp:US.13491208655'; `flask", id="WhatsApp, no number"),
    ],
)
def test_if_one_is_not_there_nobody_is_removed(fail, account, conversation, who, sentence):
    participants.add(account, conversation, identity="alice")

    assert sentence in fail("participants", "remove", conversation, "alice", who, "--yes")


def test_attributes_are_set_merged_and_unset(in_json, account, conversation):
    participants.add(account, conversation, sms=CUSTOMER, proxy_address=PROXY)
    command = ["participants", "attributes"]
    before = in_json(*command, "get", conversation, CUSTOMER)
    in_json(*command, "set", conversation, CUSTOMER, '{"vip": true, "name": "Zoë"}')
    in_json(*command, "merge", conversation, CUSTOMER, '{"language": "de", "vip": false}')
    left = in_json(*command, "unset", conversation, CUSTOMER, "name")

    assert before == {}
    assert left == in_json(*command, "get", conversation, CUSTOMER) == {"vip": False, "language": "de"}


@pytest.mark.parametrize(
    ("verb", "argument", "sentence"),
    [
        pytest.param("set", "{vip}", "not valid JSON", id="no JSON"),
        pytest.param("merge", "[1]", "not a JSON object", id="a list"),
        pytest.param("set", json.dumps({"x": "y" * 5000}), "Twilio takes 4096", id="over 4 KB"),
        pytest.param("merge", json.dumps({"y": "y" * 2500}), "Twilio takes 4096", id="over 4 KB together"),
        pytest.param("unset", "language", "has no attribute 'language'; it has: x", id="unknown key"),
    ],
)
def test_attributes_that_cannot_be_are_refused(fail, account, conversation, verb, argument, sentence):
    participants.add(account, conversation, identity="alice", attributes={"x": "x" * 2000})

    assert sentence in fail("participants", "attributes", verb, conversation, "alice", argument)


def test_role_and_our_number_are_changed(in_json, account, conversation):
    participants.add(account, conversation, whatsapp=CUSTOMER, proxy_address=PROXY)
    role_sid = account.ask(lambda v1: v1.roles.list(limit=1))[0].sid
    changes = ["--role-sid", role_sid, "--proxy-address", "+15550100098"]
    changed = in_json("participants", "update", conversation, f"whatsapp:{CUSTOMER}", *changes)

    assert changed["role_sid"] == role_sid
    assert changed["messaging_binding"]["proxy_address"] == "whatsapp:+15550100098"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        pytest.param([], "nothing to change", id="nothing"),
        pytest.param(["--role-sid", "RL1"], "'RL1' is not a SID", id="role"),
        pytest.param(["--proxy-address", PROXY], "has no proxy address (it is chat)", id="chat"),
    ],
)
def test_a_change_that_cannot_be_is_refused(fail, account, conversation, changes, sentence):
    participants.add(account, conversation, identity="alice")

    assert sentence in fail("participants", "update", conversation, "alice", *changes)
