"""Everything about one person goes from every row, and everybody else's stays; on both databases."""

import pytest
from sqlalchemy import insert, select, update

from app.bot.handlers import HANDLERS
from app.db import maintenance_tables, page_tables  # noqa: F401 - more tables of the same metadata
from app.db.tables import audit_log, deliveries, messages, metadata, replies, responder_calls, rule_actions
from app.inbox import leases, queue
from app.inbox.dispatch import process_job
from app.inbox.job import Job
from app.privacy.erasure import erase
from app.privacy.subject import Subject
from app.privacy.subject_search import find
from app.runtime.worker import make_worker
from app.store import agent_answers
from app.store.agent_answers import AgentAnswer
from tests.support.one_person import OTHER, PERSON, RULES, counts, texts, two_people_write

FOLLOW_UP = """
[[rule]]
name = "nobody came"
when = { unanswered_for = "5m" }
reply = "Sorry, we are busy."
"""


@pytest.fixture
def db(app):
    return app.extensions["parley"].db


@pytest.fixture
def two_people(bot):
    two_people_write(bot)
    return bot


def test_nothing_of_the_person_is_left_and_the_counts_still_hold(two_people, db, flask_command):
    before = counts(db)

    flask_command("privacy", "erase", PERSON, "--yes", "--no-rewrite")

    left, after = texts(db), counts(db)
    assert [word for word in ("15550100001", "Annabelle", "555) 010-0001", "my picture") if word in left] == []
    assert "I am Bob" in left and OTHER in left
    same = ("inbox", "messages", "decisions", "replies", "deliveries", "participants", "conversations")
    assert {name: after[name] for name in same} == {name: before[name] for name in same}


def test_in_a_conversation_with_others_only_what_is_theirs_goes(
    customer_writes, emulator, run_worker, db, flask_command
):
    where = customer_writes("I am Annabelle Example")["conversation_sid"]
    run_worker()
    joined = {
        "EventType": "onParticipantAdded",
        "ConversationSid": where,
        "ParticipantSid": "MB" + "9" * 32,
        "MessagingBinding.Type": "sms",
        "MessagingBinding.Address": OTHER,
    }
    written = {
        "EventType": "onMessageAdded",
        "ConversationSid": where,
        "MessageSid": "IM" + "9" * 32,
        "Author": OTHER,
        "Body": "And I am Bob",
        "Index": "5",
        "Source": "SMS",
    }
    emulator.post(joined)
    emulator.post(written)
    run_worker()

    flask_command("privacy", "erase", PERSON, "--yes", "--no-rewrite")

    left = texts(db)
    assert ("Annabelle" in left, PERSON in left, "And I am Bob" in left) == (False, False, True)


def test_a_worker_in_the_middle_of_it_stores_and_sends_nothing_afterwards(customer_writes, app, db, clock, emulator):
    customer_writes("I am Annabelle")
    bots = make_worker(app.extensions["parley"].settings, db)._make_bot
    claimed = queue.claim(db)
    subject = Subject.of(PERSON)

    def erased_meanwhile(work):
        bot = bots(work)
        erase(db, subject, (), find(db, subject, ()), actor="test", wait=lambda _seconds: clock.advance(1))
        return bot

    process_job(Job(db, claimed), HANDLERS, erased_meanwhile)

    assert "15550100001" not in texts(db)
    assert emulator.replies() == []


def test_workers_that_do_not_end_are_waited_for_twenty_seconds_in_all_however_much_comes_in_meanwhile(
    customer_writes, emulator, db, clock
):
    customer_writes("I am Annabelle")
    written = emulator.webhooks("onMessageAdded")[0]["form"]
    endless = [queue.claim(db)]
    subject, waits = Subject.of(PERSON), []

    def worked_on(seconds):
        waits.append(seconds)
        clock.advance(1)
        leases.renew(db, [claimed.lease for claimed in endless])

    def writes_elsewhere(_table, _rows):
        number = len(endless)
        emulator.post(written | {"ConversationSid": f"CH{number:032}", "MessageSid": f"IM{number:032}"})
        endless.append(queue.claim(db))

    done = erase(db, subject, (), find(db, subject, ()), actor="test", wait=worked_on, progress=writes_elsewhere)

    assert done.unfinished > 2
    assert 0 < len(waits) <= 20  # each of a second


