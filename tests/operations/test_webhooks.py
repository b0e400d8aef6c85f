"""`flask webhooks`: where webhooks go, in every scope; what is refused before anything is sent."""

import json

import pytest

from app.bot.handlers import HANDLERS
from app.operations.webhooks import ROUTE, needed_filters
from app.receiver import webhook as door
from app.twilio_api import events
from tests.support.ngrok import Ngrok
from tests.support.webhook_receiver import sdk_client

URL = "https://bot.example.com/conversations/webhook"
OTHER = "https://other.example.com/hook"


@pytest.fixture
def v1(emulator):
    """The account, as the SDK sees it."""
    return sdk_client(emulator.url).conversations.v1


@pytest.fixture
def service(v1):
    return v1.services(v1.services.create(friendly_name="Sales").sid)


@pytest.fixture
def conversation(emulator):
    return emulator.inbound("hello")["conversation_sid"]


@pytest.fixture
def fail(app):
    """Run a `flask` command that must fail and return its exit code and what it said."""

    def run(*arguments, answer=None):
        result = app.test_cli_runner().invoke(args=list(arguments), input=answer)
        assert result.exit_code != 0, result.output
        return result.exit_code, result.output

    return run


def changes(emulator):
    return [request for request in emulator.requests() if request["method"] != "GET"]


def test_what_parley_needs_is_what_it_has_handlers_for():
    handled = {name for name, event_class in events.EVENT_CLASSES.items() if event_class in HANDLERS}
    assert set(needed_filters()) == handled


def test_the_route_is_the_doors():
    assert ROUTE == door.ROUTE


def test_the_global_webhook_is_set_for_parley_and_shown(flask_command, v1):
    flask_command("webhooks", "set", "--post-webhook-url", URL, "--filter", "onMessageAdded", "--filter", "onUserAdded")

    found = v1.configuration.webhooks().fetch()
    assert (found.method, found.post_webhook_url) == ("POST", URL)
    assert sorted(found.filters) == ["onMessageAdded", "onUserAdded"]
    assert f"post webhook url  {URL}" in flask_command("webhooks", "show")


def test_without_filters_those_that_parley_needs_are_added_to_what_is_there(flask_command, v1):
    v1.configuration.webhooks().update(filters=["onUserAdded"])
    flask_command("webhooks", "set", "--post-webhook-url", URL)

    assert set(v1.configuration.webhooks().fetch().filters) == {"onUserAdded", *needed_filters()}


def test_a_pre_event_webhook_stays_where_it_is(flask_command, v1):
    v1.configuration.webhooks().update(pre_webhook_url=OTHER, filters=["onMessageAdd"])
    flask_command("webhooks", "set", "--post-webhook-url", URL)

    found = v1.configuration.webhooks().fetch()
    assert (found.pre_webhook_url, "onMessageAdd" in found.filters) == (OTHER, True)


def test_a_pre_event_webhook_is_taken_away_and_its_filters_with_it(flask_command, v1):
    v1.configuration.webhooks().update(post_webhook_url=URL, pre_webhook_url=OTHER, filters=["onMessageAdd"])
    said = flask_command("webhooks", "set", "--pre-webhook-url", "", "--yes")

    found = v1.configuration.webhooks().fetch()
    assert (found.pre_webhook_url or "", found.post_webhook_url) == ("", URL)
    assert set(found.filters) == set(needed_filters())
    assert f"was POST {URL}, 1 filters, and asks the pre-event URL {OTHER} before; now POST {URL}, 11 filters." in said


def test_pointing_takes_the_pre_event_webhook_away_and_the_question_names_it(fail, flask_command, v1):
    v1.configuration.webhooks().update(pre_webhook_url=OTHER, filters=["onMessageAdd"])
    _, asked = fail("webhooks", "point", "https://bot.example.com", answer="n\n")
    kept = v1.configuration.webhooks().fetch().pre_webhook_url
    flask_command("webhooks", "point", "https://bot.example.com", "--yes")

    found = v1.configuration.webhooks().fetch()
    assert f"and asks the pre-event URL {OTHER} before)?" in asked
    assert (kept, found.pre_webhook_url or "", found.post_webhook_url) == (OTHER, "", URL)
    assert set(found.filters) == set(needed_filters())


