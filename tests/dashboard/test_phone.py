"""The phone of the offline loop: one writes as a customer and sees the reply, its ticks, and what Parley did."""

import re
from urllib.parse import quote

import pytest

from tests.support.phone_screen import (
    CHAT,
    SMS,
    WHATSAPP,
    environ,
    everything_happens,
    log,
    path_of,
    phone,
    screen,
    words,
    write,
)

__all__ = ["environ", "everything_happens", "phone", "write"]


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