@pytest.mark.parametrize("has_a_neighbour", [False, True], ids=["alone", "in a group"])
def test_a_timer_that_was_just_running_off_brings_them_no_follow_up(
    bot, app, db, clock, emulator, flask_command, has_a_neighbour
):
    bot.rules(RULES + FOLLOW_UP)
    bot.customer(PERSON).says("hello")
    if has_a_neighbour:
        where = emulator.webhooks("onMessageAdded")[0]["form"]["ConversationSid"]
        binding = {"MessagingBinding.Type": "sms", "MessagingBinding.Address": OTHER}
        joined = {"EventType": "onParticipantAdded", "ConversationSid": where, "ParticipantSid": "MB" + "9" * 32}
        emulator.post(joined | binding)
        bot.works()
    clock.advance(301)
    timer = queue.claim(db)
    flask_command("privacy", "erase", PERSON, "--yes", "--no-rewrite")
    process_job(Job(db, timer), HANDLERS, make_worker(app.extensions["parley"].settings, db)._make_bot)
    bot.works()

    assert timer.event_type == "parley.timer"
    assert len(bot.replies()) == 1


def test_what_rules_people_and_carriers_left_beside_the_messages_goes_too(two_people, db, flask_command):
    """Rows of the tables that a plain conversation leaves empty, each with the person's name in it."""
    with db.write() as tx:
        row = tx.execute(select(messages).where(messages.c.author == PERSON)).first()
        sid, where, now = row.message_sid, row.conversation_sid, db.now(tx)
        named = {"name": "Annabelle"}
        tx.execute(
            insert(rule_actions).values(
                message_sid=sid,
                n=0,
                conversation_sid=where,
                rule="greet",
                state="done",
                kind="set_attributes",
                arguments=named,
                intended_at=now,
            )
        )
        tx.execute(insert(responder_calls).values(message_sid=sid, lane=where, asked_at=now, answer=named))
        tx.execute(
            insert(audit_log).values(at=now, actor="Maria", action="answered", conversation_sid=where, detail=named)
        )
        tx.execute(update(replies).where(replies.c.reply_to == sid).values(content_variables={"1": "Annabelle"}))
        tx.execute(update(deliveries).where(deliveries.c.conversation_sid == where).values(detail="Annabelle is away"))

    flask_command("privacy", "erase", PERSON, "--yes", "--no-rewrite")

    assert "Annabelle" not in texts(db)


def test_the_name_under_which_somebody_answered_on_the_page_goes_too(db, clock, flask_command):
    with db.write() as tx:
        now = db.now(tx)
        agent_answers.save(tx, AgentAnswer("f" * 32, "CH1", "Annabelle", "sent", now, now, "IM1", 1))

    flask_command("privacy", "erase", "Annabelle", "--yes", "--no-rewrite")

    assert "Annabelle" not in texts(db)
    assert counts(db)["agent_answers"] == 1


def test_every_table_was_thought_of():
    without_a_person = {
        "lanes",
        "gate",
        "login_failures",
        "rest_calls",
        "purged_counts",
        "chores",
        "reconcile_cursors",
        "receipt_looks",
        "delivery_events",
        "purged_keys",
        "erased_opt_outs",
        "installation_keys",
        "consents",
    }
    with_one = {
        "inbox",
        "messages",
        "replies",
        "decisions",
        "deliveries",
        "conversations",
        "participants",
        "rule_actions",
        "responder_calls",
        "audit_log",
        "agent_answers",
        "consent_ledger",
        "notifications",
    }

    assert set(metadata.tables) == without_a_person | with_one
