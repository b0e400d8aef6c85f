"""What a thread that is open is told of what changes around its lines: the title, who is there, the bot, the end."""

from datetime import timedelta

import pytest

from app.store import consent, conversations
from app.store.consent import OPTED_OUT, ConsentChange, Person
from tests.support import page_text

AROUND = ("tab", "who", "bot-state", "ended")
ENDED = "This conversation is closed, which is final."


@pytest.fixture
def news(page, sid):
    """Take note of what there is; return what is answered to who asks for news of that."""
    path = f"/fragments/c/{sid}"
    known = page.get(path).headers["ETag"]
    return lambda: page.get(path, headers={"If-None-Match": known})


def around(html):
    return {one.id: one.text for one in page_text.elements(html) if one.id in AROUND}


def test_without_news_nothing_is_sent(news, clock):
    clock.advance(3600)

    assert (news().status_code, news().data) == (304, b"")


def test_a_pause_from_elsewhere_is_news_for_the_button(news, page, sid):
    page.submit(f"/c/{sid}", "/pause")

    assert around(news().text)["bot-state"] == "Bot: paused"


def test_the_end_of_a_pause_is_news_for_the_button(page, clock, db, sid):
    with db.write() as tx:
        conversations.pause(tx, sid, clock() + timedelta(minutes=5), "lunch", by="operator")
    tag = {"If-None-Match": page.get(f"/fragments/c/{sid}").headers["ETag"]}
    clock.advance(301)

    assert around(page.get(f"/fragments/c/{sid}", headers=tag).text)["bot-state"] == "Bot: answers"


def test_closing_from_elsewhere_is_news(news, db, clock, sid):
    with db.write() as tx:
        conversations.record_state(tx, sid, "closed", dated=clock())
    told = news().text

    assert around(told)["ended"] == ENDED
    assert "closed" in [one.id for one in page_text.elements(told)]


def test_another_name_is_news_for_the_title_and_the_tab(news, db, sid):
    with db.write() as tx:
        conversations.record_conversation(tx, sid, {"friendly_name": "Ada & Bo"})
    told = around(news().text)

    assert told["who"].startswith("Ada & Bo ")
    assert told["tab"] == "Ada & Bo · Parley"


def test_who_opts_out_is_marked_at_once(news, db, clock, sid):
    with db.write() as tx:
        consent.record(tx, ConsentChange(person=Person("+15550100001", "sms"), change=OPTED_OUT, at=clock()))

    assert "opted out" in around(news().text)["who"]


@pytest.mark.parametrize("state", ["active", "closed"])
def test_the_page_shows_around_the_lines_what_the_news_tell(page, thread, db, clock, sid, state):
    with db.write() as tx:
        conversations.record_state(tx, sid, state, dated=clock())
    told = around(page.get(f"/fragments/c/{sid}").text)

    assert set(told) == set(AROUND)
    assert around(thread(sid)).items() <= told.items()


def test_news_hold_no_form(page, sid):
    assert "csrf_token" not in page.get(f"/fragments/c/{sid}").text
