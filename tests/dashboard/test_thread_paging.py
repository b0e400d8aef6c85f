"""Turning the pages of one conversation: older messages, links to one of them, what is not there."""

from datetime import timedelta

import pytest

from app.store import messages
from tests.support import page_text

SID = "CH" + "1" * 32


def test_messages_that_arrived_out_of_order_are_shown_as_they_were_said(notes, page):
    notes(SID, 0, "one")
    notes(SID, 2, "three")
    notes(SID, 1, "two")

    assert page_text.bubbles(page.get(f"/c/{SID}").text) == ["one", "two", "three"]


def test_every_older_message_can_be_reached(notes, page):
    for index in range(320):
        notes(SID, index, f"message {index}")
    newest = page.get(f"/c/{SID}").text
    longer = page.get(page_text.link(newest, "Show older messages")).text
    older = page.get(page_text.link(longer, "Show older messages")).text

    assert [len(page_text.bubbles(one)) for one in (newest, longer, older)] == [50, 200, 120]
    assert page_text.bubbles(older)[-1] == "message 119"
    assert page_text.link(newest, "Show older messages").endswith(f"#{page_text.lines(newest)[0].id}")
    assert "Show older messages" not in older
    assert page_text.bubbles(page.get(page_text.link(older, "To the newest ones")).text)[-1] == "message 319"


def test_a_link_to_an_old_message_leads_to_it(notes, open_thread):
    wanted = notes(SID, 0, "the very first")
    for index in range(1, 60):
        notes(SID, index)
    html = open_thread(wanted)

    assert page_text.lines(html)[-1].id == f"m-{wanted}"
    assert "These are older messages." in html


@pytest.mark.parametrize(
    "path", ["/c/CH404", "/fragments/c/CH404", "/m/IM404", "/why/IM404", "/c/%00", "/c/%F0%9F%98%80"]
)
def test_what_is_not_known_is_not_found(page, path):
    assert page.get(path).status_code == 404


@pytest.mark.parametrize(
    "odd",
    [
        "lines=-5",
        "lines=many",
        "lines=999999",
        "before=yesterday",
        "before=2126-11-23",
        "before=0001-01-01T00:00:00%2B14:00",
        "before=9999-12-31T23:59:59-14:00",
    ],
)
def test_nonsense_in_the_address_is_no_error(notes, page, odd):
    notes(SID, 0)

    assert page.get(f"/c/{SID}?{odd}").status_code == 200


def test_a_group_of_a_burst_is_never_torn_apart_by_turning_pages(db, clock, page):
    now = clock() - timedelta(hours=1)
    with db.write() as tx:
        for index in range(80):
            facts = {"conversation_sid": SID, "author": "Ada", "body": f"message {index}", "message_index": index}
            at = now + timedelta(seconds=index // 8)
            messages.record_message(tx, f"IM{index:032x}", facts, dated=None, now=at)
    newest = page.get(f"/c/{SID}").text
    all_of_them = page.get(page_text.link(newest, "Show older messages")).text

    assert page_text.bubbles(newest)[0] == "message 32"
    assert len(page_text.bubbles(all_of_them)) == 80
