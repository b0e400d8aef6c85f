"""`flask worker` as a process: it works, stops when asked, and says why it cannot."""

import json
import os
import signal
import subprocess
import sys

import pytest

from app.config import PROJECT

pytestmark = pytest.mark.slow


@pytest.fixture
def worker_process(environ):
    """Start `flask worker` with these options; it is gone afterwards."""
    started = []

    def start(*options, **more):
        process = subprocess.Popen(
            [sys.executable, "-m", "flask", "worker", *options],
            cwd=PROJECT,
            env={"PATH": os.environ["PATH"], **environ, **more},
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_a_worker_ends_with_0_when_asked(worker_process, number):
    process = worker_process()
    while "ready" not in process.stderr.readline():
        pass
    process.send_signal(number)

    assert process.wait(60) == 0


def test_a_draining_worker_answers_and_ends(customer_writes, worker_process, emulator, flask_command):
    customer_writes("hello")

    assert worker_process("--drain").wait(30) == 0
    assert emulator.replies() == ["Thanks, we will be right back."]
    listed = json.loads(flask_command("inbox", "list", "--json"))
    written = [one["state"] for one in listed if one["event_type"] != "onDeliveryUpdated"]  # receipts come afterwards
    assert written == ["processed"] * 3


def test_draining_a_database_that_is_away_fails_and_says_so(worker_process):
    process = worker_process("--drain", DATABASE_URL="postgresql://nobody@127.0.0.1:9/nothing")
    _, said = process.communicate(timeout=30)

    assert process.returncode == 1
    assert "the database cannot be used now" in said
