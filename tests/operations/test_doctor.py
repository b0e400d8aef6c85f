"""`flask doctor`: what it finds, what it says to do, and what it mends."""

import json
import re
import threading
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from werkzeug.serving import make_server

from app import config, create_app
from app.operations.doctor_account import clock
from app.operations.webhooks import ROUTE, needed_filters
from tests.conftest import RULES
from tests.support.webhook_receiver import sdk_client

NUMBER = "+15550100099"
OTHER = "https://other.example.com/hook"


@pytest.fixture
def public_url(free_port):
    return f"http://127.0.0.1:{free_port()}"


@pytest.fixture
def environ(environ, public_url):
    """An installation in which everything is as it should be, with a public address on this machine."""
    key = {"TWILIO_API_KEY": "SK" + "0" * 32, "TWILIO_API_SECRET": "secret"}
    return environ | key | {"PUBLIC_URL": public_url}


@pytest.fixture
def v1(emulator, public_url):
    """The account, as the SDK sees it; its webhook calls us and a number begins conversations."""
    v1 = sdk_client(emulator.url).conversations.v1
    v1.configuration.webhooks().update(method="POST", filters=needed_filters(), post_webhook_url=public_url + ROUTE)
    v1.address_configurations.create(type="sms", address=NUMBER, auto_creation_enabled=True)
    return v1


