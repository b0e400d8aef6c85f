"""The main job on real input: recorded webhooks posted by curl to gunicorn, answered through the SDK, logged."""

import json
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from twilio.request_validator import RequestValidator

from app.config import PROJECT
from tests.conftest import ORIGIN, RULES, TOKEN
from tests.support.eventually import eventually
from tests.support.gunicorn_process import serving

SAMPLES = Path(__file__).parents[3] / "shared" / "samples"
ACCOUNT_SID = "AC" + "1".zfill(32)
pytestmark = [
    pytest.mark.skipif(not SAMPLES.is_dir(), reason="the recorded samples are not part of this checkout"),
    pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed"),
]


@pytest.fixture
def settings(sqlite_url, emulator, tmp_path):
    rules = tmp_path / "rules.toml"
    rules.write_text(RULES)
    return {
        "TWILIO_ACCOUNT_SID": ACCOUNT_SID,
        "TWILIO_AUTH_TOKEN": TOKEN,
        "TWILIO_API_BASE_URL": emulator.url,
        "PUBLIC_URL": ORIGIN,
        "DATABASE_URL": sqlite_url,
        "BOT_RULES": str(rules),
    }


@pytest.fixture
def server(settings, tmp_path):
    with serving(settings, tmp_path / "gunicorn.log") as running:
        yield running


@pytest.fixture
def curl(server):
    """Post a form with curl, signed for our public address; return the status it got."""

    def post(form):
        signature = RequestValidator(TOKEN).compute_signature(f"{ORIGIN}/conversations/webhook", form)
        fields = [part for name, value in form.items() for part in ("--data-urlencode", f"{name}={value}")]
        url = f"http://127.0.0.1:{server.port}/conversations/webhook"
        command = ["curl", "-s", "-w", "%{http_code}", "-H", f"X-Twilio-Signature: {signature}", *fields, url]
        return subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout

    return post


@pytest.fixture
def deliveries(settings):
    """Return what `flask deliveries list` shows, as it stands in another process."""

    def read():
        command = [sys.executable, "-m", "flask", "deliveries", "list", "--json"]
        shown = subprocess.run(command, cwd=PROJECT, env=settings, capture_output=True, text=True, check=True)
        return {row["message_sid"]: (row["status"], row["rule"]) for row in json.loads(shown.stdout)}

    return read


def sample(name):
    """Return a recorded webhook as one of our account: nothing is sent about those of another."""
    recorded: dict[str, str] = json.loads((SAMPLES / f"{name}.json").read_text())["form"]
    return recorded | {"AccountSid": ACCOUNT_SID}


def test_a_recorded_message_is_answered_and_recorded_receipts_are_logged(curl, deliveries, emulator):
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    message = sample("rec-message-added-sms-full") | {"DateCreated": now}
    emulator.adopt(message)
    assert curl(message) == "204"
    assert eventually(lambda: emulator.replies() == ["Thanks, we will be right back."])
    reply = emulator.messages()[-1]

    receipt = sample("rec-delivery-updated-sent")
    ours = receipt | {"MessageSid": reply["sid"], "ConversationSid": message["ConversationSid"]}
    assert curl(ours | {"DeliveryReceiptSid": "DY" + "1" * 32}) == "204"
    assert curl(receipt) == "204"

    expected = {reply["sid"]: ("sent", "default"), receipt["MessageSid"]: ("sent", None)}
    assert eventually(lambda: deliveries() == expected)
