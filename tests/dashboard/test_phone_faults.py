"""What goes wrong on the phone of the offline loop: switches, carriers that fail, refusals, and where there is none."""

from dataclasses import replace
from urllib.parse import quote

import pytest

from tests.dashboard.conftest import PASSWORD, Browser
from tests.support.phone_screen import (
    LOOP,
    SMS,
    WHATSAPP,
    environ,
    everything_happens,
    log,
    path_of,
    phone,
    screen,
    write,
)

__all__ = ["environ", "everything_happens", "phone", "write"]
FIELDS = {"duplicate": "0", "reorder": "0", "drop": "0", "delay": "0", "fail": ""}


def test_a_webhook_that_gets_lost_leaves_parley_unaware(phone, write):
    phone.submit("/phone", "/phone/faults", **FIELDS | {"drop": "1"})
    write(SMS, "hello")

    assert "Parley has not received it" in screen(phone, SMS)
    assert "Nothing yet" in log(phone, SMS)


def test_webhooks_that_come_twice_get_one_reply(phone, write, emulator):
    phone.submit("/phone", "/phone/faults", **FIELDS | {"duplicate": "1"})
    write(SMS, "hello")

    assert emulator.replies() == ["Thanks, we will be right back."]


@pytest.mark.parametrize(
    ("switch", "value", "shown"),
    [
        ("duplicate", "0.5", "Webhooks come twice: half of them"),
        ("reorder", "1", "Webhooks overtake each other: all of them"),
        ("drop", "1", "Webhooks get lost: all of them"),
        ("delay", "3", "Webhooks come later: after 3 s"),
        ("fail", "400:1", "Twilio’s API refuses: all, for good (400)"),
    ],
)
def test_a_switch_that_is_on_is_shown_on_the_phone(phone, switch, value, shown):
    phone.submit("/phone", "/phone/faults", **FIELDS | {switch: value})

    assert shown in screen(phone, SMS)
    assert f'<option value="{value}" selected>' in phone.get("/phone").text


def test_faults_that_have_no_switch_stay(phone, emulator):
    emulator.faults(latency=0.01, drop=1)
    phone.submit("/phone", "/phone/faults", **FIELDS)

    assert {name: emulator.faults_in_force()[name] for name in ("latency", "drop")} == {"latency": 0.01, "drop": 0}


def test_a_switch_knows_only_its_own_positions(phone, emulator):
    phone.submit("/phone", "/phone/faults", **FIELDS | {"delay": "86400", "fail": "503:7"})

    assert (emulator.faults_in_force()["delay"], emulator.faults_in_force()["fail"]) == (0, "")


def test_a_carrier_that_fails_is_shown_with_its_code_and_meaning(phone, write):
    phone.submit(path_of(SMS), "/phone/carrier", fate="30003")
    write(SMS, "hello")

    shown = screen(phone, SMS)
    assert "Messages to this phone fail: 30003" in shown
    assert "✗ undelivered 30003: the handset cannot be reached" in shown


def test_a_phone_that_nobody_looks_at_asks_for_no_look(phone, write):
    phone.submit(path_of(WHATSAPP), "/phone/carrier", fate="delivered")
    write(WHATSAPP, "hello")

    assert 'data-unseen=""' in phone.get(path_of(WHATSAPP)).text


def test_a_carrier_can_be_repaired(phone, write):
    phone.submit(path_of(SMS), "/phone/carrier", fate="30003")
    phone.submit(path_of(SMS), "/phone/carrier", fate="")
    write(SMS, "hello")

    assert "✓✓ delivered" in screen(phone, SMS)


@pytest.mark.parametrize(
    ("channel", "name", "sentence"),
    [
        ("sms", "hello", "is not a phone number"),
        ("whatsapp", "+1", "is not a phone number"),
        ("chat", "support-bot", "is the bot itself"),
        ("chat", "+15550100003", "cannot be a name in the web chat"),
        ("fax", "+15550100003", "choose one of SMS, WhatsApp, Web chat"),
    ],
)
def test_who_cannot_be_is_refused_with_a_sentence(phone, channel, name, sentence):
    answer = phone.get("/phone", query_string={"channel": channel, "name": name})

    assert sentence in answer.text


def test_a_number_may_be_written_as_people_write_it(phone):
    answer = phone.get("/phone", query_string={"channel": "sms", "name": "+1 (555) 010-0777"})

    assert "The phone of +15550100777" in answer.text


def test_a_form_without_its_token_is_refused(phone, emulator):
    answer = phone.post("/phone/write", {"who": SMS, "text": "hello"})

    assert answer.status_code == 400
    assert emulator.messages() == []


def test_an_empty_message_is_refused_with_a_sentence(phone, emulator):
    phone.submit(path_of(SMS), "/phone/write", text="  ")

    assert "there is nothing to send yet" in phone.get(path_of(SMS)).text
    assert emulator.messages() == []


def test_the_script_is_told_the_sentence_of_a_refusal(phone):
    fields = phone.form(path_of(SMS), "/phone/write")
    headers = {"Origin": LOOP, "X-Requested-With": "parley"}
    refused = phone.post("/phone/write", fields | {"text": ""}, headers=headers)
    sent = phone.post("/phone/write", fields | {"text": "hello"}, headers=headers)

    assert (refused.status_code, refused.text) == (409, "there is nothing to send yet; write something")
    assert sent.status_code == 204


@pytest.mark.parametrize("fragment", ["phone", "phone-log"])
def test_nothing_is_sent_again_while_nothing_is_new(phone, write, fragment):
    write(SMS, "hello")
    path = f"/fragments/{fragment}?who={quote(SMS)}"
    known = phone.get(path).headers["ETag"]

    assert phone.get(path, headers={"If-None-Match": known}).status_code == 304


def test_without_an_emulator_the_page_says_so(app):
    parley = app.extensions["parley"]
    parley.settings = replace(parley.settings, api_base_url="http://127.0.0.1:9")
    with app.test_client() as client:
        answer = Browser(client, LOOP).get("/phone")

    assert answer.status_code == 502
    assert "flask dev" in answer.text


class TestElsewhere:
    """Where Twilio is real there is no phone."""

    @pytest.fixture
    def environ(self, environ: dict[str, str]) -> dict[str, str]:
        return environ | {"PUBLIC_URL": "https://bot.example.com", "BOT_ADMIN_PASSWORD": PASSWORD}

    @pytest.mark.parametrize("path", ["/phone", "/fragments/phone", "/fragments/phone-log"])
    def test_there_is_no_phone(self, page, path):
        assert page.get(path).status_code == 404

    @pytest.mark.parametrize("path", ["/phone/write", "/phone/look", "/phone/faults", "/phone/carrier"])
    def test_nobody_can_write_as_a_customer(self, page, emulator, path):
        token = page.form("/", "/logout")["csrf_token"]
        answer = page.post(
            path,
            {"csrf_token": token, "who": SMS, "text": "hello"},
            headers={"Origin": page.origin, "Referer": f"{page.origin}/"},
        )

        assert answer.status_code == 404
        assert emulator.messages() == []

    def test_no_page_leads_to_it(self, page):
        assert "/phone" not in page.get("/").text
