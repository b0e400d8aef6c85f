"""`flask setup`: from an empty account, as strict as Twilio's, to a test message; each step shown before it is done."""

import threading
from dataclasses import replace

import pytest
from werkzeug.serving import make_server

from app import config
from app.cli import setup
from app.emulator.client import Emulator

pytestmark = pytest.mark.engines("sqlite")
NUMBER, PHONE = "+15550100099", "+15550100001"


@pytest.fixture
def emulator():
    with Emulator.start(receipt_delay=0.01, number=[NUMBER]) as emulator:
        yield emulator


@pytest.fixture
def environ(environ, free_port):
    return environ | {"PUBLIC_URL": f"http://127.0.0.1:{free_port()}"}


@pytest.fixture
def own_folder(monkeypatch, tmp_path, environ):
    """.env is a file of the test, and the environment says what it would."""
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(setup, "PROJECT", tmp_path)
    return tmp_path


@pytest.fixture
def lacking(app, own_folder, monkeypatch):
    """Take settings away."""

    def take(*names):
        for name in names:
            monkeypatch.setenv(name, "")
        app.extensions["parley"].settings = config.from_environment()

    return take


@pytest.fixture
def serving(app, environ):
    server = make_server("127.0.0.1", int(environ["PUBLIC_URL"].rpartition(":")[2]), app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def run(app, own_folder):
    """Run `flask setup`; return its exit code and all it said."""

    def ran(*arguments, answers=""):
        result = app.test_cli_runner().invoke(args=["setup", *arguments], input=answers)
        return result.exit_code, result.output

    return ran


def writes(emulator):
    return [one["path"].removeprefix("/v1") for one in emulator.requests() if one["method"] == "POST"]


def test_an_empty_account_gets_all_it_needs_and_answers(serving, run, emulator, settle):
    code, said = run("--yes", "--send-to", PHONE)
    done = writes(emulator)
    emulator.inbound("Where is my order?", sender=PHONE, to=NUMBER)
    settle()

    assert code == 0, said
    assert done[:2] == ["/Configuration/Addresses", "/Configuration/Webhooks"]
    assert "Delivery: delivered." in said
    assert emulator.replies()[0].startswith("This is a test message from Parley.")
    assert emulator.replies()[1:] == ["Please send your order number."]


def test_each_step_is_shown_before_it_is_done(serving, run, emulator):
    code, said = run(answers=f"{NUMBER}\nn\nn\n\n")

    assert code == 0, said
    assert writes(emulator) == []
    assert f"Would do: POST /v1/Configuration/Addresses  Type=sms Address={NUMBER} AutoCreation.Enabled=true" in said
    assert "Would do: POST /v1/Configuration/Webhooks  Method=POST PostWebhookUrl=http://127.0.0.1:" in said
    assert "Would do: Filters=onConversationAdded" in said
    assert said.index("Would do: POST /v1/Configuration/Addresses") < said.index("Left as it is")


def test_what_is_so_already_is_left_as_it_is(serving, run, emulator):
    run("--yes")
    before = len(writes(emulator))
    code, said = run("--yes")

    assert (code, len(writes(emulator)), said.count("Nothing to do.")) == (0, before, 2), said


def test_a_second_message_goes_into_the_same_conversation(serving, run, emulator):
    run("--yes", "--send-to", PHONE)
    code, said = run("--yes", "--send-to", PHONE)

    assert code == 0, said
    assert f"{PHONE} talks to {NUMBER} in CH" in said
    assert len(emulator.replies()) == 2


def test_an_address_that_is_switched_off_is_switched_on(serving, run, emulator, flask_command):
    flask_command("addresses", "create", "--address", NUMBER, "--disabled")
    code, said = run("--yes")

    assert code == 0, said
    assert emulator.inbound("Hello", to=NUMBER)["conversation_sid"].startswith("CH")


def test_an_app_that_does_not_answer_ends_it_before_a_message_is_sent(run, emulator):
    code, said = run("--yes", "--send-to", PHONE)

    assert code == 1
    assert "does not answer -> is the app running" in said
    assert emulator.replies() == []


def test_without_a_number_it_says_where_to_get_one(run, lacking, monkeypatch):
    with Emulator.start() as bare:
        monkeypatch.setenv("TWILIO_API_BASE_URL", bare.url)
        lacking()
        code, said = run("--yes")

    assert (code, "buy a number in the Twilio console" in said) == (1, True)


def test_what_is_missing_is_asked_for_and_written_into_env(serving, run, own_folder, lacking, environ):
    (own_folder / ".env.example").write_text("# The account\nTWILIO_ACCOUNT_SID=\nTWILIO_AUTH_TOKEN=\nBOT_AUTHOR=\n")
    lacking("TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "PUBLIC_URL")
    asked = [environ["TWILIO_ACCOUNT_SID"], environ["TWILIO_AUTH_TOKEN"], environ["PUBLIC_URL"], "y"]
    code, said = run(answers="\n".join([*asked, NUMBER, "y", "y", "", ""]))
    file = own_folder / ".env"

    assert code == 0, said
    assert file.read_text().splitlines() == [
        "# The account",
        f"TWILIO_ACCOUNT_SID={asked[0]}",
        f"TWILIO_AUTH_TOKEN={asked[1]}",
        "BOT_AUTHOR=",
        f"PUBLIC_URL={asked[2]}",
    ]
    assert file.stat().st_mode & 0o777 == 0o600
    assert asked[1] not in said


def test_with_yes_nothing_is_asked_and_what_is_missing_is_named(run, lacking):
    lacking("TWILIO_AUTH_TOKEN")
    code, said = run("--yes")

    assert (code, "TWILIO_AUTH_TOKEN is empty" in said) == (1, True)


def test_where_nobody_answers_the_address_is_named(run, app, free_port):
    url = f"http://127.0.0.1:{free_port()}"
    parley = app.extensions["parley"]
    parley.settings = replace(parley.settings, api_base_url=url)
    code, said = run("--yes")

    assert code == 1
    assert f"Error: Twilio cannot be reached at {url}; is `flask emulator`" in said
