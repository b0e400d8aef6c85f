"""`flask privacy erase`: down to the bytes of the file, for good, with a question before and hints afterwards."""

import json
from types import SimpleNamespace

import pytest
from sqlalchemy import select

from app.db.tables import decisions, messages
from app.db.tables import inbox as inbox_table
from app.inbox import queue
from app.privacy.subject import NoSubject, Subject
from app.runtime.from_settings import make_conversations
from app.store import audit, conversations
from tests.support.one_person import OTHER, PERSON, counts, texts, two_people_write

pytestmark = pytest.mark.engines("sqlite")


@pytest.fixture
def db(app):
    return app.extensions["parley"].db


@pytest.fixture
def nothing_known(app):
    """Erase somebody of whom nothing is known, which fails and says what to look at; return the rows counted."""

    def erase(*arguments):
        result = app.test_cli_runner().invoke(args=["privacy", "erase", *arguments, "--json"])
        assert (result.exit_code, "Look at how the page writes the name" in result.stderr) == (1, True)
        return json.loads(result.stdout)["rows"]

    return erase


@pytest.fixture
def two_people(bot):
    two_people_write(bot)
    return bot


def test_no_byte_of_the_file_tells_of_the_person(two_people, db, flask_command, tmp_path):
    def bytes_on_disk() -> bytes:
        return b"".join(path.read_bytes() for path in sorted(tmp_path.glob("parley.db*")))

    assert b"Annabelle" in bytes_on_disk() and b"15550100001" in bytes_on_disk()

    said = json.loads(flask_command("privacy", "erase", PERSON, "--yes", "--json"))

    assert said["rewritten"] is True
    assert [
        word for word in (b"15550100001", b"Annabelle", b"my+picture", b"my picture") if word in bytes_on_disk()
    ] == []
    assert b"I am Bob" in bytes_on_disk()


def test_the_service_goes_on_for_everybody_also_for_the_person(two_people, emulator, flask_command):
    flask_command("privacy", "erase", PERSON, "--yes")
    emulator.reset()

    two_people.advance(hours=2)
    two_people.customer(OTHER).says("hello again")
    two_people.customer(PERSON).says("hello, it is me")

    assert len(two_people.replies()) == 2


def test_a_dry_run_counts_and_erases_nothing(two_people, db, flask_command):
    before = texts(db)

    said = json.loads(flask_command("privacy", "erase", PERSON, "--dry-run", "--json"))

    assert said["rows"]["messages"] == 3
    assert texts(db) == before


def test_a_second_time_finds_nothing_and_says_so(two_people, flask_command, nothing_known):
    flask_command("privacy", "erase", PERSON, "--yes", "--no-rewrite")

    assert nothing_known(PERSON, "--yes", "--no-rewrite") == {}


def test_the_log_of_actions_says_that_somebody_was_erased_and_not_who(two_people, db, flask_command):
    flask_command("privacy", "erase", PERSON, "--yes", "--no-rewrite")

    with db.read() as tx:
        (entry,) = audit.newest(tx)
    assert (entry.actor, entry.action, entry.detail["messages"]) == ("flask privacy erase", "erase a person", 3)
    assert PERSON not in json.dumps(dict(entry.detail))


def test_a_redelivered_webhook_of_the_person_is_still_known(two_people, db, emulator, flask_command):
    posted = next(one["form"] for one in emulator.webhooks("onMessageAdded") if one["form"]["Author"] == PERSON)
    flask_command("privacy", "erase", PERSON, "--yes", "--no-rewrite")
    before = counts(db)["inbox"]

    assert emulator.post(posted)["status"] == 204
    assert counts(db)["inbox"] == before


def test_reconciliation_does_not_bring_the_messages_back(two_people, db, flask_command, clock, emulator):
    flask_command("privacy", "erase", PERSON, "--yes", "--no-rewrite")
    with db.write() as tx:
        tx.execute(inbox_table.delete())
        tx.execute(messages.delete())
        tx.execute(decisions.delete())
    clock.advance(300)
    emulator.advance(300)

    said = json.loads(flask_command("reconcile", "--since", "1d", "--json", "--per-second", "100"))

    assert said["messages"] == 1  # the one of somebody else


def test_reconciliation_does_not_bring_the_name_of_the_conversation_back(
    customer_writes, run_worker, app, reconcile, db, flask_command
):
    sid = customer_writes("hello")["conversation_sid"]
    run_worker()
    twilio = make_conversations(app.extensions["parley"].settings, None)
    conversation = twilio.ask(lambda client: client.conversations.v1.conversations(sid))
    twilio.ask(lambda _client: conversation.update(friendly_name="Annabelle", attributes='{"name": "Annabelle"}'))
    flask_command("privacy", "erase", PERSON, "--yes", "--no-rewrite")
    twilio.ask(lambda _client: conversation.update(state="closed"))

    reconcile()
    run_worker()

    assert "Annabelle" not in texts(db)
    with db.read() as tx:
        assert conversations.conversation(tx, sid).state == "closed"


def test_an_agent_who_is_erased_leaves_the_customers_words(two_people, db, flask_command):
    flask_command("privacy", "erase", "support-agent", "--yes", "--no-rewrite")

    left = texts(db)
    assert ("Dear Annabelle" in left, "I am Annabelle" in left, "support-agent" in left) == (False, True, False)


