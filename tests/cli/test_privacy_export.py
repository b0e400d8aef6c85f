"""`flask privacy export`: everything of one person as JSON and files, and nothing of anybody else."""

import json
import stat

import pytest
from sqlalchemy import func, select

from app.db.tables import messages
from app.store import audit
from tests.support import sample_files
from tests.support.one_person import OTHER, PERSON, two_people_write

PHOTO = {"content_type": "image/jpeg", "filename": "me.jpg", "content": "/9j/4A=="}


@pytest.fixture
def db(app):
    return app.extensions["parley"].db


@pytest.fixture
def out(tmp_path):
    return tmp_path / "for-ann"


@pytest.fixture
def exported(flask_command, out):
    """Export somebody; return the document."""

    def export(person=PERSON, *options):
        flask_command("privacy", "export", person, "--out", str(out), *options)
        return json.loads((out / "person.json").read_text())

    return export


def test_everything_of_the_person_is_given_and_nothing_of_others(bot, exported):
    two_people_write(bot)

    document = exported(PERSON, "--no-files")

    said = json.dumps(document)
    assert sorted(one["body"] for one in document["messages"] if one["author"] == PERSON) == [
        "I am Annabelle Example, call +1 (555) 010-0001",
        "here is my picture",
    ]
    assert "Dear Annabelle Example, thank you." in said
    assert [row["address"] for row in document["participants"]] == [PERSON]
    assert document["inbox"][0]["parameters"]["EventType"] == "onConversationAdded"
    assert [word for word in ("I am Bob", OTHER) if word in said] == []


def test_the_files_of_their_messages_lie_beside_it(bot, exported, out):
    bot.customer(PERSON).says("my photo", media=[PHOTO])

    (file,) = exported()["files"]

    assert (file["filename"], (out / file["path"]).read_bytes()) == ("me.jpg", sample_files.JPG[:4])


def test_a_file_that_cannot_be_fetched_is_named_and_the_rest_is_there(bot, emulator, app, out):
    bot.customer(PERSON).says("my photo", media=[PHOTO])
    emulator.faults(fail_next=[{"method": "GET", "path_contains": "/Media/", "status": 404, "code": 20404, "count": 9}])

    result = app.test_cli_runner().invoke(args=["privacy", "export", PERSON, "--out", str(out)])

    document = json.loads((out / "person.json").read_text())
    assert (result.exit_code, "Not fetched: ME" in result.stderr) == (1, True)
    assert ("path" in document["files"][0], document["messages"][0]["body"]) == (False, "my photo")


def test_of_a_conversation_with_others_only_what_is_theirs_is_given(customer_writes, emulator, run_worker, exported):
    where = customer_writes("I am Annabelle")["conversation_sid"]
    run_worker()
    of_bob = {"EventType": "onMessageAdded", "ConversationSid": where, "MessageSid": "IM" + "9" * 32, "Author": OTHER}
    emulator.post(of_bob | {"Body": "I am Bob", "Index": "5", "Source": "SMS"})
    run_worker()

    document = exported()

    assert "I am Annabelle" in json.dumps(document)
    assert "I am Bob" not in json.dumps(document)


def test_what_others_say_of_them_is_counted_and_left_out(bot, exported):
    bot.customer(PERSON).says("hello")
    bot.customer(OTHER).says("my friend has 001 (555) 010-0001")

    document = exported()

    assert document["mentioned_by_others"] > 0
    assert "my friend" not in json.dumps(document)


def test_what_they_said_about_hearing_from_us_is_given(bot, exported):
    bot.customer(PERSON).says("STOP")

    document = exported()

    assert document["opted_out"] is True
    assert [(one["change"], one["word"]) for one in document["consent"]] == [("opted out", "STOP")]


def test_nothing_is_changed_but_the_log_of_actions_which_does_not_say_who(bot, db, exported):
    bot.customer(PERSON).says("hello")
    exported()

    with db.read() as tx:
        (entry,) = audit.newest(tx)
        kept = tx.scalar(select(func.count()).select_from(messages).where(messages.c.body == "hello"))
    assert (entry.actor, entry.action, PERSON in json.dumps(dict(entry.detail)), kept) == (
        "flask privacy export",
        "export a person",
        False,
        1,
    )


def test_nobody_else_on_the_machine_can_read_it(bot, exported, out):
    bot.customer(PERSON).says("hello")
    exported()

    assert stat.S_IMODE((out / "person.json").stat().st_mode) == 0o600


def test_of_somebody_unknown_nothing_is_written_and_the_command_fails(bot, app, out):
    bot.customer(OTHER).says("hello")

    result = app.test_cli_runner().invoke(args=["privacy", "export", PERSON, "--out", str(out)])

    assert (result.exit_code, out.exists()) == (1, False)
    assert result.stderr.startswith(f"Nothing is known of '{PERSON}', so nothing was written.\nLook at how the page")


def test_a_folder_with_files_is_refused(bot, app, out):
    bot.customer(PERSON).says("hello")
    out.mkdir()
    (out / "of-somebody-else.json").write_text("{}")

    result = app.test_cli_runner().invoke(args=["privacy", "export", PERSON, "--out", str(out)])

    assert (result.exit_code, "has files already; choose another --out" in result.stderr) == (1, True)
