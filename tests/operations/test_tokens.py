"""`flask tokens create`: what a web chat client is given, and what it takes to sign it."""

import json
from datetime import UTC, datetime, timedelta

import jwt
import pytest

SERVICE = "IS" + "7" * 32
SECRET = "abcdefghijklmnopqrstuvwxyz012345"


@pytest.fixture
def environ(environ):
    return environ | {"TWILIO_API_KEY": "SK" + "3" * 32, "TWILIO_API_SECRET": SECRET}


@pytest.fixture
def without_key(environ):
    """The settings of an account that is used with its auth token only."""
    environ.pop("TWILIO_API_KEY")
    environ.pop("TWILIO_API_SECRET")


def read(token):
    return jwt.decode(token, SECRET, algorithms=["HS256"])


def test_a_token_names_who_chats_in_which_service_and_is_signed_with_the_api_key(flask_command, environ, emulator):
    token = flask_command("tokens", "create", "--identity", "alice", "--service", SERVICE).strip()
    claims = read(token)

    assert claims["grants"] == {"identity": "alice", "chat": {"service_sid": SERVICE}}
    assert (claims["iss"], claims["sub"]) == (environ["TWILIO_API_KEY"], environ["TWILIO_ACCOUNT_SID"])
    assert claims["exp"] - claims["nbf"] == 3600
    assert jwt.get_unverified_header(token)["cty"] == "twilio-fpa;v=1"
    assert emulator.requests() == []


def test_as_json_it_says_when_it_ends(flask_command):
    command = ["tokens", "create", "--identity", "alice", "--ttl", "600", "--service", SERVICE, "--json"]
    document = json.loads(flask_command(*command))
    expires_at = datetime.fromisoformat(document["expires_at"])

    assert (document["identity"], document["service_sid"]) == ("alice", SERVICE)
    assert expires_at.timestamp() == read(document["token"])["exp"]
    assert timedelta(minutes=9) < expires_at - datetime.now(UTC) <= timedelta(minutes=10)


def test_without_a_service_it_is_for_the_default_one(flask_command, account):
    default = account.ask_account(lambda v1: v1.configuration().fetch()).default_chat_service_sid
    token = flask_command("tokens", "create", "--identity", "alice").strip()

    assert read(token)["grants"]["chat"] == {"service_sid": default}


def test_without_an_api_key_it_says_what_is_missing(without_key, app, emulator):
    result = app.test_cli_runner().invoke(args=["tokens", "create", "--identity", "alice"])

    assert result.exit_code == 1
    assert "TWILIO_API_KEY and TWILIO_API_SECRET are not set" in result.output
    assert "never with the auth token" in result.output
    assert emulator.requests() == []


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        pytest.param(["--identity", "+15550100001"], 1, "is an address, not an identity", id="a number"),
        pytest.param(["--identity", " "], 1, "is no identity", id="nobody"),
        pytest.param(["--identity", "alice", "--service", "IS1"], 1, "'IS1' is not a SID", id="service"),
        pytest.param(["--identity", "alice", "--ttl", "86401"], 2, "not in the range", id="longer than a day"),
        pytest.param(["--identity", "alice", "--ttl", "0"], 2, "not in the range", id="no time"),
        pytest.param([], 2, "Missing option '--identity'", id="no identity"),
    ],
)
def test_a_token_that_cannot_be_is_refused(app, emulator, arguments, code, sentence):
    result = app.test_cli_runner().invoke(args=["tokens", "create", *arguments])

    assert result.exit_code == code
    assert sentence in result.output
    assert emulator.requests() == []
