"""`flask signature`: what was refused and why, and whether a saved request is right; for people and for scripts."""

import json
from dataclasses import replace

import pytest

from app import config, create_app
from app.receiver import rejections
from tests.conftest import ORIGIN, TOKEN
from tests.support import webhook_fixtures
from tests.support.eventually import eventually
from tests.support.gunicorn_process import serving
from tests.support.hostile_requests import TARGET, deliver, exchange, on_the_wire

SMS = webhook_fixtures.load("onMessageAdded__sms_text")
NUMBER = "15550100001"


def signed(origin=ORIGIN, request=SMS, token=TOKEN):
    return replace(request, headers=webhook_fixtures.sign(request, origin, token))


@pytest.fixture
def environ(sqlite_url):
    return {
        "TWILIO_AUTH_TOKEN": TOKEN,
        "PUBLIC_URL": ORIGIN,
        "DATABASE_URL": sqlite_url,
        "TWILIO_SECONDARY_AUTH_TOKEN": "f" * 32,
    }


@pytest.fixture
def app(environ):
    application = create_app(config.from_environment(environ))
    yield application
    application.extensions["parley"].db.close()


@pytest.fixture
def run(app):
    """Run a `flask` command and return its exit code and what it said."""

    def run(*arguments):
        result = app.test_cli_runner().invoke(args=list(arguments))
        return result.exit_code, result.output

    return run


@pytest.fixture
def saved(tmp_path):
    """Save a request as a file and return its path."""

    def save(request):
        path = tmp_path / "request.http"
        path.write_bytes(request if isinstance(request, bytes) else on_the_wire(request))
        return str(path)

    return save


def test_without_refusals_it_says_so(run):
    assert run("signature", "explain") == (0, "No request was refused.\n")


def test_a_refused_webhook_is_shown_with_the_fix(app, run, tmp_path):
    deliver(app, signed("http://bot.example.com"))
    assert eventually(lambda: rejections.read(tmp_path / rejections.FILE))

    code, said = run("signature", "explain")

    assert code == 0
    assert "scheme" in said
    assert said.endswith("set PUBLIC_URL=http://bot.example.com\n")
    assert NUMBER not in said


def test_the_kept_refusals_are_one_json_document_for_scripts(app, run, tmp_path):
    deliver(app, signed("https://new.example.com", replace(SMS, headers=SMS.headers | {"Host": "new.example.com"})))
    assert eventually(lambda: rejections.read(tmp_path / rejections.FILE))

    (refusal,) = json.loads(run("signature", "explain", "--json")[1])

    assert refusal["mismatch"] == "host"
    assert refusal["checked_url"] == ORIGIN + TARGET
    assert refusal["explanations"][0]["fix"].endswith("set PUBLIC_URL=https://new.example.com")


def test_what_the_web_processes_refuse_is_logged_with_its_diagnosis_and_shown(environ, run, tmp_path):
    account = {"TWILIO_ACCOUNT_SID": "AC" + "1".zfill(32), "BOT_INLINE_WORKER": "off"}
    with serving(environ | account, tmp_path / "output") as web:
        statuses = {exchange(web.port, on_the_wire(signed("http://bot.example.com"))).status for _ in range(20)}
        assert eventually(lambda: "diagnosis=scheme" in web.printed())
        assert eventually(lambda: rejections.read(tmp_path / rejections.FILE))
        assert NUMBER not in web.printed()

    assert statuses == {403}
    kept = json.loads(run("signature", "explain", "--json")[1])
    assert {refusal["mismatch"] for refusal in kept} == {"scheme"}
    assert len(kept) <= 4


def test_a_saved_request_is_explained(run, saved):
    code, said = run("signature", "explain", saved(signed("http://bot.example.com")))

    assert code == 0
    assert said == (
        "not valid: mismatch\n\nscheme: PUBLIC_URL is https://..., but Twilio called http://...: "
        "set PUBLIC_URL=http://bot.example.com\n"
    )


def test_a_saved_request_is_explained_as_json(run, saved):
    found = json.loads(run("signature", "explain", saved(signed(token="f" * 32)), "--json")[1])

    assert found == {"valid": True, "reason": "ok", "key": "secondary", "explanations": []}


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda wire: wire, id="as it came"),
        pytest.param(lambda wire: wire.replace(b"\r\n", b"\n"), id="line ends of an editor"),
        pytest.param(lambda wire: wire + b"\r\n", id="a line end after the body"),
        pytest.param(lambda wire: wire.replace(b"Content-Length: 461\r\n", b"") + b"\n", id="no Content-Length"),
    ],
)
def test_a_right_request_verifies_with_exit_code_0(spoil, run, saved):
    assert run("signature", "verify", saved(spoil(on_the_wire(signed())))) == (
        0,
        "valid: signed with the key primary\n",
    )


def test_a_wrong_request_verifies_with_exit_code_1(run, saved):
    assert run("signature", "verify", saved(signed("http://bot.example.com"))) == (1, "not valid: mismatch\n")


def test_the_url_that_was_called_can_be_given(run, saved):
    file = saved(signed("https://other.example.com"))

    assert run("signature", "verify", file, "--url", f"https://other.example.com{TARGET}")[0] == 0
    assert run("signature", "verify", file, "--url", f"https://third.example.com{TARGET}")[0] == 1


def test_the_verdict_is_json_for_scripts(run, saved):
    code, said = run("signature", "verify", saved(SMS), "--json")

    assert (code, json.loads(said)) == (1, {"valid": False, "reason": "missing", "key": ""})


UNUSABLE = {
    "empty": (b"", "the first line must be like POST"),
    "no request": (b"\x00\xffgarbage\n\n", "the first line must be like POST"),
    "a line that is no header": (b"POST / HTTP/1.1\r\nnonsense\r\n\r\n", "line 2 is no header"),
    "a body that is cut": (
        b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nabc",
        "Content-Length is 9, but the body has 3",
    ),
    "chunks": (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", "has a Transfer-Encoding"),
    "too large": (b"x" * 1_100_000, "is larger than"),
}


@pytest.mark.parametrize(("data", "sentence"), UNUSABLE.values(), ids=UNUSABLE)
@pytest.mark.parametrize("command", ["verify", "explain"])
def test_a_file_that_holds_no_request_is_named_with_exit_code_2(command, data, sentence, run, saved):
    code, said = run("signature", command, saved(data))

    assert code == 2
    assert "request.http: " in said
    assert sentence in " ".join(said.split())


@pytest.mark.parametrize("path", ["no-such-file.http", "."])
def test_a_file_that_cannot_be_read_is_named_with_exit_code_2(path, run):
    code, said = run("signature", "verify", path)

    assert code == 2
    assert f"{path}: " in said


@pytest.mark.parametrize("setting", ["PUBLIC_URL", "TWILIO_AUTH_TOKEN"])
def test_a_setting_that_is_needed_is_named_with_exit_code_2(setting, environ, saved):
    missing = config.from_environment(environ | {setting: "", "TWILIO_SECONDARY_AUTH_TOKEN": ""})
    result = create_app(missing).test_cli_runner().invoke(args=["signature", "verify", saved(signed())])

    assert result.exit_code == 2
    assert f"{setting} is empty" in result.output


def test_a_url_that_is_none_is_named_with_exit_code_2(run, saved):
    code, said = run("signature", "verify", saved(signed()), "--url", "bot.example.com")

    assert code == 2
    assert "'bot.example.com' is no URL" in said
