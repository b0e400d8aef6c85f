"""`flask record` and `flask replay`: what came in as files without private data, and posted again."""

import json
import shutil
import threading
from datetime import UTC, datetime, timedelta

import pytest
from werkzeug.serving import make_server

from app.recordings import files as recordings
from app.recordings.files import form_of
from tests.support import webhook_fixtures

pytestmark = pytest.mark.engines("sqlite")  # test_recorded_events.py asks both

SMS = webhook_fixtures.FOLDER / "onMessageAdded__sms_text.http"


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "recordings"


@pytest.fixture
def served(app):
    """The address of the app, served over HTTP and worked off in the same process."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    worker = app.extensions["parley"].start_worker()
    yield f"http://127.0.0.1:{server.port}"
    worker.stop()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def command(app):
    """Run a `flask` command; return its exit code and all it said."""

    def run(*arguments):
        result = app.test_cli_runner().invoke(args=[str(argument) for argument in arguments])
        return result.exit_code, result.output

    return run


@pytest.fixture
def asked_for_an_order(customer_writes, run_worker):
    message = customer_writes("My name is Bob Quark, where is order 4711?", sender="+15550123456")
    run_worker()
    return message


@pytest.fixture
def recorded(asked_for_an_order, command, folder):
    assert command("record", "--message", asked_for_an_order["message_sid"], "--out", folder)[0] == 0
    return folder


def files_in(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_a_message_is_recorded_without_private_data_and_with_the_decision_on_it(recorded, asked_for_an_order):
    files = files_in(recorded)

    assert list(files)[:2] == ["0001__onMessageAdded.http", "0001__onMessageAdded.json"]
    assert json.loads(files["0001__onMessageAdded.json"]) == {"code": "replied", "rule": "order", "replied": True}
    form = dict(form_of(recordings.parse(files["0001__onMessageAdded.http"])))
    assert form["Body"] == "Et lorem et Lorem Lorem, lorem et order 5555?"
    assert form["Author"] == "+15550100001"
    content = b"".join(files.values()).decode()
    assert not [
        secret
        for secret in ("Bob", "Quark", "4711", "23456", *asked_for_an_order.values())
        if str(secret) in content and len(str(secret)) > 2
    ]
    assert "Signature" not in content


def test_the_table_says_what_was_written(asked_for_an_order, command, folder):
    code, said = command("record", "--last", 1, "--out", folder)

    assert (code, len(list(folder.glob("*.http")))) == (0, 1)
    assert said.splitlines()[0].split() == ["FILE", "ID", "EVENT", "TYPE", "EXPECTED"]
    assert str(folder / "0001__") in said


def test_a_recording_is_decided_alike_when_it_is_replayed(recorded, served, command, emulator):
    code, said = command("replay", recorded, "--now", "--to", served)

    assert (code, "rule order" in said) == (0, True), said
    assert emulator.replies() == ["Please send your order number."] * 2


def test_a_replay_that_is_decided_otherwise_shows_the_difference_and_fails(recorded, served, command):
    expectation = recorded / "0001__onMessageAdded.json"
    expectation.write_text('{"code": "replied", "rule": "default", "replied": true}')
    code, said = command("replay", recorded, "--now", "--to", served)

    assert code == 1
    assert "expected rule default; got rule order" in said
    assert "recordings went otherwise than expected" in said


def test_an_old_message_shows_why_it_got_no_reply(served, command, folder):
    folder.mkdir()
    shutil.copy(SMS, folder)
    (folder / f"{SMS.stem}.json").write_text('{"code": "replied", "rule": "default", "replied": true}')
    code, said = command("replay", folder, "--to", served, "--json")

    assert code == 1
    assert '"difference": "expected rule default; got silent: too old"' in said


def test_a_decision_from_before_is_not_taken_for_a_new_one(served, command, folder):
    folder.mkdir()
    shutil.copy(SMS, folder)
    (folder / f"{SMS.stem}.json").write_text('{"code": "replied", "rule": "default", "replied": true}')
    first = command("replay", folder, "--to", served, "--now")
    second = command("replay", folder, "--to", served, "--now")

    assert "decided on before" not in first[1]
    assert "1 of the messages had been decided on before" in second[1]


def test_a_stop_word_is_recorded_as_such(customer_writes, run_worker, command, folder, served):
    message = customer_writes("STOP")
    run_worker()
    command("record", "--message", message["message_sid"], "--out", folder)

    assert command("replay", folder, "--now", "--to", served) == (0, command_output(folder, "silent: opt-out word"))


class TestKeywordsAnywhereInTheRules:
    @pytest.fixture
    def rules_file(self, tmp_path):
        path = tmp_path / "rules.toml"
        path.write_text("""
[[rule]]
name = "plain"
when = { not = { any = [{ keywords = ["refund"] }] } }
reply = "Hello."

