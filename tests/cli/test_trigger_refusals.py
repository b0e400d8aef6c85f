"""Where `flask trigger` posts to, and what it says when nobody is there, when it is refused, and to bad input."""

import json

import pytest

from app import config, create_app
from app.cli.trigger import scenarios
from tests.conftest import ORIGIN
from tests.support.triggering import own_url, trigger

pytestmark = pytest.mark.engines("sqlite")  # one engine is enough: nothing here depends on it

__all__ = ["own_url", "trigger"]


@pytest.fixture
def trigger_alone(environ, own_url, free_port):
    """Run `flask trigger` where no emulator answers at the usual address."""

    def run(*arguments):
        alone = create_app(config.from_environment(environ))
        nowhere = {"trigger": {"emulator": f"http://127.0.0.1:{free_port()}"}}
        result = alone.test_cli_runner().invoke(args=["trigger", *arguments], default_map=nowhere)
        alone.extensions["parley"].db.close()
        return result

    return run


def test_a_request_can_be_signed_for_another_origin(trigger, own_url):
    result = trigger("onMessageAdded", "--to", own_url, "--signed-for", "https://elsewhere.example.com")

    assert result.exit_code == 1
    assert " 403 " in result.stdout
    assert "TWILIO_AUTH_TOKEN or PUBLIC_URL" in result.stderr


def test_the_emulator_of_the_settings_is_used(app, webhooks_arrive, emulator):
    result = app.test_cli_runner().invoke(args=["trigger", "onMessageAdded", "--set", "Body=Hello there"])

    assert result.exit_code == 0, result.output
    assert [message["body"] for message in emulator.messages()] == ["Hello there"]


def test_without_an_emulator_it_posts_to_the_public_url(trigger_alone, own_url):
    result = trigger_alone("onMessageAdded", "--json")

    assert [post["status"] for post in json.loads(result.stdout)] == [204]
    assert f"posting to {own_url}" in result.stderr


def test_without_an_emulator_and_settings_it_says_what_to_start(trigger_alone, environ):
    del environ["PUBLIC_URL"]
    result = trigger_alone("onMessageAdded")

    assert result.exit_code == 1
    assert "start `flask dev` or `flask emulator`, or use --to URL" in result.stderr


def test_an_emulator_that_was_named_and_does_not_answer_is_never_replaced_by_the_public_url(app, own_url, free_port):
    url = f"http://127.0.0.1:{free_port()}"
    result = app.test_cli_runner().invoke(args=["trigger", "onMessageAdded", "--emulator", url])

    assert (result.exit_code, result.stdout) == (1, "")
    assert url in result.stderr


def test_a_receiver_that_is_not_there_is_reported(app, free_port):
    url = f"http://127.0.0.1:{free_port()}/"
    result = app.test_cli_runner().invoke(args=["trigger", "onUserAdded", "--to", url])

    assert result.exit_code == 1
    assert "Connection refused" in result.stdout


def test_nothing_happens_when_the_webhook_does_not_want_the_event(trigger, emulator):
    scenarios.rest(emulator.url, "POST", "/Configuration/Webhooks", {"Filters": "onMessageAdded"})
    result = trigger("onConversationAdded")

    assert result.exit_code == 1
    assert "leave out onConversationAdded" in result.stderr
    assert emulator.counts()["webhooks"] == 0


BAD_INPUT = {
    "misspelt event": (["onMessagAdded"], "'onMessagAdded' is unknown; did you mean onMessageAdded?"),
    "event in small letters": (["onmessageadded"], "did you mean onMessageAdded?"),
    "no event at all": (["xyz"], "'xyz' is unknown; known are onMessageAdded"),
    "set without value": (["onMessageAdded", "--set", "Body"], "'Body' is not NAME=VALUE"),
    "set without name": (["onMessageAdded", "--set", "=hi"], "'=hi' is not NAME=VALUE"),
    "misspelt parameter": (
        ["onMessageAdded", "--set", "Bodi=hi"],
        "'Bodi' is no parameter of onMessageAdded; did you mean Body?",
    ),
    "other event type": (["onMessageAdded", "--set", "EventType=onMessageAdd"], "EventType is the argument"),
    "misspelt status": (["onDeliveryUpdated", "--set", "Status=delivred"], "did you mean delivered?"),
    "old name of the status": (["onDeliveryUpdated", "--set", "DeliveryStatus=sent"], "did you mean Status?"),
    "code that is no number": (["onDeliveryUpdated", "--set", "ErrorCode=x"], "'x' is no number"),
    "misspelt channel": (["onMessageAdded", "--channel", "whatsap"], "'whatsap' is unknown; did you mean whatsapp?"),
    "receipt on chat": (["onDeliveryUpdated", "--channel", "chat"], "'chat' has no onDeliveryUpdated"),
    "nothing to shuffle": (["onUserAdded", "--shuffle"], "nothing else belongs to onUserAdded"),
    "count of none": (["onMessageAdded", "--count", "0"], "0 is not in the range"),
    "address without scheme": (["onMessageAdded", "--to", "example.com"], "'example.com' must be http://"),
    "address of another kind": (["onMessageAdded", "--to", "ftp://127.0.0.1/"], "'ftp://127.0.0.1/' must be http://"),
    "port that is none": (["onMessageAdded", "--to", "http://127.0.0.1:port/"], "must be http://"),
    "origin with a path": (
        ["onMessageAdded", "--to", "http://127.0.0.1/", "--signed-for", f"{ORIGIN}/path"],
        "must be an origin alone",
    ),
    "origin for nothing": (["onMessageAdded", "--signed-for", ORIGIN], "--signed-for needs --to"),
}


@pytest.mark.parametrize(("arguments", "sentence"), BAD_INPUT.values(), ids=BAD_INPUT)
def test_bad_input_is_named_before_anything_is_posted(arguments, sentence, trigger, emulator):
    result = trigger(*arguments)

    assert result.exit_code == 2
    assert sentence in result.stderr
    assert emulator.counts()["webhooks"] == 0
