"""`flask emulator`: whose credentials it takes, what it says of them, and what a webhook URL comes with."""

import json
import re

import pytest
import requests

from app.emulator.client import Emulator
from app.operations.webhooks import needed_filters
from tests.support.checkout import Checkout

SID, TOKEN = "AC" + "ab" * 16, "f00d" * 8
OWN_SID, OWN_TOKEN = "AC00000000000000000000000000000001", "0123456789abcdef0123456789abcdef"
OPTION_SID, OPTION_TOKEN = "AC" + "cd" * 16, "beef" * 8


@pytest.fixture
def checkout(tmp_path):
    checkout = Checkout(tmp_path / "parley")
    yield checkout
    checkout.end()


@pytest.fixture
def start(checkout):
    """Start `flask emulator` on a free port; return what it says and its URL."""

    def started(*options, env_file="", **environ):
        (checkout.folder / ".env").write_text(env_file)
        command = checkout.start("emulator", "--port", "0", *options, **environ)
        url = command.found(r"Emulator ready on (\S+)")
        assert command.says("TWILIO_API_BASE_URL="), command.said()
        return command.said(), url

    return started


def opens(url, sid, token):
    return requests.get(f"{url}/v1/Configuration", auth=(sid, token), timeout=60).status_code == 200


ENV_FILE = f"TWILIO_ACCOUNT_SID={SID}\nTWILIO_AUTH_TOKEN={TOKEN}\n"
ENVIRONMENT = {"TWILIO_ACCOUNT_SID": SID, "TWILIO_AUTH_TOKEN": TOKEN}
OPTIONS = ["--account-sid", OPTION_SID, "--auth-token", OPTION_TOKEN]
OF_SETTINGS = "Account SID: that of TWILIO_ACCOUNT_SID (environment or .env); auth token: that of TWILIO_AUTH_TOKEN"


@pytest.mark.parametrize(
    ("options", "env_file", "environ", "credentials", "words"),
    [
        ([], "", {}, (OWN_SID, OWN_TOKEN), "Account SID: the emulator's own; auth token: the emulator's own"),
        ([], ENV_FILE, {}, (SID, TOKEN), OF_SETTINGS),
        ([], "", ENVIRONMENT, (SID, TOKEN), OF_SETTINGS),
        (OPTIONS, ENV_FILE, {}, (OPTION_SID, OPTION_TOKEN), "Account SID: that of --account-sid; auth token: that of"),
    ],
    ids=["its own", "of .env", "of the environment", "of the options"],
)
def test_it_says_whose_credentials_it_has(start, options, env_file, environ, credentials, words):
    said, url = start(*options, env_file=env_file, **environ)

    assert opens(url, *credentials)
    assert not opens(url, credentials[0], "0" * 32)
    assert words in said
    assert f"  TWILIO_ACCOUNT_SID={credentials[0]}\n" in said
    assert f"  TWILIO_API_BASE_URL={url}\n" in said
    assert (OWN_TOKEN in said) == (credentials[1] == OWN_TOKEN)
    assert TOKEN not in said and OPTION_TOKEN not in said


def test_a_setting_that_cannot_be_is_refused_by_name(checkout):
    refused = checkout.run("emulator", "--port", "0", TWILIO_ACCOUNT_SID="AC12")

    assert refused.returncode == 2
    assert "TWILIO_ACCOUNT_SID must be AC and 32 hexadecimal digits" in refused.stderr


def test_a_webhook_url_comes_with_the_filters_of_webhooks_point(start):
    _said, url = start("--webhook-url", "http://127.0.0.1:9/conversations/webhook")
    hooks = requests.get(f"{url}/v1/Configuration/Webhooks", auth=(OWN_SID, OWN_TOKEN), timeout=60).json()

    assert hooks["post_webhook_url"] == "http://127.0.0.1:9/conversations/webhook"
    assert sorted(hooks["filters"]) == sorted(needed_filters())


def test_the_printed_lines_let_trigger_find_it_on_any_port(start, checkout):
    said, url = start("--webhook-url", "http://127.0.0.1:9/conversations/webhook", "--autocreate")
    lines = dict(re.findall(r"^  (TWILIO_\w+)=(\S+)$", said, re.MULTILINE))
    triggered = checkout.run("trigger", "onMessageAdded", "--json", **lines)
    emulator = Emulator(url)
    tried = {post["form"]["EventType"] for post in emulator.webhooks()}
    emulator.stop()

    assert "onMessageAdded" in {post["event_type"] for post in json.loads(triggered.stdout)}, triggered.stderr
    assert "onMessageAdded" in tried


def test_a_port_that_is_taken_is_told_in_one_sentence(start, checkout):
    _said, url = start()
    port = url.rpartition(":")[2]
    refused = checkout.run("emulator", "--port", port)

    assert refused.returncode == 1
    assert refused.stderr == f"Error: port {port} cannot be used (Address already in use); take another --port\n"
    assert refused.stdout == ""
