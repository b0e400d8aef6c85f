"""What the emulator tells of the requests it got, of its numbers, and of its time."""

from email.utils import parsedate_to_datetime

import pytest
import requests

from tests.support.webhook_receiver import ACCOUNT_SID, AUTH_TOKEN

NUMBER = "+15550100099"


def test_a_request_is_kept_with_its_form(emulator, twilio):
    sid = twilio.conversations.v1.conversations.create(friendly_name="Desk", unique_name="desk-1").sid
    twilio.conversations.v1.conversations(sid).webhooks.create(
        target="webhook",
        configuration_url="https://bot.example.com/h",
        configuration_filters=["onMessageAdded", "onMessageRemoved"],
    )

    created, hooked = emulator.requests()
    assert (created["method"], created["path"]) == ("POST", "/v1/Conversations")
    assert sorted(created["form"]) == [["FriendlyName", "Desk"], ["UniqueName", "desk-1"]]
    assert [value for name, value in hooked["form"] if name == "Configuration.Filters"] == [
        "onMessageAdded",
        "onMessageRemoved",
    ]


def test_a_request_is_kept_with_its_query(emulator, twilio):
    twilio.conversations.v1.conversations.list(state="active", limit=5)

    (listed,) = emulator.requests()
    assert ["State", "active"] in listed["query"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/v1/Nothing", 404), ("DELETE", "/v1/Conversations", 405)],
    ids=["unknown path", "unknown method"],
)
def test_a_request_that_leads_nowhere_is_kept_too(emulator, method, path, status):
    answer = requests.request(method, emulator.url + path, auth=(ACCOUNT_SID, AUTH_TOKEN), timeout=60)

    (kept,) = emulator.requests()
    assert (kept["method"], kept["path"], kept["status"], answer.status_code) == (method, path, status, status)


def test_the_accounts_numbers_are_listed_with_their_sms_webhook(emulator, twilio):
    emulator.number(NUMBER, sms_url="https://old.example.com/sms")
    emulator.number("+15550100098")

    listed = twilio.incoming_phone_numbers.list()
    assert [(one.phone_number, one.sms_url) for one in listed] == [
        ("+15550100098", ""),
        (NUMBER, "https://old.example.com/sms"),
    ]


def test_numbers_are_forgotten_with_everything_else(emulator, twilio):
    emulator.number(NUMBER)
    emulator.reset()

    assert twilio.incoming_phone_numbers.list() == []


def test_another_account_has_no_numbers_here(emulator):
    path = f"/2010-04-01/Accounts/AC{'9' * 32}/IncomingPhoneNumbers.json"
    answer = requests.get(emulator.url + path, auth=(ACCOUNT_SID, AUTH_TOKEN), timeout=60)

    assert (answer.status_code, answer.json()["code"]) == (404, 20404)


def test_the_date_of_an_answer_is_the_emulators(emulator):
    url, credentials = f"{emulator.url}/v1/Configuration", (ACCOUNT_SID, AUTH_TOKEN)
    before = parsedate_to_datetime(requests.get(url, auth=credentials, timeout=60).headers["Date"])
    emulator.advance(3600)
    after = parsedate_to_datetime(requests.get(url, auth=credentials, timeout=60).headers["Date"])

    assert 3600 <= (after - before).total_seconds() < 3700
