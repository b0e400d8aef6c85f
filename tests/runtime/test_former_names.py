"""A gunicorn.conf.py of 0.1.0, from before the packages, serves as before: people keep their own copy of that file."""

import base64
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.conftest import ORIGIN, RULES, TOKEN
from tests.support import webhook_fixtures
from tests.support.eventually import eventually
from tests.support.gunicorn_process import launch, serving
from tests.support.hostile_requests import TARGET, exchange, on_the_wire
from tests.support.scraping import PASSWORD

FORMER = Path(__file__).with_name("gunicorn_conf_of_0_1_0.txt")


@pytest.fixture
def former(tmp_path):
    """The options of a gunicorn with the former configuration."""
    path = tmp_path / "gunicorn.conf.py"
    path.write_text(FORMER.read_text())
    return ["--config", str(path)]


@pytest.fixture
def settings(tmp_path, emulator_process):
    (tmp_path / "rules.toml").write_text(RULES)
    return {
        "TWILIO_ACCOUNT_SID": "AC" + "1".zfill(32),
        "TWILIO_AUTH_TOKEN": TOKEN,
        "TWILIO_API_BASE_URL": emulator_process.url,
        "PUBLIC_URL": ORIGIN,
        "DATABASE_URL": f"sqlite:///{tmp_path}/parley.db",
        "BOT_RULES": str(tmp_path / "rules.toml"),
        "BOT_ADMIN_PASSWORD": PASSWORD,
    }


def sms() -> bytes:
    """Return a signed webhook of a message that came just now."""
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    recorded = replace(webhook_fixtures.load("onMessageAdded__sms_text"), target=TARGET)
    request = webhook_fixtures.with_fields(recorded, {"MessageSid": f"IM{7:032}", "DateCreated": now})
    return on_the_wire(replace(request, headers=webhook_fixtures.sign(request, ORIGIN, TOKEN)))


def states(database: Path) -> list[str]:
    with closing(sqlite3.connect(database)) as opened:
        return [state for (state,) in opened.execute("SELECT state FROM inbox")]


def scraped(port: int) -> bytes:
    basic = base64.b64encode(f"x:{PASSWORD}".encode()).decode()
    return exchange(port, f"GET /metrics HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {basic}\r\n\r\n".encode()).raw


def test_it_migrates_stores_works_off_counts_and_ends(settings, former, tmp_path):
    with serving(settings, tmp_path / "output", *former) as server:
        stored = exchange(server.port, sms())
        is_worked_off = eventually(lambda: states(tmp_path / "parley.db") == ["processed"])
        counts = scraped(server.port)

        assert server.stop() == 0
    assert stored.status == 204
    assert is_worked_off, server.printed()
    assert b'parley_webhooks_total{event_type="onMessageAdded",outcome="stored"} 1.0' in counts
    assert "Traceback" not in server.printed()


def test_it_still_refuses_what_it_refused(settings, former, tmp_path):
    (tmp_path / "rules.toml").write_text("[[rule]\n")
    process = launch(settings | {"BOT_RESPONDER": "nobody:answers"}, tmp_path / "output", *former)

    assert process.wait(60) == 1
    _, refusal = (tmp_path / "output").read_text().split("Parley does not start:\n")
    assert [line.split()[1] for line in refusal.splitlines() if line.startswith("  - ")] == [
        "BOT_RULES",
        "BOT_RESPONDER",
    ]


def test_a_former_name_that_file_did_not_use_is_gone():
    with pytest.raises(ImportError, match="cannot import name 'make_worker' from 'app'"):
        exec("from app import make_worker")
