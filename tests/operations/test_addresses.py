"""`flask addresses`: what becomes of messages that find no conversation."""

import pytest

NUMBER = "+15550100099"
SERVICE, FLOW, NOWHERE = "IS" + "2".zfill(32), "FW" + "1".zfill(32), "IG" + "9".zfill(32)


@pytest.fixture
def create(in_json):
    """Create a configuration and return what Twilio shows of it."""
    return lambda address=NUMBER, *options: in_json("addresses", "create", "--address", address, *options)


def test_a_number_gets_a_configuration(flask_command, in_json):
    said = flask_command(
        "addresses", "create", "--address", "+1 (555) 010-0099", "--friendly-name", "Main", "--enabled"
    )

    (found,) = in_json("addresses", "list")
    assert said == f"Created {found['sid']}: {NUMBER} (sms), autocreation on, default.\n"
    assert (found["address"], found["type"], found["friendly_name"]) == (NUMBER, "sms", "Main")


def test_autocreation_that_is_off_loses_messages_and_on_makes_conversations(create, flask_command, emulator):
    create(NUMBER, "--disabled")
    with pytest.raises(RuntimeError):
        emulator.inbound("hello")
    flask_command("addresses", "update", NUMBER, "--enabled")

    assert emulator.inbound("hello")["conversation_sid"].startswith("CH")


def test_a_configuration_with_a_webhook_has_its_filters(create):
    made = create(
        NUMBER,
        "--auto-creation-enabled",
        "--auto-creation-type",
        "webhook",
        "--auto-creation-webhook-url",
        "https://bot.example.com/conversations/webhook",
        "--auto-creation-webhook-method",
        "POST",
        "--auto-creation-webhook-filters",
        "onMessageAdded",
        "--auto-creation-webhook-filters",
        "onDeliveryUpdated",
    )

    assert made["auto_creation"] == {
        "enabled": True,
        "type": "webhook",
        "webhook_url": "https://bot.example.com/conversations/webhook",
        "webhook_method": "post",
        "webhook_filters": ["onMessageAdded", "onDeliveryUpdated"],
    }


def test_a_whatsapp_sender_in_another_service_is_known_by_its_prefix(create):
    made = create("whatsapp:+15550100099", "--enabled", "--service", SERVICE)

    assert (made["type"], made["address"]) == ("whatsapp", "whatsapp:+15550100099")
    assert made["auto_creation"]["conversation_service_sid"] == SERVICE


def test_the_prefix_is_added_for_whatsapp(create):
    assert create(NUMBER, "--type", "whatsapp")["address"] == f"whatsapp:{NUMBER}"


def test_a_studio_flow_is_kept(create):
    made = create(
        NUMBER, "--enabled", "--auto-creation-type", "studio", "--studio-flow-sid", FLOW, "--studio-retry-count", "0"
    )

    assert made["auto_creation"]["studio_flow_sid"] == FLOW
    assert made["auto_creation"]["studio_retry_count"] == 0


def test_the_list_keeps_to_a_type(create, flask_command):
    sms, _whatsapp = create(NUMBER, "--enabled"), create("whatsapp:+15550100099")

    title, line = flask_command("addresses", "list", "--type", "sms").splitlines()
    assert title.split() == ["SID", "TYPE", "ADDRESS", "FRIENDLY", "NAME", "AUTOCREATION"]
    assert line.split() == [sms["sid"], "sms", NUMBER, "on,", "default"]


def test_without_configurations_the_list_says_so(flask_command):
    assert flask_command("addresses", "list") == "No address has a configuration; Twilio's defaults hold.\n"


def test_a_configuration_is_shown_by_sid_and_by_address(create, flask_command, in_json):
    made = create(NUMBER, "--enabled")

    assert in_json("addresses", "show", made["sid"]) == made
    assert in_json("addresses", "show", NUMBER) == made
    assert flask_command("addresses", "show", NUMBER) == (
        f"{made['sid']}: {NUMBER} (sms), autocreation on, default\n  {'enabled':<26} True\n  {'type':<26} default\n"
    )


def test_an_update_changes_only_what_is_given(create, flask_command, in_json):
    made = create(NUMBER, "--enabled", "--friendly-name", "Main")
    said = flask_command("addresses", "update", NUMBER, "--disabled")

    assert said == f"Updated {made['sid']}: {NUMBER} (sms), autocreation off.\n"
    assert in_json("addresses", "show", NUMBER)["friendly_name"] == "Main"


def test_a_configuration_is_deleted_when_the_question_is_answered(app, create, in_json):
    sid = create(NUMBER, "--enabled")["sid"]

    no = app.test_cli_runner().invoke(args=["addresses", "delete", NUMBER], input="n\n")
    kept = in_json("addresses", "list")
    yes = app.test_cli_runner().invoke(args=["addresses", "delete", NUMBER], input="y\n")

    assert (no.exit_code, len(kept)) == (1, 1)
    assert yes.output == (
        f"Delete {sid} ({NUMBER} (sms), autocreation on, default)? The conversations stay. [y/N]: y\nDeleted {sid}.\n"
    )
    assert in_json("addresses", "list") == []


