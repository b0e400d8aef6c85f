"""What `flask doctor` says of the account's webhook, and how it mends it."""

import json
from dataclasses import replace

import pytest

from app.operations.account import Account
from app.operations.doctor_account import global_webhook
from app.operations.doctor_report import DoctorContext
from app.operations.webhooks import ROUTE, needed_filters
from app.runtime.from_settings import make_conversations
from tests.support.webhook_receiver import sdk_client

OTHER = "https://other.example.com/hook"


@pytest.fixture
def public_url(free_port):
    """An address of this machine where nobody answers: the webhook alone is looked at here."""
    return f"http://127.0.0.1:{free_port()}"


@pytest.fixture
def environ(environ, public_url):
    return environ | {"PUBLIC_URL": public_url}


@pytest.fixture
def v1(emulator, public_url):
    """The account, as the SDK sees it; its webhook is as it should be."""
    v1 = sdk_client(emulator.url).conversations.v1
    v1.configuration.webhooks().update(method="POST", filters=needed_filters(), post_webhook_url=public_url + ROUTE)
    return v1


@pytest.fixture
def doctor(app):
    """Run the command and return what it finds of the global webhook."""

    def run(*options, answer=None):
        result = app.test_cli_runner().invoke(args=["doctor", "--json", *options], input=answer)
        return next(one for one in json.loads(result.stdout)["findings"] if one["check"] == "global webhook")

    return run


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"post_webhook_url": ""}, "no post-event URL is set"),
        ({"post_webhook_url": OTHER}, "it calls POST https://other.example.com/hook, 11 filters, not http://127.0.0.1"),
        ({"method": "GET"}, "it is called by GET, not POST"),
        ({"filters": ["onMessageAdded"]}, "it leaves out "),
        ({"target": "flex"}, "its target is flex, not webhook"),
    ],
    ids=["none", "another URL", "GET", "filters", "flex"],
)
def test_a_global_webhook_that_is_wrong_is_a_problem_that_can_be_mended(doctor, v1, public_url, change, found):
    v1.configuration.webhooks().update(**change)
    before, after = doctor(), doctor("--fix", "--yes")

    assert (before["state"], after["state"]) == ("problem", "ok")
    assert found in before["found"]
    assert before["next_step"] == f"run `flask webhooks point {public_url}`"


def test_mending_asks_first(doctor, v1):
    v1.configuration.webhooks().update(post_webhook_url=OTHER)
    finding = doctor("--fix", answer="n\n")

    assert (finding["state"], v1.configuration.webhooks().fetch().post_webhook_url) == ("problem", OTHER)


@pytest.mark.parametrize(
    ("origin", "found"),
    [("http://bot.example.com", "is not https"), ("https://127.0.0.1:9", "is an address of this machine only")],
    ids=["http", "loopback"],
)
def test_an_address_that_twilio_cannot_call_safely_is_a_problem(v1, app, origin, found):
    v1.configuration.webhooks().update(post_webhook_url=origin + ROUTE)
    parley = app.extensions["parley"]
    account = Account(make_conversations(parley.settings, None))
    settings = replace(parley.settings, public_url=origin, api_base_url="")
    (finding,) = global_webhook(DoctorContext(settings, parley.db, account, lambda: None))

    assert (finding.state, found in finding.found) == ("problem", True)


def test_a_pre_event_url_is_a_warning_and_fix_takes_it_away(doctor, v1, public_url):
    v1.configuration.webhooks().update(pre_webhook_url=OTHER, filters=[*needed_filters(), "onMessageAdd"])
    warned = doctor()
    mended = doctor("--fix", "--yes")

    assert warned["state"] == "warning"
    assert f"asks the pre-event URL {OTHER} before; what that answers can forbid a message" in warned["found"]
    assert f"run `flask webhooks point {public_url}`, which takes it away" in warned["next_step"]
    assert (mended["state"], v1.configuration.webhooks().fetch().pre_webhook_url or "") == ("ok", "")


def test_before_a_pre_event_url_is_taken_away_the_question_names_it(app, v1):
    v1.configuration.webhooks().update(pre_webhook_url=OTHER, filters=[*needed_filters(), "onMessageAdd"])
    result = app.test_cli_runner().invoke(args=["doctor", "--fix"], input="n\n" * 5)

    assert "and ask no pre-event URL (" in result.output
    assert OTHER in result.output.partition("and ask no pre-event URL (")[2].partition("?")[0]
    assert v1.configuration.webhooks().fetch().pre_webhook_url == OTHER
