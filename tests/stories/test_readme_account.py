"""README's steps for an account, played as they are written: from an empty account to the first reply."""

import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from app.emulator.client import Emulator
from tests.support.checkout import ROOT, Checkout
from tests.support.eventually import eventually

SECTION = (ROOT / "README.md").read_text(encoding="utf-8").partition("## With your Twilio account\n")[2]
STEPS = re.findall(r"^ {7}(\S.*)$", SECTION.partition("\n### ")[0], re.MULTILINE)
SID, TOKEN = "AC" + "ab" * 16, "f00d" * 8


@pytest.fixture
def emulator():
    with Emulator.start(account_sid=SID, auth_token=TOKEN, receipt_delay=0.01) as emulator:
        yield emulator


@pytest.fixture
def checkout(tmp_path):
    """A fresh clone in which `make .venv/ready` has run."""
    checkout = Checkout(tmp_path / "parley")
    (checkout.folder / ".venv").symlink_to(ROOT / ".venv", target_is_directory=True)
    (checkout.folder / ".env.example").write_bytes((ROOT / ".env.example").read_bytes())
    return checkout


@pytest.fixture
def shell(checkout):
    """Run a line of README, in its folder; one that serves goes on, and ends with the test."""
    serving = []

    def run(line, **environ):
        output = checkout.folder / "said.txt"
        options = {"cwd": checkout.folder, "env": {"PATH": os.environ["PATH"], **environ}, "stdin": subprocess.DEVNULL}
        if "gunicorn" not in line:
            return subprocess.run(line.split(), capture_output=True, text=True, timeout=100, check=False, **options)
        with output.open("wb") as file:
            serving.append(subprocess.Popen(line.split(), stdout=file, stderr=file, **options))
        assert eventually(lambda: "Listening at" in output.read_text(), seconds=60), output.read_text()
        return None

    yield run
    for process in serving:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def fill_in(env_file: Path, **settings):
    text = env_file.read_text(encoding="utf-8")
    for name, value in settings.items():
        text = re.sub(rf"^{name}=$", f"{name}={value}", text, flags=re.MULTILINE)
    env_file.write_text(text, encoding="utf-8")


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_the_steps_lead_from_an_empty_account_to_the_first_reply(checkout, shell, emulator, free_port):
    port = free_port()
    with pytest.raises(RuntimeError, match="autocreation is off"):
        emulator.inbound("Where is my order?", to="+15550100099")
    said = {}
    for line in STEPS:
        if line == ".venv/bin/flask inbox list":  # now that doctor is content, a customer writes
            emulator.inbound("Where is my order?", to="+15550100099")
            assert eventually(lambda: emulator.replies(), seconds=60)
            assert emulator.settle()
        said[line] = shell(line, PORT=str(port))
        if line == "cp .env.example .env":
            fill_in(
                checkout.folder / ".env",
                TWILIO_ACCOUNT_SID=SID,
                TWILIO_AUTH_TOKEN=TOKEN,
                PUBLIC_URL=f"http://127.0.0.1:{port}",
                TWILIO_API_BASE_URL=emulator.url,
            )

    assert [(line, one.returncode, one.stderr) for line, one in said.items() if one and one.returncode] == []
    assert len(emulator.replies()) == 1
    assert "onMessageAdded" in said[".venv/bin/flask inbox list"].stdout
    assert "delivered" in said[".venv/bin/flask deliveries list"].stdout
    assert "0 problem(s)" in said[".venv/bin/flask doctor"].stdout


def test_the_section_has_the_steps_that_twilio_needs():
    assert [line.split()[1] if "gunicorn" in line else " ".join(line.split()[:3]) for line in STEPS] == [
        "cp .env.example .env",
        "wsgi:app",
        ".venv/bin/flask addresses create",
        ".venv/bin/flask webhooks point",
        ".venv/bin/flask doctor",
        ".venv/bin/flask inbox list",
        ".venv/bin/flask deliveries list",
    ]