def test_replacing_another_url_asks(fail, v1):
    v1.configuration.webhooks().update(post_webhook_url=OTHER, filters=["onMessageAdded", "onMessageAdd"])
    code, said = fail("webhooks", "set", "--post-webhook-url", URL, answer="n\n")

    assert (code, v1.configuration.webhooks().fetch().post_webhook_url) == (1, OTHER)
    assert "Replace the global webhook (POST https://other.example.com/hook, 2 filters)?" in said


def test_clearing_asks_and_says_what_there_was(fail, flask_command, v1):
    v1.configuration.webhooks().update(post_webhook_url=OTHER)
    fail("webhooks", "clear", answer="n\n")
    kept = v1.configuration.webhooks().fetch().post_webhook_url

    assert kept == OTHER
    assert "it was POST https://other.example.com/hook" in flask_command("webhooks", "clear", "--yes")
    assert not v1.configuration.webhooks().fetch().post_webhook_url


@pytest.mark.parametrize("address", ["https://bot.example.com", "https://bot.example.com/", URL], ids=str)
def test_pointing_sets_url_method_and_filters(flask_command, v1, address):
    v1.configuration.webhooks().update(method="GET", filters=["onUserAdded"])
    flask_command("webhooks", "point", address)

    found = v1.configuration.webhooks().fetch()
    assert (found.method, found.post_webhook_url, found.target) == ("POST", URL, "webhook")
    assert set(found.filters) == {"onUserAdded", *needed_filters()}


def test_pointing_without_a_url_takes_the_public_one(flask_command, v1):
    flask_command("webhooks", "point")

    assert v1.configuration.webhooks().fetch().post_webhook_url == "https://bot.example.com/conversations/webhook"


def test_pointing_finds_ngroks_tunnel_and_says_what_to_set(flask_command, v1):
    with Ngrok(8000) as ngrok:
        said = flask_command("webhooks", "point", "--ngrok", "--ngrok-api", ngrok.api)

    assert v1.configuration.webhooks().fetch().post_webhook_url == ngrok.public_url + ROUTE
    assert f"Set PUBLIC_URL={ngrok.public_url} and start the app again" in said


def test_pointing_without_doing_it_only_says_so(flask_command, emulator):
    said = flask_command("webhooks", "point", "https://bot.example.com", "--dry-run")

    assert f"would be POST {URL}" in said
    assert changes(emulator) == []


def test_pointing_twice_changes_nothing_the_second_time(flask_command):
    flask_command("webhooks", "point", "https://bot.example.com")

    assert "Nothing to do" in flask_command("webhooks", "point", "https://bot.example.com")


def test_a_conversations_webhook_is_set_changed_shown_and_cleared(flask_command, conversation):
    of_it = ("--conversation", conversation)
    flask_command("webhooks", "set", *of_it, "--post-webhook-url", OTHER, "--filter", "onMessageAdded")
    flask_command("webhooks", "set", *of_it, "--post-webhook-url", OTHER, "--filter", "onMessageRemoved")
    (hook,) = json.loads(flask_command("webhooks", "show", *of_it, "--json"))
    said = flask_command("webhooks", "clear", *of_it, "--yes")

    assert (hook["target"], hook["configuration"]["filters"]) == ("webhook", ["onMessageRemoved"])
    assert said == f"Removed {hook['sid']}.\n"
    assert flask_command("webhooks", "show", *of_it) == "The conversation has no webhook of its own.\n"


