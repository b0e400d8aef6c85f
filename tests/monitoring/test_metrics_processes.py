"""`/metrics` of two web processes and a worker: any of them tells of all, also of one that is gone."""

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
import requests

from app.config import PROJECT
from tests.conftest import ORIGIN, TOKEN
from tests.support.eventually import eventually
from tests.support.gunicorn_process import serving
from tests.support.scraping import PASSWORD, one, read

pytestmark = pytest.mark.slow


@pytest.fixture
def web_settings(tmp_path, rules_file, emulator):
    """Two web processes that only store: somebody else works."""
    return {
        "TWILIO_ACCOUNT_SID": "AC" + "1".zfill(32),
        "TWILIO_AUTH_TOKEN": TOKEN,
        "TWILIO_API_BASE_URL": emulator.url,
        "PUBLIC_URL": ORIGIN,
        "DATABASE_URL": f"sqlite:///{tmp_path}/parley.db",
        "BOT_RULES": str(rules_file),
        "BOT_ADMIN_PASSWORD": PASSWORD,
        "BOT_INLINE_WORKER": "off",
    }


def test_any_process_tells_what_all_have_counted_also_one_that_is_gone_and_what_a_worker_did(
    web_settings, tmp_path, emulator
):
    with serving(web_settings, tmp_path / "output") as web:
        origin = f"http://127.0.0.1:{web.port}"
        emulator.point_at(f"{origin}/conversations/webhook", ORIGIN)
        emulator.inbound("where is my order")
        assert emulator.settle()
        first, second = children(web)
        answers = [while_stopped(second, lambda: forge(origin, 3)), while_stopped(first, lambda: forge(origin, 4))]
        told = [while_stopped(one_of_them, lambda: scraped(origin)) for one_of_them in (first, second)]
        os.kill(first, signal.SIGKILL)
        worker = subprocess.run(
            [sys.executable, "-m", "flask", "worker", "--drain"],
            cwd=PROJECT,
            check=True,
            capture_output=True,
            env={"PATH": os.environ["PATH"], **web_settings},
        )
        assert eventually(lambda: len(set(children(web)) - {first}) == 2)
        afterwards = scraped(origin)

    assert answers == [[403] * 3, [403] * 4]
    assert [one(found, "parley_refusals_total", reason="missing") for found in [*told, afterwards]] == [7, 7, 7]
    stored = sum(
        n
        for (name, labels), n in afterwards.items()
        if name == "parley_webhooks_total" and ("outcome", "stored") in labels
    )
    assert stored == one(afterwards, "parley_ack_seconds_count") == rows(tmp_path / "parley.db")
    assert one(told[0], "parley_replies_sent_total", rule="order") == 0
    assert worker.returncode == 0
    assert one(afterwards, "parley_replies_sent_total", rule="order") == 1
    assert one(afterwards, "parley_rest_calls_total", result="ok") >= 1


def while_stopped(pid, ask):
    """Ask while this process cannot answer: the other one does."""
    os.kill(pid, signal.SIGSTOP)
    try:
        return ask()
    finally:
        os.kill(pid, signal.SIGCONT)


def forge(origin, times):
    return [
        requests.post(f"{origin}/conversations/webhook", data={"a": "b"}, timeout=60).status_code for _ in range(times)
    ]


def scraped(origin):
    answer = requests.get(f"{origin}/metrics", auth=("prometheus", PASSWORD), timeout=60)
    assert answer.status_code == 200
    return read(answer.text)


def children(web):
    parent = web.process.pid
    return [int(pid) for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]


def rows(path):
    with closing(sqlite3.connect(path)) as database:
        return database.execute("SELECT count(*) FROM inbox").fetchone()[0]
