"""The events in a browser: a dead one is looked at, retried, and answered."""

import pytest

from tests.browser.browsing import expect
from tests.browser.seen import phone_url, said_to


@pytest.fixture
def dead(offline, number):
    """The id of an event that died because Twilio refused the reply for good."""
    offline.emulator.faults(fail_next=[{"status": 400, "code": 50373, "method": "POST", "path_contains": "/Messages"}])
    sid = offline.emulator.inbound("Where is my order?", sender=number)["conversation_sid"]
    return offline.id_of_dead(sid)


def test_a_dead_event_is_retried_after_showing_what_it_would_do(offline, window, dead, number):
    phone = window(phone_url(offline, number))
    page = window(offline.address("/events?state=dead"))
    page.locator(f"a[href='/events/{dead}']").first.click()
    page.get_by_role("link", name="Retry").click()
    expect(page.get_by_text("Please send your order number.")).to_be_visible()
    page.get_by_role("button", name="Retry").click()

    expect(page.get_by_role("main")).to_contain_text("processed")
    expect(said_to(phone)).to_contain_text("Please send your order number.")
    expect(said_to(phone)).to_have_count(1)
