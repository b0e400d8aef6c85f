"""The conversations in a browser: they bring themselves up to date, agents answer, and one needs no mouse."""

from typing import Any

import pytest

from app.store import consent, conversations
from app.store.consent import OPTED_OUT, ConsentChange, Person
from tests.browser.browsing import expect
from tests.browser.seen import phone_url, said_to, thread_url, was_reloaded, write

SMALL = {"viewport": {"width": 360, "height": 720}, "is_mobile": True, "has_touch": True}


@pytest.fixture
def conversation(offline, number):
    """A conversation that a customer has begun, and the bot has answered."""
    sid = offline.emulator.inbound("Where is my order?", sender=number)["conversation_sid"]
    assert offline.has_answered(sid, 1)
    return sid


def fill_up(offline: Any, sid: str, count: int) -> None:
    """Let an agent write so much that the thread has to be scrolled."""
    for n in range(count):
        offline.emulator.chat(sid, "support-agent", f"line {n}\nof a long\nstory")
    assert offline.has_noted(sid, count + 1)


def test_a_new_conversation_comes_to_the_top_by_itself(offline, window, conversation, number):
    page = window(offline.address("/"))
    other = number.replace("+1555010", "+1555019")
    offline.emulator.inbound("Is anybody there?", sender=other)

    expect(page.locator("#list .conversations li").first).to_contain_text(other)
    assert not was_reloaded(page)


def test_an_agent_answers_on_the_page_and_the_bot_falls_silent(offline, window, conversation, number):
    phone = window(phone_url(offline, number))
    page = window(thread_url(offline, conversation))
    page.get_by_label("Your answer").fill("Maria here, I look it up.")
    page.get_by_role("button", name="Send").click()
    expect(said_to(phone).last).to_contain_text("Maria here, I look it up.")
    write(phone, "Where is my order now?")

    expect(phone.locator("#screen .mine .thought").last).to_contain_text("paused")
    expect(page.locator("#thread .line.customer").last).to_contain_text("Where is my order now?")
    expect(page.locator("#thread .line.customer .why-box").last).to_contain_text("paused")
    expect(said_to(phone)).to_have_count(2)


def test_ticks_arrive_in_the_open_thread(offline, window, number):
    sid = offline.emulator.inbound("hello", sender=number)["conversation_sid"]
    page = window(thread_url(offline, sid))

    expect(page.locator("#thread .line.bot .tick.delivered")).to_contain_text("✓✓")


def test_why_the_bot_answered_is_beside_the_message(offline, window, conversation):
    page = window(thread_url(offline, conversation))
    page.locator("#thread .line.customer summary").click()

    expect(page.locator("#thread .line.customer table")).to_contain_text("✓ decided")


def test_what_is_open_stays_open_while_news_arrive(offline, window, conversation, number):
    page = window(thread_url(offline, conversation))
    page.locator("#thread .line.customer summary").first.click()
    page.get_by_label("Your answer").fill("half a sen")
    offline.emulator.inbound("one more", sender=number)
    expect(page.locator("#thread")).to_contain_text("one more")

    expect(page.locator("#thread .line.customer table").first).to_be_visible()
    expect(page.get_by_label("Your answer")).to_have_value("half a sen")
    expect(page.get_by_label("Your answer")).to_be_focused()


def test_who_reads_old_messages_stays_where_they_are_when_news_arrive(offline, window, conversation, number):
    fill_up(offline, conversation, 20)
    page = window(thread_url(offline, conversation))
    page.locator("#thread").evaluate("thread => { thread.scrollTop = 200; }")
    first = page.locator("#thread .line").nth(3)
    before = first.bounding_box()["y"]
    offline.emulator.inbound("news", sender=number)
    expect(page.locator("#thread")).to_contain_text("news")

    assert first.bounding_box()["y"] == pytest.approx(before, abs=2)


def test_who_is_at_the_end_sees_the_news(offline, window, conversation, number):
    fill_up(offline, conversation, 20)
    page = window(thread_url(offline, conversation))
    offline.emulator.inbound("the newest words", sender=number)

    expect(page.locator("#thread").get_by_text("the newest words")).to_be_in_viewport()


def test_the_head_follows_a_pause_from_elsewhere_and_its_menu_stays_open(offline, window, conversation):
    page, elsewhere = (window(thread_url(offline, conversation)) for _ in range(2))
    page.locator(".menu summary").click()
    page.keyboard.press("Tab")
    pause_for_half_an_hour(elsewhere)
    expect(page.locator(".menu summary")).to_have_text("Bot: paused")
    expect(page.get_by_role("button", name="Pause for 30 min")).to_be_focused()
    assert not was_reloaded(page)
    page.get_by_role("button", name="Let the bot answer").click()

    expect(page.locator(".notes")).to_contain_text("The bot answers here again.")
    expect(elsewhere.locator(".menu summary")).to_have_text("Bot: answers")


def test_a_name_and_an_opt_out_reach_the_head_and_what_is_written_stays(offline, window, conversation, number):
    page = window(thread_url(offline, conversation))
    page.get_by_label("Your answer").fill("half a sen")
    with offline.db.write() as tx:
        conversations.record_conversation(tx, conversation, {"friendly_name": "Ada & Bo"})
        consent.record(tx, ConsentChange(person=Person(number, "sms"), change=OPTED_OUT, at=offline.db.now(tx)))

    expect(page.locator(".thread-head h1")).to_have_text("Ada & Bo")
    expect(page.locator(".thread-head .tag.bad")).to_have_text("opted out")
    expect(page).to_have_title("Ada & Bo · Parley")
    expect(page.get_by_label("Your answer")).to_have_value("half a sen")
    expect(page.get_by_label("Your answer")).to_be_focused()


