"""`flask dev --live`: a real account answers through the tunnel while it runs, and is afterwards as it was."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from app import config, create_app
from app.cli.dev.webhook_backup import Memory, remember
from app.db.database import Database
from app.db.schema import migrate
from app.inbox import periodic
from app.operations.webhooks import Webhook
from app.reconcile.starting import TASK
from tests.conftest import RULES, TOKEN
from tests.support.eventually import eventually
from tests.support.ngrok import Ngrok
from tests.support.webhook_receiver import sdk_client

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
FORMER = {
    "method": "GET",
    "filters": ["onMessageAdded", "onMessageAdd"],
    "post_webhook_url": "https://prod.example.com/h",
    "pre_webhook_url": "https://prod.example.com/pre",
    "target": "webhook",
}


class Live:
    """One run of the command; `printed` is all it said."""

    def __init__(self, environ: dict[str, str], output: Path, *options: str) -> None:
        example = (ROOT / ".env.example").read_text(encoding="utf-8")
        empty = dict.fromkeys(re.findall(r"^(\w+)=", example, re.MULTILINE), "") | {"WEB_CONCURRENCY": "2"}
        command = [sys.executable, "-m", "flask", "dev", "--live", *options]
        self._output = output
        with output.open("ab") as file:
            self.process = subprocess.Popen(
                command, cwd=ROOT, env={"PATH": os.environ["PATH"], **empty, **environ}, stdout=file, stderr=file
            )

    def printed(self) -> str:
        return self._output.read_text(encoding="utf-8")

    def says(self, words: str) -> bool:
        """Return whether it says these words, or ends without."""
        return eventually(lambda: words in self.printed() or self.process.poll() is not None, seconds=30) and (
            words in self.printed()
        )

    def end(self, number: int) -> int:
        self.process.send_signal(number)
        return self.process.wait(30)


@pytest.fixture
def port(free_port):
    return free_port()


@pytest.fixture
def ngrok(port):
    with Ngrok(port) as ngrok:
        yield ngrok


@pytest.fixture
def account(emulator):
    """The account's webhooks, as the SDK sees them; the global one is set for another installation."""
    configuration = sdk_client(emulator.url).conversations.v1.configuration
    configuration.webhooks().update(**FORMER)
    return configuration


@pytest.fixture
def webhook(account):
    """Read the global webhook."""

    def read():
        found = account.webhooks().fetch()
        return {name: getattr(found, name) for name in FORMER}

    return read


@pytest.fixture
def environ(sqlite_url, emulator, tmp_path):
    rules = tmp_path / "rules.toml"
    rules.write_text(RULES)
    return {
        "TWILIO_ACCOUNT_SID": "AC" + "1".zfill(32),
        "TWILIO_AUTH_TOKEN": TOKEN,
        "TWILIO_API_BASE_URL": emulator.url,
        "DATABASE_URL": sqlite_url,
        "BOT_RULES": str(rules),
        "PUBLIC_URL": "http://old address",
    }


@pytest.fixture
def live(environ, tmp_path, port, ngrok):
    """Start the command; whatever a test leaves running is ended."""
    runs = []

    def start(*options, **changes):
        options = ("--port", str(port), "--ngrok-api", ngrok.api, *options)
        run = Live(environ | changes, tmp_path / f"output-{len(runs)}", *options)
        runs.append(run)
        return run

    yield start
    for run in runs:
        if run.process.poll() is None:
            run.end(signal.SIGTERM)


def test_it_is_ready_when_the_account_points_here_and_events_are_shown_and_answered(live, ngrok, webhook, emulator):
    run = live()
    assert run.says("Ready. "), run.printed()

    now = webhook()
    assert (now["method"], now["post_webhook_url"]) == ("POST", f"{ngrok.public_url}/conversations/webhook")
    assert {"onMessageAdded", "onDeliveryUpdated", "onUserUpdated", "onConversationStateUpdated"} <= set(now["filters"])
    emulator.inbound("hello")
    assert run.says("rule default -> "), run.printed()
    assert emulator.replies() == ["Thanks, we will be right back."]


def test_what_else_the_account_has_goes_on_or_is_warned_about(live, webhook, emulator):
    services = sdk_client(emulator.url).conversations.v1.services
    own = services.create(friendly_name="own")
    services(own.sid).configuration.webhooks().update(post_webhook_url="https://own.example.com", method="POST")
    run = live()
    assert run.says("Ready. "), run.printed()

    now = webhook()
    assert now["pre_webhook_url"] == FORMER["pre_webhook_url"]
    assert [name for name in now["filters"] if name.endswith("Add")] == ["onMessageAdd"]
    assert "called by POST instead of GET" in run.printed()
    assert f"Warning: service {own.sid} has a webhook of its own" in run.printed()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_a_signal_restores_the_webhook_and_ends_the_app(number, live, webhook, port, tmp_path):
    run = live()
    assert run.says("Ready. "), run.printed()

    assert run.end(number) == 0
    assert "Restored the global webhook: GET https://prod.example.com/h, 2 filters, and asks" in run.printed()
    assert {**webhook(), "filters": set(webhook()["filters"])} == {**FORMER, "filters": set(FORMER["filters"])}
    assert not (tmp_path / "live.json").exists()
    with socket.socket() as nobody:
        assert nobody.connect_ex(("127.0.0.1", port)) != 0


