"""An answer of a human is sent once, however often its form is submitted and whatever is known of the first time."""

from datetime import datetime

import pytest

from app.db.database import Database
from app.store import audit
from tests.support.agents_desk import AgentsDesk

SEND = {"method": "POST", "path_contains": "/Messages"}


@pytest.fixture
def desk(app):
    return AgentsDesk(app.extensions["parley"].settings)


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
            audit.record(tx, "Maria", "paused the bot", db.now(tx), conversation_sid=sid)


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
        audit.record(tx, "Maria", "answered", db.now(tx), conversation_sid=sid, subject="IM1", detail=detail)
    answered = page.post(f"/c/{sid}/answer", fields)

    assert emulator.replies(author="Maria") == []
    assert answered.status_code == {"sent": 303, "sending": 409}[state]


def test_a_process_of_the_version_before_finds_our_answers_in_the_log_of_actions(page, newest_action, clock, sid):
    fields = page.form(f"/c/{sid}", "/answer") | {"text": "From here."}
    page.post(f"/c/{sid}/answer", fields)

    detail = newest_action().detail
    assert (detail["form"], detail["state"]) == (fields["form"], "sent")
    assert datetime.fromisoformat(detail["tried_at"]) <= clock()


def test_two_forms_with_the_same_text_are_two_answers(page, emulator, sid):
    page.submit(f"/c/{sid}", "/answer", text="Yes.")
    page.submit(f"/c/{sid}", "/answer", text="Yes.")

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


def test_an_answer_whose_attributes_were_overwritten_meanwhile_is_found_by_its_text(page, emulator, desk, clock, sid):
    emulator.faults(cut_next=1)
    fields = page.form(f"/c/{sid}", "/answer") | {"text": "Did you get this?"}
    page.post(f"/c/{sid}/answer", fields)
    desk.overwrites(emulator.messages()[-1])
    clock.advance(3)
    page.post(f"/c/{sid}/answer", fields)

    assert emulator.replies(author="Maria") == ["Did you get this?"]


def test_when_several_messages_may_be_the_answer_a_human_decides(page, emulator, desk, clock, sid):
    emulator.faults(cut_next=1)
    fields = page.form(f"/c/{sid}", "/answer") | {"text": "Yes."}
    page.post(f"/c/{sid}/answer", fields)
    desk.overwrites(emulator.messages()[-1])
    desk.writes(sid, "Maria", "Yes.")
    clock.advance(3)
    asked = page.post(f"/c/{sid}/answer", fields)

    assert (asked.status_code, "several messages there may be yours" in asked.text) == (409, True)
    assert emulator.replies(author="Maria") == ["Yes.", "Yes."]


def test_an_answer_that_twilio_did_not_store_is_sent_when_it_is_submitted_again(page, emulator, clock, sid):
    emulator.faults(fail_next=[SEND | {"status": 503}])
    fields = page.form(f"/c/{sid}", "/answer") | {"text": "Hello again."}
    page.post(f"/c/{sid}/answer", fields)
    clock.advance(31)
    page.post(f"/c/{sid}/answer", fields)

    assert emulator.replies(author="Maria") == ["Hello again."]


def test_an_answer_that_twilio_stores_late_is_looked_for_and_not_sent_again(page, emulator, passes, sid):
    emulator.faults(late_next={"seconds": 25})
    fields = page.form(f"/c/{sid}", "/answer") | {"text": "Only once."}
    first = page.post(f"/c/{sid}/answer", fields)
    passes(10)
    meanwhile = page.post(f"/c/{sid}/answer", fields)
    passes(21)
    later = page.post(f"/c/{sid}/answer", fields)

    assert (first.status_code, meanwhile.status_code, later.status_code) == (502, 409, 303)
    assert emulator.replies(author="Maria") == ["Only once."]


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