@pytest.mark.parametrize(
    ("options", "target", "configuration"),
    [
        (
            ["--target", "trigger", "--post-webhook-url", OTHER, "--trigger", "help", "--method", "GET"],
            "trigger",
            {"url": OTHER, "triggers": ["help"]},
        ),
        (["--target", "studio", "--flow-sid", "FW" + "0" * 32], "studio", {"flow_sid": "FW" + "0" * 32}),
        (["--post-webhook-url", OTHER, "--replay-after", "0"], "webhook", {"url": OTHER, "replay_after": 0}),
    ],
    ids=["trigger", "studio", "replay"],
)
def test_every_kind_of_a_conversations_webhook_can_be_set(flask_command, conversation, options, target, configuration):
    (hook,) = json.loads(flask_command("webhooks", "set", "--conversation", conversation, *options, "--json"))

    assert hook["target"] == target
    assert hook["configuration"] | configuration == hook["configuration"]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--post-webhook-url", "bot.example.com"], "'bot.example.com' is not a URL"),
        (["--post-webhook-url", URL + "#rc=2"], "Conversations takes no connection overrides"),
        (["--post-webhook-url", "https://me:secret@bot.example.com/"], "is not a URL"),
        ([], "no URL is set yet; give --post-webhook-url"),
        (["--post-webhook-url", ""], "no URL is set yet; give --post-webhook-url"),
        (["--pre-webhook-url", URL, "--filter", "onMessageAdded"], "needs --filter with what it is asked about"),
        (["--service", "IS1", "--post-webhook-url", URL], "'IS1' is not a SID that begins with IS"),
        (
            ["--service", "DEFAULT", "--post-webhook-url", URL, "--filter", "onUserAdded"],
            "'onUserAdded' is not an event this webhook can ask for",
        ),
        (["--conversation", "a/b", "--post-webhook-url", URL], "the conversation 'a/b' cannot stand in a URL"),
        (["--conversation", "CH"], "a URL is needed; give --post-webhook-url"),
        (["--conversation", "CH", "--post-webhook-url", "https://x.example.com/" + "a" * 500], "Twilio takes 512"),
        (["--conversation", "CH", "--post-webhook-url", URL, "--trigger", "x"], "--trigger is for --target trigger"),
        (
            ["--conversation", "CH", "--post-webhook-url", URL, "--filter", "onMessageAdd"],
            "'onMessageAdd' is not an event this webhook can ask for",
        ),
        (["--conversation", "CH", "--post-webhook-url", URL, "--target", "trigger"], "0 trigger words are given"),
        (["--conversation", "CH", "--target", "studio", "--flow-sid", "FW1"], "is not a SID that begins with FW"),
        (["--conversation", "CH", "--target", "studio", "--post-webhook-url", URL], "has a flow only"),
        (["--conversation", "CH", "--post-webhook-url", URL, "--webhook", "WH1"], "is not a SID that begins with WH"),
    ],
    ids=lambda value: " ".join(value)[:50] if isinstance(value, list) else "",
)
def test_what_is_wrong_is_refused_before_anything_is_changed(fail, emulator, v1, options, sentence):
    v1.configuration.webhooks().update(post_webhook_url="", filters=[""])
    before = len(changes(emulator))
    default = v1.configuration().fetch().default_chat_service_sid
    code, said = fail("webhooks", "set", *[default if option == "DEFAULT" else option for option in options])

    assert (code, len(changes(emulator))) == (1, before)
    assert sentence in said


@pytest.mark.parametrize(
    "arguments",
    [
        ["set", "--filter", "onNothing"],
        ["set", "--target", "studio"],
        ["set", "--replay-after", "3"],
        ["set", "--conversation", "CH", "--pre-webhook-url", URL],
        ["clear", "--webhook", "WH" + "0" * 32],
        ["point", URL, "--ngrok"],
    ],
    ids=" ".join,
)
def test_options_that_do_not_go_together_are_a_usage_error(fail, emulator, arguments):
    assert fail("webhooks", *arguments)[0] == 2
    assert emulator.requests() == []


def test_the_sixth_webhook_of_a_conversation_is_refused_with_the_next_step(flask_command, fail, conversation):
    for number in range(5):
        flask_command("webhooks", "set", "--conversation", conversation, "--post-webhook-url", f"{OTHER}/{number}")

    code, said = fail("webhooks", "set", "--conversation", conversation, "--post-webhook-url", URL)
    assert (code, "the conversation has 5 webhooks, which is the most; clear one first" in said) == (1, True)


@pytest.mark.parametrize(
    ("conversation_sid", "options", "sentence"),
    [
        (
            "nowhere",
            [],
            "there is no conversation nowhere (50350); check the SID, and the service with --service IS...",
        ),
        ("", ["--webhook", "WH" + "9" * 32], "there is no webhook WH9999"),
    ],
    ids=["conversation", "webhook"],
)
def test_what_is_not_there_is_named(fail, conversation, conversation_sid, options, sentence):
    code, said = fail("webhooks", "clear", "--conversation", conversation_sid or conversation, *options, "--yes")

    assert (code, sentence in said) == (1, True)