def test_a_number_that_only_begins_like_theirs_is_somebody_elses(bot, nothing_known):
    bot.customer("+155501000012").says("I am Bob")

    assert nothing_known(PERSON, "--dry-run") == {}


def test_whatsapp_and_sms_are_the_same_person(bot, db, flask_command):
    bot.customer(PERSON).says("by WhatsApp", channel="whatsapp")

    flask_command("privacy", "erase", PERSON, "--yes", "--no-rewrite")

    assert "by WhatsApp" not in texts(db)


def test_what_waits_to_be_answered_is_not_worked_on_any_more(customer_writes, db, run_worker, emulator, flask_command):
    customer_writes("hello")

    flask_command("privacy", "erase", PERSON, "--yes", "--no-rewrite")
    run_worker()

    assert emulator.replies() == []
    assert "15550100001" not in texts(db)
    with db.read() as tx:
        assert set(tx.scalars(select(inbox_table.c.state))) == {"ignored"}


def test_refusals_that_name_the_person_go(two_people, app, flask_command):
    settings = app.extensions["parley"].settings
    file = settings.instance_folder / "refused.jsonl"
    file.parent.mkdir(exist_ok=True)
    line = {
        "at": "2026-11-23T12:00:00+00:00",
        "method": "POST",
        "checked_url": "https://x",
        "reason": "wrong",
        "query_names": [],
        "explanations": [],
        "refused": 1,
    }
    named = json.dumps(line | {"checked_url": f"https://x/{PERSON}"})
    before = file.read_text() if file.exists() else ""
    file.write_text(f"{before}{json.dumps(line)}\n{named}\n")

    said = json.loads(flask_command("privacy", "erase", PERSON, "--yes", "--no-rewrite", "--json"))

    assert said["refusals"] == 1
    assert (PERSON in file.read_text(), json.dumps(line) in file.read_text()) == (False, True)
    file.write_text(before)


def test_recordings_that_name_the_person_are_listed(two_people, flask_command, tmp_path):
    folder = tmp_path / "recordings"
    folder.mkdir()
    (folder / "one.http").write_bytes(b"POST / HTTP/1.1\r\nHost: x\r\n\r\nAuthor=%2B15550100001")
    (folder / "two.http").write_bytes(b"POST / HTTP/1.1\r\nHost: x\r\n\r\nAuthor=%2B15550100002")

    said = json.loads(flask_command("privacy", "erase", PERSON, "--dry-run", "--json", "--recordings", str(folder)))

    assert said["recordings"] == [str(folder / "one.http")]


@pytest.mark.parametrize("name", ["+1555", "+12345678901234567", "", "a\nb"], ids=["short", "long", "empty", "lines"])
def test_what_is_no_person_is_refused(name, app):
    with pytest.raises(NoSubject):
        Subject.of(name)
    assert app.test_cli_runner().invoke(args=["privacy", "erase", name]).exit_code == 2


@pytest.mark.parametrize(
    ("text", "is_theirs"),
    [
        ("call +1 (555) 010-0001 now", True),
        ("15550100001", True),
        ("0015550100001 or 011 1 555 010 0001", True),
        ("\u202a+1\u00a0(555)\u00a0010\u20110001\u202c", True),
        ("+1 555/010 0001", True),
        ("whatsapp:+15550100001", True),
        ("+155501000012", False),
        ("IM" + "0" * 21 + "15550100001", False),
    ],
    ids=[
        "as people write it",
        "without plus",
        "as it is dialled",
        "as a telephone copies it",
        "with a slash",
        "WhatsApp",
        "longer",
        "in a SID",
    ],
)
def test_a_number_is_found_however_it_is_written(text, is_theirs):
    assert Subject.of(PERSON).is_in(text) == is_theirs


@pytest.mark.parametrize("name", [PERSON, "\u202a+1\u00a0(555)\u00a0010\u20110001\u202c", "tel:+1 555/010 0001"])
def test_a_number_is_understood_however_it_is_written(name):
    assert Subject.of(name) == Subject(PERSON, True)


@pytest.mark.parametrize("name", ["15550100001", "(555) 010-0001", "whatsapp:15550100001"])
def test_a_number_without_its_plus_is_looked_for_as_an_identity_and_that_is_said(name, two_people, app):
    result = app.test_cli_runner().invoke(args=["privacy", "erase", name, "--dry-run"])

    assert "a phone number begins with + and the country's code" in result.stderr


def test_it_asks_before_it_erases(two_people, app, db):
    before = texts(db)

    result = app.test_cli_runner().invoke(args=["privacy", "erase", PERSON], input="n\n")

    assert (result.exit_code, texts(db) == before) == (1, True)


def test_what_is_being_worked_on_is_waited_for_and_it_is_said_that_a_worker_did_not_come_to_an_end(
    customer_writes, db, app, clock, monkeypatch
):
    customer_writes("I am Annabelle")
    queue.claim(db)  # by a worker that is killed
    monkeypatch.setattr("app.cli.privacy.time", SimpleNamespace(sleep=clock.advance))

    done = app.test_cli_runner().invoke(args=["privacy", "erase", PERSON, "--yes", "--no-rewrite"])

    assert "Waiting for what is being sent" in done.stderr
    assert "1 of what was being worked on there did not come to an end" in done.stdout
    assert "Annabelle" not in texts(db)