@pytest.fixture
def serving(app, public_url):
    """The app answers at its public address."""
    server = make_server("127.0.0.1", int(public_url.rpartition(":")[2]), app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def rules_file(tmp_path):
    """The project's own rules, to be changed."""
    path = tmp_path / "rules.toml"
    path.write_bytes((config.PROJECT / "rules.toml").read_bytes())
    return path


@pytest.fixture
def healthy(v1, serving):
    """Everything is as it should be."""


@pytest.fixture
def change_settings(app):
    """Let the commands have other settings than the app that answers."""

    def change(**settings):
        parley = app.extensions["parley"]
        parley.settings = replace(parley.settings, **settings)

    return change


@pytest.fixture
def doctor(app):
    """Run the command and return its exit code and its findings by check."""

    def run(*options, answer=None):
        result = app.test_cli_runner().invoke(args=["doctor", "--json", *options], input=answer)
        findings = json.loads(result.stdout)["findings"]
        return result.exit_code, {one["check"]: one for one in findings}

    return run


def test_when_all_is_well_every_line_says_ok_and_the_exit_code_is_0(healthy, app):
    result = app.test_cli_runner().invoke(args=["doctor"])

    assert result.exit_code == 0, result.output
    assert [line.split()[0] for line in result.output.splitlines()[:-1]] == ["ok"] * 13
    assert result.output.splitlines()[-1] == "All is well."


def test_looking_changes_nothing_and_stores_nothing(healthy, doctor, emulator, flask_command):
    before = len(emulator.requests())
    doctor()

    assert {request["method"] for request in emulator.requests()[before:]} == {"GET"}
    assert flask_command("inbox", "list") == "No such event.\n"


def test_every_fault_of_the_settings_is_named_and_the_rest_is_not_checked(sqlite_url, tmp_path):
    environ = {"DATABASE_URL": sqlite_url, "TWILIO_ACCOUNT_SID": "AC1", "BOT_WORKER_THREADS": "many"}
    app = create_app(config.from_environment(environ))
    result = app.test_cli_runner().invoke(args=["doctor"])

    assert result.exit_code == 1
    for setting in ("TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "PUBLIC_URL", "BOT_WORKER_THREADS"):
        assert f"problem      settings        {setting}" in result.output
    assert "not checked  credentials     needs the settings named above" in result.output
    assert "not checked  signature" in result.output
    app.extensions["parley"].db.close()


def test_a_database_that_does_not_answer_is_a_problem_and_its_password_is_not_shown(healthy, app, free_port):
    broken = {"DATABASE_URL": f"postgresql://me:hush@127.0.0.1:{free_port()}/parley"}
    parley = app.extensions["parley"]
    parley.db = create_app(config.from_environment(broken)).extensions["parley"].db
    result = app.test_cli_runner().invoke(args=["doctor"])

    assert re.search("^problem +database .* -> check DATABASE_URL and the server$", result.output, re.MULTILINE)
    assert (result.exit_code, "hush" in result.output) == (1, False)


def test_missing_migrations_are_a_problem_that_can_be_mended(healthy, doctor, app, tmp_path):
    empty = {"DATABASE_URL": f"sqlite:///{tmp_path}/empty.db"}
    app.extensions["parley"].db = create_app(config.from_environment(empty)).extensions["parley"].db
    code, found = doctor()
    assert (code, found["migrations"]["state"]) == (1, "problem")
    assert found["migrations"]["next_step"] == "run `flask db upgrade`"

    code, found = doctor("--fix", "--yes")
    assert (code, found["migrations"]["state"]) == (0, "ok")


@pytest.mark.parametrize("folders", [[], ["instance"]])
def test_where_nothing_is_set_up_it_says_what_is_missing_and_leaves_no_file(tmp_path, folders):
    for name in folders:  # made by an earlier offline loop
        (tmp_path / name).mkdir()
    app = create_app(config.from_environment({"DATABASE_URL": f"sqlite:///{tmp_path}/instance/parley.db"}))
    result = app.test_cli_runner().invoke(args=["doctor"])
    listed = app.test_cli_runner().invoke(args=["inbox", "list"])

    assert "not checked  database        sqlite:///" in result.output
    assert "problem      migrations      missing -> run `flask db upgrade`" in result.output
    assert "check DATABASE_URL" not in result.output
    assert (result.exit_code, listed.exit_code) == (1, 1)
    assert "there is no database" in listed.output
    assert [path.name for path in tmp_path.rglob("*")] == folders


def test_rules_that_cannot_be_used_are_a_problem_in_one_line(healthy, doctor, rules_file):
    rules_file.write_text("[[rule]]\nname = 'a'\nrepli = 'x'\n")
    code, found = doctor()

    assert (code, found["rules"]["state"]) == (1, "problem")
    assert ("repli" in found["rules"]["found"], "\n" in found["rules"]["found"]) == (True, False)


def test_rules_that_do_not_mean_what_they_say_are_a_warning(healthy, doctor, rules_file):
    rules_file.write_text(RULES + '[[rule]]\nname = "late"\nwhen = { keywords = ["late"] }\nreply = "Sorry."\n')
    code, found = doctor()

    assert (code, found["rules"]["state"]) == (0, "warning")
    assert found["rules"]["next_step"] == "`flask rules check` shows why"


def test_no_key_for_tokens_is_a_warning_only(healthy, doctor, change_settings):
    change_settings(api_key="", api_secret="")
    code, found = doctor()

    assert (code, found["api key"]["state"]) == (0, "warning")
    assert found["api key"]["next_step"].startswith("set TWILIO_API_KEY and TWILIO_API_SECRET")


def test_refused_credentials_are_a_problem_and_nothing_else_is_asked(healthy, doctor, change_settings, emulator):
    change_settings(api_key="", auth_token="f" * 32)
    code, found = doctor()

    assert (code, found["credentials"]["state"]) == (1, "problem")
    assert "TWILIO_AUTH_TOKEN" in found["credentials"]["found"]
    assert found["global webhook"]["state"] == found["numbers"]["state"] == "not checked"


@pytest.mark.parametrize("seconds", [120, 7200], ids=["two minutes", "two hours"])
def test_a_clock_that_is_wrong_is_a_problem(healthy, doctor, emulator, seconds):
    emulator.advance(seconds)
    code, found = doctor()

    assert (code, found["clock"]["state"]) == (1, "problem")
    assert "s behind Twilio's" in found["clock"]["found"]
    assert "NTP" in found["clock"]["next_step"]


def test_an_answer_without_a_date_is_a_warning():
    assert clock({}, datetime.now(UTC)).state == "warning"


def test_the_service_in_use_with_a_webhook_of_its_own_is_a_problem(healthy, doctor, v1):
    default = v1.configuration().fetch().default_chat_service_sid
    v1.services(default).configuration.webhooks().update(post_webhook_url=OTHER, filters=["onMessageAdded"])
    code, found = doctor()

    assert (code, found["services"]["state"]) == (1, "problem")
    assert "so the global one gets nothing of it" in found["services"]["found"]
    assert found["services"]["next_step"].startswith(f"run `flask webhooks clear --service {default}`")


def test_another_service_with_a_webhook_of_its_own_is_a_warning(healthy, doctor, v1):
    v1.services(v1.services.create("Sales").sid).configuration.webhooks().update(post_webhook_url=OTHER)
    code, found = doctor()

    assert (code, found["services"]["state"]) == (0, "warning")


def test_a_service_whose_own_webhook_calls_us_is_well(healthy, doctor, v1, public_url):
    own = v1.services(v1.configuration().fetch().default_chat_service_sid).configuration.webhooks()
    own.update(post_webhook_url=public_url + ROUTE, filters=list(needed_filters()), method="POST")
    code, found = doctor()

    assert (code, found["services"]["state"]) == (0, "ok")
    assert "and it calls us" in found["services"]["found"]


@pytest.mark.parametrize(
    ("number", "state", "code"),
    [(NUMBER, "problem", 1), ("+15550100098", "warning", 0)],
    ids=["begins conversations", "does not"],
)
def test_a_number_that_answers_in_the_classic_way_too_is_named(healthy, doctor, emulator, number, state, code):
    emulator.number(number, sms_url="https://old.example.com/sms?token=hush")
    exit_code, found = doctor()

    assert (exit_code, found["numbers"]["state"]) == (code, state)
    assert found["numbers"]["found"] == f"{number} also has a classic SMS webhook at old.example.com"


def test_no_address_that_begins_conversations_is_a_problem(healthy, doctor, v1):
    (address,) = v1.address_configurations.list()
    v1.address_configurations(address.sid).update(auto_creation_enabled=False)
    code, found = doctor()

    assert (code, found["addresses"]["state"]) == (1, "problem")
    assert found["addresses"]["next_step"].startswith("`flask addresses create --address +1... --enabled`")


def test_what_twilio_refuses_to_tell_is_a_warning(healthy, doctor, emulator):
    emulator.faults(fail_next=[{"status": 403, "code": 20003, "method": "GET", "path_contains": "IncomingPhone"}])
    code, found = doctor()

    assert (code, found["numbers"]["state"]) == (0, "warning")
    assert found["numbers"]["found"].startswith("could not be looked at: ")


def test_a_public_address_that_does_not_answer_is_a_problem(v1, doctor):
    code, found = doctor()

    assert (code, found["signature"]["state"]) == (1, "problem")
    assert "does not answer" in found["signature"]["found"]


def test_an_app_that_runs_with_another_token_is_a_problem(healthy, doctor, change_settings):
    change_settings(auth_token="f" * 32)
    code, found = doctor()

    assert (code, found["signature"]["state"]) == (1, "problem")
    assert "refuses what is signed" in found["signature"]["found"]


def test_a_program_that_takes_anything_is_a_problem(v1, doctor, change_settings, emulator):
    change_settings(public_url=emulator.url)
    code, found = doctor()

    assert (code, found["signature"]["state"]) == (1, "problem")
    assert "answers 404 when signed and 404 when not" in found["signature"]["found"]


def test_refused_credentials_are_told_with_one_advice(healthy, app, change_settings):
    change_settings(api_key="", auth_token="f" * 32)
    output = app.test_cli_runner().invoke(args=["doctor"]).output

    assert output.count("check TWILIO_ACCOUNT_SID") == 1
    assert "`flask doctor` looks" not in output


def test_after_mending_only_what_has_changed_is_told(healthy, app, tmp_path):
    empty = {"DATABASE_URL": f"sqlite:///{tmp_path}/empty.db"}
    app.extensions["parley"].db = create_app(config.from_environment(empty)).extensions["parley"].db
    result = app.test_cli_runner().invoke(args=["doctor", "--fix", "--yes"])
    lines = result.stdout.splitlines()

    assert result.exit_code == 0, result.output
    assert len(lines) == len(set(lines))
    assert [line.split()[0] for line in lines if "migrations" in line] == ["problem", "ok"]
    assert lines[-1] == "All is well."