def test_scripts_delete_without_a_question(create, in_json):
    sid = create()["sid"]

    assert in_json("addresses", "delete", sid, "--yes") == {"sid": sid, "address": NUMBER, "deleted": True}


WEBHOOK = ["--auto-creation-type", "webhook"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        pytest.param(
            ["create", "--address", "555"],
            "'555' is not a phone number; write it with + and the country code, like +15550100001",
            id="number",
        ),
        pytest.param(
            ["create", "--address", "a b", "--type", "messenger"],
            "'a b' is no address; it needs 1 to 256 characters without spaces",
            id="address with a space",
        ),
        pytest.param(
            ["create", "--address", "whatsapp:+15550100099", "--type", "sms"],
            "'whatsapp:+15550100099' is not a phone number; write it with + and the country code, like +15550100001",
            id="wrong type",
        ),
        pytest.param(
            ["create", "--address", NUMBER, "--address-country", "USA"],
            "'USA' is no country; write two letters, like US",
            id="country",
        ),
        pytest.param(
            ["create", "--address", NUMBER, *WEBHOOK],
            "autocreation of type webhook needs a URL; give it with --auto-creation-webhook-url",
            id="webhook without URL",
        ),
        pytest.param(
            ["create", "--address", NUMBER, "--auto-creation-type", "studio"],
            "autocreation of type studio needs a flow; give it with --auto-creation-studio-flow-sid FW...",
            id="studio without flow",
        ),
        pytest.param(
            ["update", NUMBER, *WEBHOOK, "--webhook-url", "bot.example.com"],
            "'bot.example.com' is not a URL; write one like https://bot.example.com/path",
            id="URL",
        ),
        pytest.param(
            ["update", NUMBER, "--webhook-url", f"https://bot.example.com/{'x' * 500}"],
            "the URL has 524 characters; Twilio takes 512 (50372)",
            id="long URL",
        ),
        pytest.param(
            ["update", NUMBER, "--auto-creation-type", "default", "--webhook-url", "https://b.example.com"],
            "autocreation of type default has no webhook; leave it out, or make its type webhook",
            id="default with webhook",
        ),
        pytest.param(
            ["update", NUMBER, *WEBHOOK, "--studio-flow-sid", FLOW],
            "autocreation of type webhook has no Studio flow; leave it out, or make its type studio",
            id="webhook with flow",
        ),
        pytest.param(
            ["update", NUMBER, "--webhook-url", "https://b.example.com", "--studio-flow-sid", FLOW],
            "a message goes to a webhook or to a Studio flow, not to both",
            id="both",
        ),
        pytest.param(
            ["update", NUMBER, "--studio-flow-sid", "FW1"],
            "'FW1' is not a SID that begins with FW and has 32 hexadecimal digits after it",
            id="flow",
        ),
        pytest.param(
            ["update", NUMBER, "--service", "IS1"],
            "'IS1' is not a SID that begins with IS and has 32 hexadecimal digits after it",
            id="service",
        ),
        pytest.param(
            ["update", NUMBER],
            "nothing to change; give --friendly-name, --enabled, --disabled or another setting",
            id="nothing to change",
        ),
        pytest.param(
            ["show", "IG1"], "'IG1' is not a SID that begins with IG and has 32 hexadecimal digits after it", id="SID"
        ),
        pytest.param(
            ["show", "../Webhooks"],
            "'../Webhooks' is neither the SID of an address configuration (IG...) nor an address",
            id="a path",
        ),
    ],
)
def test_bad_input_is_refused_before_anything_is_sent(refused, emulator, arguments, sentence):
    assert refused("addresses", *arguments) == f"Error: {sentence}\n"
    assert emulator.requests() == []


@pytest.mark.parametrize("arguments", [["show"], ["update", "--disabled"], ["delete", "--yes"]], ids=lambda it: it[0])
def test_a_configuration_that_is_not_there_is_named(app, arguments):
    result = app.test_cli_runner().invoke(args=["addresses", *arguments, NOWHERE])

    assert (result.exit_code, result.output) == (
        1,
        f"Error: there is no address configuration {NOWHERE} (20404); `flask addresses list` shows what there is\n",
    )


def test_an_event_that_does_not_exist_is_a_wrong_call(app):
    arguments = ["addresses", "create", "--address", NUMBER, "--webhook-filter", "onMessageAdd"]

    assert app.test_cli_runner().invoke(args=arguments).exit_code == 2


@pytest.mark.parametrize(
    ("switch", "does", "other"),
    [("--enabled", "begins conversations by itself", "--disabled"), ("--disabled", "begins none", "--enabled")],
)
def test_an_address_that_has_a_configuration_is_told_with_what_changes_it(create, app, switch, does, other):
    made = create(NUMBER, switch)
    result = app.test_cli_runner().invoke(args=["addresses", "create", "--address", NUMBER, "--enabled"])

    assert result.exit_code == 1
    assert f"Error: {NUMBER} has a configuration already, {made['sid']}, and {does}; " in result.output
    assert f"`flask addresses update {NUMBER} {other}` changes that" in result.output
