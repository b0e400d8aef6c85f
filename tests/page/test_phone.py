"""The phone of the offline loop: one writes as a customer and sees the reply, its ticks, and what goes wrong."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from html import unescape
from urllib.parse import quote

import pytest
from flask import Flask

from app.emulator.client import Emulator
from tests.page.conftest import PASSWORD, Browser

LOOP = "http://127.0.0.1:8000"
SMS, WHATSAPP, CHAT = "sms:+15550100003", "whatsapp:+15550100004", "chat:visitor"
FIELDS = {"duplicate": "0", "reorder": "0", "drop": "0", "delay": "0", "fail": ""}


@pytest.fixture
def environ(environ: dict[str, str]) -> dict[str, str]:
    return environ | {"PUBLIC_URL": LOOP, "BOT_ADMIN_PASSWORD": ""}


@pytest.fixture
def phone(app: Flask, webhooks_arrive: None) -> Iterator[Browser]:
    """Somebody at this machine, in the offline loop."""
    with app.test_client() as client:
        yield Browser(client, LOOP)


@pytest.fixture
def write(phone: Browser, everything_happens: Callable[[], None]) -> Callable[..., None]:
    """Write as a customer, and let everything happen that follows."""

    def write_as(who: str, text: str, **more: str) -> None:
        assert phone.submit(path_of(who), "/phone/write", text=text, **more).status_code == 303
        everything_happens()

    return write_as


@pytest.fixture
def everything_happens(emulator: Emulator, run_worker: Callable[[], None]) -> Callable[[], None]:
    """The webhooks arrive, the worker answers, the receipts arrive and are worked off."""

    def run() -> None:
        assert emulator.settle()
        run_worker()
        assert emulator.settle()
        run_worker()

    return run


def path_of(who: str) -> str:
    return f"/phone?who={quote(who)}"


def screen(phone: Browser, who: str) -> str:
    """Return the text on the screen, without tags."""
    return words(phone.get(f"/fragments/phone?who={quote(who)}").text)


def log(phone: Browser, who: str) -> str:
    return words(phone.get(f"/fragments/phone-log?who={quote(who)}").text)


def words(html: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())


@pytest.mark.parametrize("who", [SMS, WHATSAPP, CHAT])
def test_a_customer_writes_and_reads_the_bots_reply(phone, write, who):
    write(who, "Where is my order?")

    shown = screen(phone, who)
    assert "Where is my order?" in shown
    assert 'rule "order" matched' in shown
    assert "Please send your order number." in shown


def test_the_reply_to_an_sms_has_two_ticks(phone, write):
    write(SMS, "hello")

    assert "✓✓ delivered" in screen(phone, SMS)


def test_a_whatsapp_reply_is_read_when_the_customer_looks(phone, write, everything_happens):
    write(WHATSAPP, "hello")
    before = screen(phone, WHATSAPP)
    phone.submit(path_of(WHATSAPP), "/phone/look")
    everything_happens()

    assert "✓✓ delivered" in before
    assert "✓✓ read" in screen(phone, WHATSAPP)


def test_the_screen_says_whether_a_look_would_change_anything(phone, write):
    write(WHATSAPP, "hello")
    before = phone.get(f"/fragments/phone?who={quote(WHATSAPP)}").text
    phone.submit(path_of(WHATSAPP), "/phone/look")

    assert re.search(r'data-unseen="IM\w+"', before)
    assert 'data-unseen=""' in phone.get(f"/fragments/phone?who={quote(WHATSAPP)}").text


def test_in_the_web_chat_one_sees_who_wrote(phone, write, emulator):
    write(CHAT, "hello")
    sid = emulator.messages(participant="visitor")[0]["conversation_sid"]
    emulator.chat(sid, "support-agent", "How can I help?")

    shown = screen(phone, CHAT)
    assert "support-bot" in shown
    assert "support-agent" in shown


def test_several_customers_have_a_phone_each(phone, write):
    write(SMS, "one secret")
    write(WHATSAPP, "another secret")

    assert "another secret" not in screen(phone, SMS)
    assert "one secret" not in screen(phone, WHATSAPP)


def test_who_has_written_elsewhere_can_be_chosen(phone, customer_writes):
    customer_writes("hello", sender="+15550100042")

    assert "+15550100042" in words(phone.get("/phone").text)


def test_what_a_customer_writes_stays_text(phone, write):
    write(SMS, "<script>alert(1)</script>")

    html = phone.get(path_of(SMS)).text
    assert "<script>alert" not in html
    assert html.count("&lt;script&gt;alert(1)&lt;/script&gt;") == 2  # on the screen and in the log


def test_a_photo_can_be_sent_without_words(phone, write):
    write(SMS, "", media="photo")

    assert "photo.jpg" in screen(phone, SMS)


def test_the_message_leads_to_what_the_bot_thought(phone, write, emulator):
    write(SMS, "hello")
    message = emulator.messages()[0]

    link = f'href="/c/{message["conversation_sid"]}#m-{message["sid"]}"'
    assert link in phone.get(path_of(SMS)).text
    assert f'id="m-{message["sid"]}"' in phone.get(f"/c/{message['conversation_sid']}").text


def test_the_log_says_in_two_lines_what_came_in_and_what_we_did(phone, write):
    write(SMS, "Where is my order?")

    shown = log(phone, SMS)
    assert "in onMessageAdded +15550100003: “Where is my order?”" in shown
    assert "out processed rule order -> “Please send your order number.” (sent)" in shown
    assert "reply of rule order: delivered" in shown


def test_a_webhook_that_gets_lost_leaves_parley_unaware(phone, write):
    phone.submit("/phone", "/phone/faults", **FIELDS | {"drop": "1"})
    write(SMS, "hello")

    assert "Parley has not heard of it" in screen(phone, SMS)
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
        answer = page.post(path, {"csrf_token": token, "who": SMS, "text": "hello"},
                           headers={"Origin": page.origin, "Referer": f"{page.origin}/"})  # fmt: skip

        assert answer.status_code == 404
        assert emulator.messages() == []

    def test_no_page_leads_to_it(self, page):
        assert "/phone" not in page.get("/").text