@pytest.mark.slow
def test_after_a_kill_the_next_start_restores_first_and_then_goes_on(live, webhook, tmp_path, environ):
    killed = live()
    assert killed.says("Ready. "), killed.printed()
    killed.end(signal.SIGKILL)
    left = json.loads((tmp_path / "live.json").read_text())
    assert left["former"]["post_webhook_url"] == FORMER["post_webhook_url"]
    assert (tmp_path / "live.json").stat().st_mode & 0o077 == 0
    run = live()
    assert run.says("Ready. "), run.printed()

    assert "An earlier run was not ended in order. Restored the global webhook: GET" in run.printed()
    assert run.end(signal.SIGINT) == 0
    assert webhook()["post_webhook_url"] == FORMER["post_webhook_url"]


def test_what_an_earlier_run_left_of_another_account_is_not_touched(live, tmp_path, webhook):
    remember(tmp_path, Memory("AC9", Webhook(), Webhook(post_webhook_url=FORMER["post_webhook_url"])))
    run = live()

    assert run.process.wait(30) == 1
    assert "an earlier run changed the webhook of AC9" in run.printed()
    assert webhook() == FORMER


@pytest.mark.parametrize("left", ["", "[]", '{"account_sid": "AC1"}'], ids=["empty", "a list", "half"])
def test_a_memory_that_cannot_be_read_is_named_and_nothing_is_changed(left, live, tmp_path, webhook):
    (tmp_path / "live.json").write_text(left)
    run = live()

    assert run.process.wait(30) == 1
    assert "live.json cannot be read" in run.printed()
    assert webhook() == FORMER


@pytest.mark.slow
def test_a_webhook_that_somebody_else_has_changed_meanwhile_is_left_alone(live, account, webhook):
    run = live()
    assert run.says("Ready. "), run.printed()
    account.webhooks().update(post_webhook_url="https://colleague.example.com/hook")

    assert run.end(signal.SIGINT) == 0
    assert "Somebody has changed the global webhook meanwhile" in run.printed()
    assert webhook()["post_webhook_url"] == "https://colleague.example.com/hook"


def test_two_at_once_would_not_know_what_to_restore(live, account):
    assert live().says("Ready. ")
    second = live()

    assert second.process.wait(30) == 1
    assert "another `flask dev --live` is running here" in second.printed()


@pytest.mark.slow
def test_when_the_app_dies_the_webhook_is_restored(live, webhook, tmp_path):
    run = live()
    assert run.says("Ready. "), run.printed()
    (child,) = Path(f"/proc/{run.process.pid}/task/{run.process.pid}/children").read_text().split()
    os.kill(int(child), signal.SIGTERM)

    assert run.process.wait(30) == 1
    assert "the app ended by itself" in run.printed()
    assert webhook()["post_webhook_url"] == FORMER["post_webhook_url"]


@pytest.mark.parametrize(("run_id", "told"), [("abc", "abc"), ("", None)], ids=["given", "not given"])
def test_an_app_tells_which_run_it_belongs_to_only_when_it_was_given_one(run_id, told, sqlite_url):
    app = create_app(config.from_environment({"DATABASE_URL": sqlite_url, "PARLEY_RUN_ID": run_id}))

    assert app.test_client().get("/healthz").headers.get("X-Parley-Run") == told


REFUSALS = {
    "no ngrok": (["--ngrok-api", "http://127.0.0.1:1"], {}, "ngrok http"),
    "an odd address of ngrok": (["--ngrok-api", "localhost:4040"], {}, "no ngrok answers at localhost:4040"),
    "wrong credentials": ([], {"TWILIO_AUTH_TOKEN": "e" * 32}, "check TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN"),
    "Twilio out of reach": ([], {"TWILIO_API_BASE_URL": "http://127.0.0.1:1"}, "Twilio cannot be reached"),
    "no credentials": ([], {"TWILIO_ACCOUNT_SID": "", "TWILIO_AUTH_TOKEN": ""}, "TWILIO_ACCOUNT_SID is empty"),
    "faulty rules": ([], {"BOT_RULES": "/no/such/rules.toml"}, "BOT_RULES"),
    "with the story": (["--story"], {}, "choose one"),
}


@pytest.mark.parametrize(("options", "changes", "sentence"), REFUSALS.values(), ids=REFUSALS)
def test_what_keeps_it_from_starting_is_said_and_the_webhook_stays(options, changes, sentence, live, webhook, tmp_path):
    run = live(*options, **changes)

    assert run.process.wait(30) in (1, 2)
    assert sentence in " ".join(run.printed().split())
    assert "Traceback" not in run.printed()
    assert webhook() == FORMER
    assert not (tmp_path / "live.json").exists()


def test_a_tunnel_to_another_port_is_named_with_the_next_step(live, free_port, port, account):
    with Ngrok(free_port()) as other:
        run = live("--ngrok-api", other.api)

        assert run.process.wait(30) == 1
        assert f"start one with: ngrok http {port}" in run.printed()


@pytest.mark.slow
def test_a_tunnel_that_leads_elsewhere_is_noticed_before_the_webhook_is_changed(live, emulator, port, webhook):
    elsewhere = int(emulator.url.rpartition(":")[2])
    with Ngrok(elsewhere, says_port=port) as astray:
        run = live("--ngrok-api", astray.api)

        assert run.process.wait(40) == 1
    assert "The webhook at Twilio was not changed." in run.printed()
    assert webhook() == FORMER


def test_nothing_from_before_the_loop_is_fetched(live, environ):
    with closing(Database(environ["DATABASE_URL"])) as db:
        migrate(db)
        turn = periodic.take(db, TASK)
        periodic.finish(db, turn, reached_at=turn.begun_at - timedelta(days=1))

    run = live()
    assert run.says("Ready.")

    with closing(Database(environ["DATABASE_URL"])) as db, db.read() as tx:
        row = periodic.state(tx, TASK)
    assert (row.asked_at > turn.begun_at, row.begun_at) == (True, turn.begun_at)
