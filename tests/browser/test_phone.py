"""The phone in a browser: a customer writes, and the reply and its ticks come by themselves."""

from tests.browser.browsing import expect
from tests.browser.seen import phone_url, said_to, was_reloaded, write

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>"
SMALL = {"viewport": {"width": 360, "height": 720}, "is_mobile": True, "has_touch": True}


def test_a_customer_writes_and_the_reply_with_two_ticks_comes_without_reload(offline, window, number):
    phone = window(phone_url(offline, number))
    write(phone, "Where is my order?")

    expect(said_to(phone)).to_contain_text("Please send your order number.")
    expect(said_to(phone).locator(".tick.delivered")).to_contain_text("✓✓")
    assert not was_reloaded(phone)


def test_what_the_bot_did_is_told_beside_the_phone(offline, window, number):
    phone = window(phone_url(offline, number))
    write(phone, "Where is my order?")

    expect(phone.locator("#log")).to_contain_text("rule order -> “Please send your order number.” (sent)")
    expect(phone.locator("#log")).to_contain_text("reply of rule order: delivered")


def test_a_whatsapp_message_is_read_while_the_customer_looks_at_it(offline, window, number):
    phone = window(phone_url(offline, number, "whatsapp"))
    write(phone, "hello")

    expect(said_to(phone).locator(".tick.read")).to_contain_text("✓✓")


def test_a_whatsapp_message_stays_unread_while_nobody_looks(offline, window, number):
    phone = window(phone_url(offline, number, "whatsapp"))
    phone.get_by_text("Simulate failures").click()
    phone.get_by_label("Messages to this phone").select_option("delivered")
    expect(phone.locator("#faults")).to_contain_text("nobody looks")
    write(phone, "hello")
    expect(phone.locator("#log")).to_contain_text("reply of rule default: delivered")

    expect(said_to(phone).locator(".tick.delivered")).to_be_visible()
    expect(phone.locator("#log")).not_to_contain_text("reply of rule default: read")


def test_a_hostile_message_stays_text(offline, window, number):
    phone = window(phone_url(offline, number))
    write(phone, HOSTILE)
    expect(phone.locator("#screen .mine .text")).to_have_text(HOSTILE)
    phone.locator("#screen .mine .thought a").click()

    expect(phone.locator("#thread .line.customer .text")).to_have_text(HOSTILE)
    expect(phone.locator("#list")).to_contain_text(number)


def test_a_carrier_that_fails_shows_why(offline, window, number):
    phone = window(phone_url(offline, number))
    phone.get_by_text("Simulate failures").click()
    phone.get_by_label("Messages to this phone").select_option("30003")
    expect(phone.locator("#faults")).to_contain_text("30003")
    write(phone, "hello")

    expect(said_to(phone).locator(".tick.undelivered")).to_contain_text("the handset cannot be reached")
    assert not was_reloaded(phone)


def test_in_the_web_chat_one_sees_who_writes(offline, window, number):
    visitor = f"visitor {number[-4:]}"
    chat = window(phone_url(offline, visitor, "chat"))
    write(chat, "hello")

    expect(said_to(chat).locator(".by")).to_have_text("support-bot")


def test_two_customers_talk_at_the_same_time(offline, window, number):
    first = window(phone_url(offline, number))
    second = window(phone_url(offline, number, "whatsapp"))
    write(first, "order")
    write(second, "hello")

    expect(said_to(first)).to_have_count(1)
    expect(said_to(first)).to_contain_text("Please send your order number.")
    expect(said_to(second)).to_contain_text("Thanks, we will be right back.")


def test_somebody_else_can_be_chosen(offline, window, number):
    phone = window(offline.address("/phone"))
    phone.get_by_text("Another customer").click()
    phone.get_by_label("Channel").select_option("whatsapp")
    phone.get_by_label("Number, or name in the web chat").fill(number)
    phone.get_by_role("button", name="Use this phone").click()

    expect(phone.get_by_role("region", name=f"The phone of {number}")).to_be_visible()


def test_an_empty_message_is_refused_where_it_was_written(offline, window, number):
    phone = window(phone_url(offline, number))
    write(phone, "   ")

    expect(phone.get_by_role("alert").filter(has_text="nothing to send")).to_be_visible()
    assert not was_reloaded(phone)


def test_on_a_small_screen_the_phone_is_the_screen(offline, window, number):
    phone = window(phone_url(offline, number), **SMALL)
    write(phone, "Where is my order?")
    expect(said_to(phone)).to_contain_text("Please send your order number.")

    assert phone.evaluate("document.documentElement.scrollWidth") <= 360
    box = phone.locator(".write").bounding_box()
    assert box["y"] + box["height"] <= 720
