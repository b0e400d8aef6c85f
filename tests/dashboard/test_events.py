"""The events page: the inbox by state and type, one event in full, a dead one retried, and what was refused."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from app.inbox.queue import NewEvent, add_all
from app.store import rate_limits
from tests.support.eventually import eventually

SEND = {"method": "POST", "path_contains": "/Messages"}
REPLY = "Thanks, we will be right back."
CONVERSATION = "CH00000000000000000000000000000003"  # of the recorded webhooks


@pytest.fixture
def dead(emulator: Any, post_webhook: Callable[..., Any], run_worker: Callable[[], None]) -> str:
    """The address of an event that died because Twilio refused the reply for good."""
    emulator.faults(fail_next=[SEND | {"status": 400, "code": 50513}])
    post_webhook("onMessageAdded__sms_text", Body="hello there")
    run_worker()
    return "/events/1"


def test_the_newest_event_is_on_top_with_its_state_and_reason(page, post_webhook, run_worker):
    post_webhook("onConversationAdded__whatsapp")
    post_webhook("onPollAnswered__unknown_type")
    run_worker()

    html = page.get("/fragments/events").text
    assert html.index("onPollAnswered") < html.index("onConversationAdded")
    assert "nothing to do for onPollAnswered" in html
    assert "stored the conversation" in html


def test_a_closed_gate_is_shown_above_the_events_with_the_time_and_the_reason(page, db, clock):
    with db.write() as tx:
        rate_limits.close(tx, rate_limits.ACCOUNT, timedelta(minutes=5), clock(), "too many requests (20429)")
    html = page.get("/fragments/events").text
    assert "No request to Twilio leaves until" in html
    assert "Twilio asked us to wait: too many requests (20429)" in html
    clock.advance(301)

    assert "No request to Twilio leaves" not in page.get("/fragments/events").text


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("state=dead", ["/events/1"]),
        ("state=pending", ["/events/2"]),
        ("type=onUserUpdated", ["/events/2"]),
        ("type=onNothing", []),
        (f"conversation={CONVERSATION}", ["/events/1"]),
        ("conversation=%25", []),
        ("state=nonsense", ["/events/2", "/events/1"]),
        ("before=2", ["/events/1"]),
    ],
)
def test_events_are_found_by_state_type_and_conversation(page, dead, post_webhook, query, found):
    post_webhook("onUserUpdated__online")

    html = page.get(f"/events?{query}").text
    assert [one for one in ("/events/2", "/events/1") if f'href="{one}"' in html] == found


def test_older_events_are_a_page_further(page, db):
    with db.write() as tx:
        add_all(db, tx, [NewEvent(f"k{n}", "onX", f"lane{n}", "", "POST", "/", b"EventType=onX") for n in range(120)])

    first, second = page.get("/events").text, page.get("/events?before=71").text
    assert 'href="/events?state=&amp;type=&amp;conversation=&amp;before=71"' in first
    assert ('id="e-120"' in first, 'id="e-71"' in first, 'id="e-70"' in first) == (True, True, False)
    assert ('id="e-70"' in second, 'id="e-21"' in second, "before=21" in second) == (True, True, True)
    assert "before=" not in page.get("/events?before=21").text


def test_the_list_says_by_itself_that_nothing_is_new(page, post_webhook):
    post_webhook("onUserUpdated__online")
    first = page.get("/fragments/events")
    again = page.get("/fragments/events", headers={"If-None-Match": first.headers["ETag"]})
    post_webhook("onConversationAdded__whatsapp")
    changed = page.get("/fragments/events", headers={"If-None-Match": first.headers["ETag"]})

    assert (first.status_code, again.status_code, again.data, changed.status_code) == (200, 304, b"", 200)


def test_an_event_tells_its_state_its_reason_and_the_next_step(page, dead):
    html = page.get(dead).text

    assert "the author must be a participant" in html
    assert "Remove the cause" in html
    assert f"/c/{CONVERSATION}" in html
    assert f"{dead}/retry" in html


def test_an_event_shows_no_text_and_no_number_unless_asked(page, dead, actions):
    html = page.get(dead).text

    assert "hello there" not in html
    assert "+1555010" not in html
    assert "(11 characters)" in html
    assert actions() == []


def test_who_looks_at_the_raw_event_is_in_the_log(page, dead, newest_action):
    html = page.submit(dead, "/raw").text

    assert "hello there" in html
    assert "Body=hello+there" in html
    row = newest_action()
    assert (row.actor, row.action, row.subject, row.conversation_sid) == (
        "Maria",
        "looked at a raw event",
        "1",
        CONVERSATION,
    )


def test_a_hostile_event_stays_text(page, post_webhook):
    hostile = "<script>alert(1)</script>"
    post_webhook("onPollAnswered__unknown_type", {"EventType": "onPoll<b>", hostile: hostile, "Body": hostile})

    html = page.get("/events").text + page.get("/events/1").text + page.submit("/events/1", "/raw").text
    assert "<script>alert" not in html
    assert "onPoll<b>" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html


def test_an_event_brings_itself_up_to_date(page, dead, clock, run_worker):
    before = page.get("/fragments/events/1")
    assert ">dead<" in before.text
    page.submit(f"{dead}/retry")
    clock.advance(3)
    run_worker()

    after = page.get("/fragments/events/1", headers={"If-None-Match": before.headers["ETag"]})
    assert (after.status_code, ">processed<" in after.text) == (200, True)
    assert page.get("/fragments/events/1", headers={"If-None-Match": after.headers["ETag"]}).status_code == 304


def test_before_a_retry_it_is_shown_what_it_would_do(page, dead, emulator, actions):
    before = len(emulator.requests())
    html = page.get(f"{dead}/retry").text

    assert "It was decided already, and stays so: rule &#34;default&#34; matched." in html
    assert "sent only if it is not there" in html
    assert REPLY in html
    assert "It died after 1 attempt: in a group MMS" in html
    assert (len(emulator.requests()), actions()) == (before, [])


def test_a_retried_event_is_answered_once(page, dead, emulator, clock, run_worker, newest_action):
    answer = page.submit(f"{dead}/retry")
    clock.advance(3)
    run_worker()

    assert (answer.status_code, answer.location) == (303, dead)
    assert emulator.replies() == [REPLY]
    assert ">processed<" in page.get(dead).text
    row = newest_action()
    assert (row.actor, row.action, row.subject, row.conversation_sid) == (
        "Maria",
        "retried an event",
        "1",
        CONVERSATION,
    )


def test_a_retry_of_what_had_been_sent_sends_nothing(page, emulator, post_webhook, run_worker, clock):
    emulator.faults(cut_next=1, fail_next=[{"method": "GET", "path_contains": "/Messages", "status": 400, "count": 9}])
    post_webhook("onMessageAdded__sms_text")
    run_worker()
    assert eventually(lambda: _advance_and_work(clock, run_worker, page))
    emulator.faults()

    page.submit("/events/1/retry")
    run_worker()

    assert ">processed<" in page.get("/events/1").text
    assert emulator.replies() == [REPLY]


def _advance_and_work(clock: Any, run_worker: Callable[[], None], page: Any) -> bool:
    clock.advance(60)
    run_worker()
    return ">dead<" in page.get("/events/1").text


def test_a_retry_says_when_nothing_may_be_sent_any_more(page, dead):
    page.submit(f"/c/{CONVERSATION}", "/pause")

    assert "it is not sent any more: paused until" in page.get(f"{dead}/retry").text


def test_a_retry_of_what_was_not_decided_shows_what_the_rules_say_now(page, db, post_webhook, emulator):
    post_webhook("onMessageAdded__sms_text", Body="Where is my order?")
    _die(db)

    html = page.get("/events/1/retry").text
    assert "It is decided now, by the rules in force: rule &#34;order&#34; matched." in html
    assert "Please send your order number." in html
    assert emulator.replies() == []


def test_a_retry_of_a_receipt_says_what_is_done_with_it(page, db, post_webhook):
    post_webhook("onDeliveryUpdated__delivered")
    _die(db)

    assert "Store a receipt" in page.get("/events/1/retry").text


def test_while_the_rules_are_broken_a_retry_says_so(page, dead, rules_file):
    rules_file.write_text("[[rule]]\nname = 3")

    assert "The rules file cannot be used" in page.get(f"{dead}/retry").text


def _die(db: Any) -> None:
    from sqlalchemy import update

    from app.db.tables import inbox

    with db.write() as tx:
        tx.execute(update(inbox).values(state="dead", outcome="a fault", attempts=12, finished_at=db.now(tx)))


@pytest.mark.parametrize("method", ["get", "post"])
def test_only_a_dead_event_is_retried(page, post_webhook, run_worker, actions, method):
    post_webhook("onConversationAdded__whatsapp")
    run_worker()

    answer = getattr(page, method)("/events/1/retry", **{"data": page.form("/audit", "/logout")})

    assert (answer.status_code, answer.location) == (303, "/events/1")
    assert "Event 1 is processed; only dead events are retried." in page.get("/events/1").text
    assert actions() == []


@pytest.mark.parametrize(
    "path", ["/events/7", "/events/7/retry", "/events/99999999999999999999", "/fragments/events/7"]
)
def test_an_event_that_is_not_there_is_not_found(page, path):
    assert page.get(path).status_code == 404


def test_a_refused_request_is_listed_with_what_to_do(page, visitor):
    visitor.post("/conversations/webhook?secret=1", {"EventType": "onMessageAdded", "Body": "hello there"})

    assert eventually(lambda: "signature missing" in page.get("/refusals").text)
    html = page.get("/refusals").text
    assert "?secret=…" in html
    assert "hello there" not in html
    assert "a proxy drops it: let it pass" in html


def test_without_a_refused_request_there_is_nothing_to_list(page):
    assert "No request was rejected." in page.get("/refusals").text


@pytest.mark.parametrize("path", ["/events", "/audit", "/fragments/events"])
@pytest.mark.parametrize("query", ["before=99999999999999999999", "before=-1", "before=x", "conversation=%00&type=%00"])
def test_whatever_an_address_asks_for_there_is_an_answer(page, path, query):
    assert page.get(f"{path}?{query}").status_code == 200