[[rule]]
name = "money"
when = { all = [{ any = [{ keywords = ["refund"] }] }] }
reply = "Soon."
""")
        return path

    def test_they_stay_so_that_the_same_rule_decides(self, customer_writes, run_worker, command, folder, served):
        message = customer_writes("I want a refund, says Bob Quark")
        run_worker()
        command("record", "--message", message["message_sid"], "--out", folder)

        assert command("replay", folder, "--now", "--to", served) == (0, command_output(folder, "rule money"))


def command_output(folder, decided):
    file = folder / "0001__onMessageAdded.http"
    widths = len(str(file)), len(decided)
    return f"{'FILE':<{widths[0]}}  STATUS  {'DECIDED':<{widths[1]}}  DIFFERENCE\n{file}  204     {decided}\n"


def test_nothing_is_written_over_unless_it_is_forced(recorded, command):
    (recorded / "0001__onMessageAdded.http").write_text("mine")
    refused, said = command("record", "--out", recorded)
    kept = (recorded / "0001__onMessageAdded.http").read_text()
    forced, _ = command("record", "--last", 1, "--out", recorded, "--force")

    assert (refused, kept, forced) == (1, "mine", 0)
    assert "add --force" in said


def test_other_files_in_the_folder_are_in_nobodys_way(asked_for_an_order, command, folder):
    folder.mkdir()
    (folder / "onMessageAdded__mine.http").write_text("mine")

    assert command("record", "--last", 1, "--out", folder)[0] == 0
    assert (folder / "onMessageAdded__mine.http").read_text() == "mine"


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        pytest.param(["--id", "42"], 1, "there is no event 42", id="an id that is not there"),
        pytest.param(["--message", "IM" + "0" * 32], 1, "no webhook about IM0000", id="a message that is not there"),
        pytest.param(["--message", "IM12"], 2, "'IM12' is not a SID that begins with IM", id="no message SID"),
        pytest.param(["--last", "3", "--id", "1"], 2, "choose one of", id="two choices"),
        pytest.param(["--last", "0"], 2, "0 is not in the range", id="none at all"),
        pytest.param([], 1, "nothing has been received yet", id="an empty inbox"),
    ],
)
def test_what_cannot_be_recorded_is_named_and_nothing_is_made(command, folder, arguments, code, sentence):
    ended, said = command("record", "--out", folder, *arguments)

    assert (ended, sentence in said) == (code, True), said
    assert not folder.exists()


def test_what_was_erased_is_not_recorded(asked_for_an_order, customer_writes, command, folder):
    command("privacy", "erase", "+15550123456", "--yes", "--no-rewrite")
    nothing = command("record", "--out", folder, "--message", asked_for_an_order["message_sid"])
    customer_writes("hello")
    code, said = command("record", "--out", folder)

    assert (nothing[0], "nothing is left to record" in nothing[1]) == (1, True)
    assert (code, "left out: what they said was erased" in said) == (0, True)
    assert {recordings.read(path).body == b"" for path in folder.glob("*.http")} == {False}


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        pytest.param("bad.http", b"", "has no blank line", id="an empty file"),
        pytest.param("bad.http", b"hello\r\n\r\n", "does not begin with a request line", id="no request line"),
        pytest.param("bad.http", b"PUT / HTTP/1.1\r\n\r\n", "does not begin with a request line", id="another method"),
        pytest.param("bad.http", b"GET / HTTP/1.1\r\nodd\r\n\r\n", "has a header that is not", id="a broken header"),
        pytest.param("bad.http", b"GET /\xff HTTP/1.1\r\n\r\n", "not ASCII", id="bytes in the request line"),
        pytest.param("good.json", b"{", "cannot be read as JSON", id="an expectation that is no JSON"),
        pytest.param("good.json", b'{"rule": 1}', 'is not {"code": "..."', id="an expectation of another shape"),
    ],
)
def test_a_faulty_file_is_named_before_anything_is_posted(command, folder, served, emulator, name, content, sentence):
    folder.mkdir()
    shutil.copy(SMS, folder / "good.http")
    (folder / name).write_bytes(content)
    code, said = command("replay", folder, "--now", "--to", served)

    assert code == 2
    assert str(folder / name) in said
    assert sentence in said
    assert json.loads(command("inbox", "stats", "--json")[1])["processed"] == 0


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        pytest.param([], 2, "Missing argument", id="no path"),
        pytest.param(["/no/such/path"], 2, "/no/such/path", id="a path that is not there"),
        pytest.param([SMS, "--to", "ftp://x"], 2, "ftp://x", id="an address that is not http"),
        pytest.param([SMS, "--signed-for", "bot.example"], 2, "bot.example", id="an origin that is none"),
        pytest.param([SMS, "--wait", "-1"], 2, "-1", id="a negative time"),
        pytest.param([SMS, "--to", "http://127.0.0.1:9"], 1, "no answer from http://127.0.0.1:9", id="nobody listens"),
    ],
)
def test_what_cannot_be_replayed_is_named(command, arguments, code, sentence):
    ended, said = command("replay", *arguments)

    assert (ended, sentence in said) == (code, True), said


def test_a_folder_without_recordings_is_named(command, tmp_path):
    assert command("replay", tmp_path / "..")[0] == 2


def test_a_refused_webhook_fails_the_replay(command, served):
    code, said = command("replay", SMS, "--to", served, "--signed-for", "https://other.example")

    assert code == 1
    assert "refused with 403" in said


def test_every_recorded_webhook_is_accepted_get_ones_too(command, served):
    code, said = command(
        "replay", webhook_fixtures.FOLDER, "--now", "--to", f"{served}/conversations/webhook", "--json"
    )

    assert code == 0, said
    assert {row["status"] for row in json.loads(said[: said.rindex("]") + 1])} == {200, 204}


def test_dates_moved_by_one_offset_keep_their_distances():
    request = webhook_fixtures.load("onMessageUpdated__body_edited")
    moved = recordings.moved(request, timedelta(days=1, milliseconds=21))

    before, after = dict(form_of(request)), dict(form_of(moved))
    assert {name for name in before if before[name] != after[name]} == {"DateCreated", "DateUpdated"}
    assert after["DateCreated"] == "2026-08-12T13:03:28.900Z"
    assert after["DateUpdated"] == "2026-08-12T13:09:30.271Z"
    assert recordings.newest_date(moved) == datetime(2026, 8, 12, 13, 9, 30, 271000, tzinfo=UTC)