def test_what_a_closed_conversation_no_longer_takes_goes_away_but_no_text_does(offline, window, conversation):
    idle, busy, elsewhere = (window(thread_url(offline, conversation)) for _ in range(3))
    busy.get_by_label("Your answer").fill("half a sen")
    busy.locator(".menu summary").click()
    close_for_good(elsewhere)
    for_good = "This conversation is closed, which is final."

    expect(idle.locator(".compose")).to_contain_text(for_good)
    expect(idle.locator(".menu, .close, .answer").filter(visible=True)).to_have_count(0)
    expect(busy.locator(".compose")).to_contain_text(for_good)
    expect(busy.locator(".menu-items")).to_be_visible()
    expect(busy.get_by_label("Your answer")).to_have_value("half a sen")
    busy.locator(".menu summary").click()
    busy.get_by_label("Your answer").fill("")
    busy.keyboard.press("Escape")
    expect(busy.locator(".menu, .close, .answer").filter(visible=True)).to_have_count(0)


def test_news_change_nothing_that_is_as_it_was(offline, window, conversation, number):
    page = window(thread_url(offline, conversation))
    page.evaluate("for (const id of ['tab', 'who', 'bot-state', 'ended']) document.getElementById(id).isOld = true")
    offline.emulator.inbound("news", sender=number)
    expect(page.locator("#thread")).to_contain_text("news")

    assert page.evaluate("['tab', 'who', 'bot-state', 'ended'].filter((id) => document.getElementById(id).isOld)") == [
        "tab",
        "who",
        "bot-state",
        "ended",
    ]
    assert page.locator("#thread template").count() == 0


def pause_for_half_an_hour(page: Any) -> None:
    page.locator(".menu summary").click()
    page.get_by_role("button", name="Pause for 30 min").click()


def close_for_good(page: Any) -> None:
    page.get_by_role("link", name="Close…").click()
    page.get_by_role("button", name="Close conversation").click()


def test_one_finds_reads_and_answers_without_a_mouse(offline, window, conversation, number):
    page = window(offline.address("/"))
    page.keyboard.press("/")
    page.keyboard.type(number)
    page.keyboard.press("Enter")
    expect(page.locator("#list .conversations li")).to_have_count(1)
    page.wait_for_load_state()  # the keys are those of the page's script
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page.locator("#thread")).to_contain_text("Where is my order?")
    page.wait_for_load_state()
    page.keyboard.press("r")
    page.keyboard.type("We are on it.")
    page.keyboard.press("Control+Enter")

    expect(page.locator("#thread .line.agent")).to_contain_text("We are on it.")


def test_where_the_keyboard_is_can_be_seen(offline, window, conversation):
    page = window(offline.address("/"))
    page.keyboard.press("j")

    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"


def test_on_a_small_screen_one_goes_to_a_thread_and_back(offline, window, conversation, number):
    page = window(offline.address("/"), **SMALL)
    page.locator("#list").get_by_text(number).click()
    expect(page.locator("#thread")).to_be_visible()
    expect(page.locator("#list")).to_be_hidden()
    page.get_by_label("Back to the list").click()

    expect(page.locator("#list")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


@pytest.mark.parametrize(("scheme", "is_dark"), [("light", False), ("dark", True)])
@pytest.mark.parametrize("path", ["/", "/deliveries", "/events", "/rules", "/phone"])
def test_the_page_follows_the_colours_that_the_reader_prefers(offline, window, path, scheme, is_dark):
    page = window(offline.address(path), color_scheme=scheme)

    assert brightness(page, "backgroundColor") < 60 if is_dark else brightness(page, "backgroundColor") > 200
    assert brightness(page, "color") > 200 if is_dark else brightness(page, "color") < 60


def brightness(page: Any, of: str) -> float:
    """Return how bright a colour of the page is, 0 to 255."""
    colour = page.evaluate(f"getComputedStyle(document.body).{of}.match(/\\d+/g).slice(0, 3).map(Number)")
    return sum(colour) / 3


@pytest.mark.parametrize("path", ["/", "/deliveries", "/events", "/rules", "/phone", "/audit", "/refusals"])
@pytest.mark.parametrize("width", [360, 1280])
def test_no_page_is_wider_than_the_window(offline, window, conversation, path, width):
    page = window(offline.address(path), viewport={"width": width, "height": 800})

    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_wish_to_opt_out_appears_by_itself_and_a_person_decides(offline, window, conversation, number):
    page = window(thread_url(offline, conversation))
    offline.emulator.inbound("please stop texting me", sender=number)

    expect(page.locator(".thread-head .tag.bad")).to_have_text("may want to opt out")
    page.get_by_role("link", name="Decide").click()
    page.get_by_label("Why").fill("said so on the telephone")
    page.get_by_role("button", name="Opt out").click()

    expect(page.locator(".notes")).to_contain_text("Opted out. Nothing automatic is sent to them any more.")
    expect(page.locator(".thread-head .tag.bad")).to_have_text("opted out")
    page.get_by_role("link", name="Consent").click()
    expect(page.locator(".card li").first).to_contain_text("said so on the telephone")
    expect(page.get_by_role("button", name="Opt in")).to_be_visible()
