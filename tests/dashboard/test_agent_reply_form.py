"""Answering as a human: once, under one's name, with the bot silent; and what happens when Twilio does not take it."""

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import select

from app.db.database import Database
from app.db.tables import audit_log
from app.store import audit, conversations
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


def test_an_answer_submitted_twice_is_sent_once(page, emulator, sid):
    fields = page.form(f"/c/{sid}", "/answer") | {"text": "Only once."}
    page.post(f"/c/{sid}/answer", fields)
    again = page.post(f"/c/{sid}/answer", fields)

    assert emulator.replies(author="Maria") == ["Only once."]
    assert again.status_code == 303
    assert "had been sent already" in page.get(f"/c/{sid}").text


def test_an_answer_submitted_again_after_much_was_done_is_not_sent_again(page, emulator, db, sid):
    fields = page.form(f"/c/{sid}", "/answer") | {"text": "Only once."}
    page.post(f"/c/{sid}/answer", fields)
    much_is_done(db, sid)
    again = page.post(f"/c/{sid}/answer", fields)

    assert emulator.replies(author="Maria") == ["Only once."]
    assert again.status_code == 303


def test_an_uncertain_answer_is_looked_for_however_much_was_done_since(page, emulator, clock, db, sid):
    emulator.faults(cut_next=1)
    fields = page.form(f"/c/{sid}", "/answer") | {"text": "Did you get this?"}
    page.post(f"/c/{sid}/answer", fields)
    much_is_done(db, sid)
    clock.advance(3)
    page.post(f"/c/{sid}/answer", fields)

    assert emulator.replies(author="Maria") == ["Did you get this?"]


def much_is_done(db: Database, sid: str) -> None:
    with db.write() as tx:
        for _ in range(60):
            audit.note(tx, "Maria", "paused the bot", db.now(tx), conversation_sid=sid)


def test_a_form_is_one_answer_so_another_text_in_it_is_given_back_in_a_new_form(page, emulator, sid):
    fields = page.form(f"/c/{sid}", "/answer")
    page.post(f"/c/{sid}/answer", fields | {"text": "First."})
    second = page.post(f"/c/{sid}/answer", fields | {"text": "Second."})
    first_again = page.post(f"/c/{sid}/answer", fields | {"text": "First."})

    assert (second.status_code, "Second.</textarea>" in second.text) == (409, True)
    assert fields["form"] not in second.text
    assert first_again.status_code == 303
    assert emulator.replies(author="Maria") == ["First."]


def test_the_form_of_one_conversation_sends_nothing_in_another(page, emulator, customer_writes, run_worker, sid):
    other = customer_writes("hello", sender="+15550100008")["conversation_sid"]
    run_worker()
    fields = page.form(f"/c/{sid}", "/answer")
    page.post(f"/c/{sid}/answer", fields | {"text": "First."})
    elsewhere = page.post(f"/c/{other}/answer", fields | {"text": "Second."})

    assert (elsewhere.status_code, "belongs to another conversation" in elsewhere.text) == (409, True)
    assert emulator.replies(author="Maria") == ["First."]


@pytest.mark.parametrize("state", ["sent", "sending"])
def test_what_a_process_of_the_version_before_has_sent_is_not_sent_again(page, emulator, db, clock, sid, state):
    """It keeps answers in the log of actions alone, and serves beside us during a rolling deploy."""
    fields = page.form(f"/c/{sid}", "/answer") | {"text": "From there."}
    detail = {"form": fields["form"], "characters": 11, "state": state, "tried_at": clock().isoformat()}
    with db.write() as tx:
        audit.note(tx, "Maria", "answered", db.now(tx), conversation_sid=sid, subject="IM1", detail=detail)
    answered = page.post(f"/c/{sid}/answer", fields)

    assert emulator.replies(author="Maria") == []
    assert answered.status_code == {"sent": 303, "sending": 409}[state]


def test_a_process_of_the_version_before_finds_our_answers_in_the_log_of_actions(page, newest_action, clock, sid):
    fields = page.form(f"/c/{sid}", "/answer") | {"text": "From here."}
    page.post(f"/c/{sid}/answer", fields)

    detail = newest_action().detail
    assert (detail["form"], detail["state"]) == (fields["form"], "sent")
    assert datetime.fromisoformat(detail["tried_at"]) <= clock()


def test_two_forms_with_the_same_text_are_two_answers(answer, emulator, sid):
    answer(sid, "Yes.")
    answer(sid, "Yes.")

    assert emulator.replies(author="Maria") == ["Yes.", "Yes."]


def test_an_answer_that_twilio_stored_without_saying_so_is_found_and_not_sent_again(page, thread, emulator, clock, sid):
    emulator.faults(cut_next=1)
    fields = page.form(f"/c/{sid}", "/answer") | {"text": "Did you get this?"}
    first = page.post(f"/c/{sid}/answer", fields)
    at_once = page.post(f"/c/{sid}/answer", fields)
    clock.advance(3)
    later = page.post(f"/c/{sid}/answer", fields)

    assert (first.status_code, at_once.status_code, later.status_code) == (502, 409, 303)
    assert "it may have arrived all the same" in first.text
    assert "Did you get this?</textarea>" in first.text
    assert emulator.replies(author="Maria") == ["Did you get this?"]
    assert 'class="line agent"' in thread(sid)


def test_an_answer_that_twilio_did_not_store_is_sent_when_it_is_submitted_again(page, emulator, clock, sid):
    emulator.faults(fail_next=[SEND | {"status": 503}])
    fields = page.form(f"/c/{sid}", "/answer") | {"text": "Hello again."}
    page.post(f"/c/{sid}/answer", fields)
    clock.advance(3)
    page.post(f"/c/{sid}/answer", fields)

    assert emulator.replies(author="Maria") == ["Hello again."]


def test_a_text_changed_meanwhile_is_not_sent_behind_the_first_without_asking(page, emulator, clock, sid):
    emulator.faults(cut_next=1)
    fields = page.form(f"/c/{sid}", "/answer")
    page.post(f"/c/{sid}/answer", fields | {"text": "At 5."})
    clock.advance(3)
    changed = page.post(f"/c/{sid}/answer", fields | {"text": "At 6."})

    assert emulator.replies(author="Maria") == ["At 5."]
    assert "What you wrote first had arrived after all" in changed.text
    assert "At 6.</textarea>" in changed.text

    page.post(f"/c/{sid}/answer", fields | {"form": page.form(f"/c/{sid}", "/answer")["form"], "text": "At 6."})
    assert emulator.replies(author="Maria") == ["At 5.", "At 6."]


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


def test_in_a_conversation_that_was_closed_nothing_is_sent(answer, emulator, flask_command, sid):
    flask_command("conversations", "close", sid, "--yes")

    refused = answer(sid, "Too late.")

    assert (refused.status_code, "is closed" in refused.text) == (409, True)


def test_a_text_that_came_too_late_is_given_back(page, thread, flask_command, db, clock, sid):
    fields = page.form(f"/c/{sid}", "/answer")
    flask_command("conversations", "close", sid, "--yes")
    with db.write() as tx:
        conversations.note_state(tx, sid, "closed", dated=clock())
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
