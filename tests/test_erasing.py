"""Everything about one person goes from every row, and everybody else's stays; on both databases."""

import pytest

from app import inbox, make_worker
from app.erasing import erase
from app.erasure_search import Subject, find
from app.work import Work
from app.worker import work_on
from tests.one_person import OTHER, PERSON, RULES, counts, texts, two_people_write


@pytest.fixture
def rules_file(tmp_path):
    path = tmp_path / "rules.toml"
    path.write_text(RULES)
    return path


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
    joined = {"EventType": "onParticipantAdded", "ConversationSid": where, "ParticipantSid": "MB" + "9" * 32,
              "MessagingBinding.Type": "sms", "MessagingBinding.Address": OTHER}  # fmt: skip
    written = {"EventType": "onMessageAdded", "ConversationSid": where, "MessageSid": "IM" + "9" * 32,
               "Author": OTHER, "Body": "And I am Bob", "Index": "5", "Source": "SMS"}  # fmt: skip
    emulator.post(joined)
    emulator.post(written)
    run_worker()

    flask_command("privacy", "erase", PERSON, "--yes", "--no-rewrite")

    left = texts(db)
    assert ("Annabelle" in left, PERSON in left, "And I am Bob" in left) == (False, False, True)


def test_a_worker_in_the_middle_of_it_stores_nothing_afterwards(customer_writes, app, db):
    customer_writes("I am Annabelle")
    bots = make_worker(app.extensions["parley"].settings, db)._make_bot
    claimed = inbox.claim(db)
    subject = Subject.of(PERSON)

    def erased_meanwhile(work):
        bot = bots(work)
        erase(db, subject, (), find(db, subject, ()), actor="test")
        return bot

    work_on(Work(db, claimed), erased_meanwhile)

    assert "15550100001" not in texts(db)
