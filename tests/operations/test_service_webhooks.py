"""`flask webhooks --service`: the webhook of a service, and how it silences the account's."""

import json

import pytest

from app.operations.webhooks import needed_filters
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


def changes(emulator):
    return [request for request in emulator.requests() if request["method"] != "GET"]


def test_showing_the_global_webhook_names_the_services_that_silence_it(flask_command, v1, service):
    service.configuration.webhooks().update(post_webhook_url=OTHER, filters=["onMessageAdded"])

    shown = flask_command("webhooks", "show")
    (overriding,) = json.loads(flask_command("webhooks", "show", "--json"))["overridden_by"]
    assert "(Sales) has its own, which silences this one: POST https://other.example.com/hook, 1 filters" in shown
    assert (overriding["friendly_name"], overriding["post_webhook_url"]) == ("Sales", OTHER)


def test_a_services_webhook_is_set_and_shown(flask_command, service):
    sid = service.fetch().sid
    said = flask_command("webhooks", "set", "--service", sid, "--post-webhook-url", URL)
    shown = json.loads(flask_command("webhooks", "show", "--service", sid, "--json"))

    assert (shown["post_webhook_url"], set(shown["filters"])) == (URL, set(needed_filters()))
    assert said.startswith(f"The webhook of {sid} was none; now POST {URL}")


@pytest.mark.parametrize("pre_url", ["", "https://flow.example.com/pre"], ids=["post-event only", "pre-event too"])
def test_a_services_webhook_that_is_cleared_does_what_the_accounts_does(flask_command, v1, service, emulator, pre_url):
    asked = ["onMessageAdd"] if pre_url else []
    v1.configuration.webhooks().update(
        post_webhook_url=URL, pre_webhook_url=pre_url, filters=["onMessageAdded", "onUserAdded", *asked], method="POST"
    )
    own = service.configuration.webhooks()
    own.update(post_webhook_url=OTHER, filters=["onMessageRemoved", "onMessageAdd"], method="GET")
    before = len(changes(emulator))
    said = flask_command("webhooks", "clear", "--service", own.fetch().chat_service_sid, "--yes")

    now = own.fetch()
    assert (now.method, now.post_webhook_url, sorted(now.filters)) == ("POST", URL, sorted(["onMessageAdded", *asked]))
    assert (now.pre_webhook_url or "") == pre_url
    assert "now it does what the global one does" in said
    (request,) = changes(emulator)[before:]
    assert all(value for name, value in request["form"] if name.endswith("Url"))
    assert "which calls the same address" in flask_command("webhooks", "show")


def test_where_the_account_has_no_webhook_a_cleared_service_asks_for_no_events(flask_command, service, emulator):
    own = service.configuration.webhooks()
    own.update(post_webhook_url=OTHER, filters=["onMessageAdded"])
    before = len(changes(emulator))
    said = flask_command("webhooks", "clear", "--service", own.fetch().chat_service_sid, "--yes")

    assert own.fetch().filters == []
    assert "now it asks for no events, as the global one" in said
    assert [request["form"] for request in changes(emulator)[before:]] == [[["Filters", ""], ["Method", "POST"]]]


def test_the_service_of_the_settings_does_not_hide_the_global_webhook(app, flask_command, v1, service):
    app.extensions["parley"].settings = app.extensions["parley"].settings.__class__(
        **{**vars(app.extensions["parley"].settings), "service_sid": service.fetch().sid}
    )
    flask_command("webhooks", "set", "--post-webhook-url", URL)

    assert v1.configuration.webhooks().fetch().post_webhook_url == URL
    assert not service.configuration.webhooks().fetch().post_webhook_url


def test_pointing_warns_of_services_that_stay_silent(flask_command, service):
    service.configuration.webhooks().update(post_webhook_url=OTHER, filters=["onMessageAdded"])

    assert "has its own, so nothing of it comes here" in flask_command("webhooks", "point", "https://bot.example.com")
