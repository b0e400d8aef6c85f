"""Answering as a human: once, under one's name, with the bot silent; and what happens when Twilio does not take it."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select

from app.db.tables import audit_log
from app.store import conversations
from tests.dashboard.conftest import Browser

SEND = {"method": "POST", "path_contains": "/Messages"}
REPLY = "Thanks, we will be right back."


@pytest.fixture
def answer(page: Browser) -> Callable[..., Any]:
    """Write an answer in the form below a thread and send it."""
    return lambda sid, text: page.submit(f"/c/{sid}", "/answer", text=text)


def test_an_answer_is_sent_under_ones_name_and_stands_in_the_thread_with_its_ticks(
    answer, thread, emulator, run_worker, sid
):
    assert answer(sid, "I have found your parcel.\r\nIt comes today.").location == f"/c/{sid}"
    emulator.settle()
    run_worker()

    assert emulator.replies(author="Maria") == ["I have found your parcel.\nIt comes today."]
    html = thread(sid)
    assert "Sent. The bot is silent here for 30 min." in html
    written = html[html.index('class="line agent"') :]
    assert "I have found your parcel." in written
    assert "delivered" in written[: written.index("</article>")]


def test_after_an_answer_the_bot_is_silent_for_a_while(
    answer, thread, emulator, customer_writes, run_worker, clock, sid
):
    answer(sid, "I take over.")
    customer_writes("Where is my order?")
    run_worker()

    assert emulator.replies() == [REPLY]
    assert "because an agent wrote" in thread(sid)

    clock.advance(1801)
    customer_writes("Where is my order now?")
    run_worker()
    assert emulator.replies() == [REPLY, "Please send your order number."]


def test_an_answer_stops_a_reply_of_the_bot_that_is_under_way(answer, emulator, customer_writes, run_worker, sid):
    customer_writes("Where is my order?")
    answer(sid, "I look after it.")
    run_worker()

    assert emulator.replies() == [REPLY]


def test_who_was_answered_no_longer_waits(answer, page, sid):
    assert sid in page.get("/?only=waiting").text

    answer(sid, "Here I am.")

    assert sid not in page.get("/?only=waiting").text


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ({"status": 400, "code": 50513}, "the author must be"),
        ({"status": 429, "retry_after": 7}, "Twilio asks to wait 7 s"),
        ({"status": 401}, "check TWILIO_ACCOUNT_SID"),
    ],
    ids=["refused", "too many", "credentials"],
)
def test_what_twilio_refuses_is_explained_and_the_text_is_kept(answer, page, emulator, newest_action, sid, fault, said):
    emulator.faults(fail_next=[SEND | fault])

    refused = answer(sid, "Not yet.")

    assert refused.status_code == 502
    assert said in refused.text
    assert "Not yet.</textarea>" in refused.text
    assert newest_action().detail["state"] == "failed"
    assert sid in page.get("/?only=waiting").text
    assert sid not in page.get("/?only=paused").text


def test_after_somebody_was_forgotten_one_can_answer_again(
    answer, emulator, flask_command, customer_writes, run_worker
):
    sid = customer_writes("I am Ann", sender="+15550100007")["conversation_sid"]
    run_worker()
    answer(sid, "Hello Ann.")
    flask_command("privacy", "erase", "+15550100007", "--yes", "--no-rewrite")
    customer_writes("me again", sender="+15550100007")
    run_worker()

    assert answer(sid, "Welcome back.").status_code == 303
    assert emulator.replies(author="Maria") == ["Hello Ann.", "Welcome back."]


def test_nothing_and_too_much_are_not_sent(answer, emulator, sid):
    assert "write something" in answer(sid, " \r\n ").text
    assert "1,601 characters" in answer(sid, "x" * 1601).text
    assert emulator.replies(author="Maria") == []


def test_outside_of_whatsapps_window_it_is_said_before_and_after_and_nothing_is_sent(
    answer, thread, emulator, customer_writes, run_worker, clock
):
    sid = customer_writes("hello", channel="whatsapp")["conversation_sid"]
    run_worker()
    assert "24 hours are over" not in thread(sid)
    clock.advance(25 * 3600)
    emulator.advance(25 * 3600)

    assert "24 hours are over" in thread(sid)
    refused = answer(sid, "Are you still there?")

    assert refused.status_code == 409
    assert "Are you still there?</textarea>" in refused.text
    assert emulator.replies(author="Maria") == []


def test_in_a_conversation_that_was_closed_nothing_is_sent(page, flask_command, sid):
    fields = page.form(f"/c/{sid}", "/answer")
    flask_command("conversations", "close", sid, "--yes")

    refused = page.post(f"/c/{sid}/answer", fields | {"text": "Too late."})

    assert (refused.status_code, "is closed" in refused.text) == (409, True)


def test_a_text_that_came_too_late_is_given_back(page, thread, flask_command, db, clock, sid):
    fields = page.form(f"/c/{sid}", "/answer")
    flask_command("conversations", "close", sid, "--yes")
    with db.write() as tx:
        conversations.record_state(tx, sid, "closed", dated=clock())
    refused = page.post(f"/c/{sid}/answer", fields | {"text": "Half an hour of work."})

    assert refused.status_code == 409
    assert "Half an hour of work.</textarea>" in refused.text
    assert "<textarea" not in thread(sid)


def test_hostile_text_and_names_stay_text(visitor, emulator, sid):
    visitor.log_in(name="<b>Bobby</b>")
    visitor.submit(f"/c/{sid}", "/answer", text="<script>alert(1)</script> {{ 7*7 }}")

    html = visitor.get(f"/c/{sid}").text
    assert emulator.replies(author="<b>Bobby</b>") == ["<script>alert(1)</script> {{ 7*7 }}"]
    assert "&lt;script&gt;alert(1)&lt;/script&gt; {{ 7*7 }}" in html
    assert "<script>alert" not in html
    assert "<b>Bobby" not in html + visitor.get("/audit").text


def test_what_was_written_is_not_in_the_log_of_actions(answer, db, sid):
    answer(sid, "My secret is 12345.")

    with db.read() as tx:
        rows = [dict(row._mapping) for row in tx.execute(select(audit_log))]
    assert "12345" not in json.dumps(rows, default=str)
