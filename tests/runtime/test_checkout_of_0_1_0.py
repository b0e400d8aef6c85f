"""The files that people keep of a checkout of 0.1.0 go on working: `.env`, rules.toml, Procfile, compose.yaml.

tests/fixtures/checkout_of_0_1_0/ has them as they were then (commit 405b213); in `env`, its `.env`, made-up values are
filled in. For its gunicorn.conf.py see test_former_names.py, for its database tests/db/test_database_of_0_1_0.py.
"""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from dotenv import dotenv_values

from app import config, create_app
from app.rules.engine import decide, timers_of
from app.rules.facts import ConversationFacts, Inbound, Policy
from app.rules.lint import lint
from app.rules.loader import load
from tests.support.documented_files import build_image, compose_services, instruction
from tests.support.eventually import eventually

FORMER = Path(__file__).parents[1] / "fixtures" / "checkout_of_0_1_0"
ENV = {name: value or "" for name, value in dotenv_values(FORMER / "env").items()}
RULES = load((FORMER / "rules.toml").read_text(encoding="utf-8"))
PROCFILE = dict(line.split(": ") for line in (FORMER / "Procfile").read_text().splitlines())
SERVICES = compose_services(FORMER / "compose.yaml")
MONDAY_NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def test_every_setting_is_read_as_it_is_written():
    settings = config.from_environment(ENV)

    assert (settings.problems, config.problems_for_serving(settings, {})) == ((), [])
    assert (settings.account_sid, settings.auth_token) == (ENV["TWILIO_ACCOUNT_SID"], ENV["TWILIO_AUTH_TOKEN"])
    assert (settings.secondary_auth_token, settings.shared_keys) == (
        ENV["TWILIO_SECONDARY_AUTH_TOKEN"],
        {"key1": "a-made-up-secret-of-our-tests"},
    )
    assert (settings.public_url, settings.bot_author) == ("https://bot.example.com", "front-desk")
    assert (settings.bot_agents, settings.inline_worker) == (("support-agent", "agent-*"), "off")
    assert (settings.worker_threads, settings.max_reply_age_seconds, settings.retention_days) == (4, 7200, 60)
    assert (settings.reconcile_seconds, settings.log_format, settings.web_concurrency) == (600, "json", 2)
    assert (settings.admin_password, settings.secret_key) == ("a-made-up-password", "a-made-up-secret-key")


def test_every_setting_is_still_one():
    today = (config.PROJECT / ".env.example").read_text(encoding="utf-8")

    assert ENV.keys() - set(re.findall(r"^(\w+)=", today, re.MULTILINE)) == set()


@pytest.mark.parametrize(
    ("text", "first_contact", "code", "rule"),
    [
        ("Where is my order?", True, "replied", "order status"),
        ("a real person please", False, "replied", "ask for a person"),
        ("when are you open", False, "replied", "opening hours"),
        ("what are your opening hours", False, "replied", "opening hours"),
        ("hello", True, "replied", "greeting"),
        ("hello", False, "replied", "default"),
        ("BAJA", False, "opt-out word", ""),
    ],
)
def test_its_rules_decide_as_they_did(text, first_contact, code, rule):
    message = Inbound("IM1", "CH1", "+15550100001", text, "sms", "SMS", MONDAY_NOON)
    known = ConversationFacts(first_contact=first_contact, last_inbound_at=MONDAY_NOON)
    decision = decide(message, known, RULES, Policy("front-desk"), MONDAY_NOON)

    assert (decision.code, decision.rule) == (code, rule)


def test_its_rules_are_without_fault_and_have_their_follow_up():
    assert [fault for fault in lint(RULES) if fault.is_error] == []
    assert [timer.total_seconds() for timer in timers_of(RULES)] == [15 * 60]


def commands(text: str) -> list[list[str]]:
    return [json.loads(found) for found in re.findall(r"command: (\[.*\])", text)]


def test_its_compose_file_names_what_the_image_of_today_has():
    known = create_app(config.from_environment({})).cli.commands
    web = SERVICES["web"]

    assert commands(SERVICES["release"]) == [["flask", "db", "upgrade"]]
    assert commands(SERVICES["worker"]) == [["flask", "worker"]]
    assert {"db", "worker"} <= known.keys()
    assert re.findall(r'"127\.0\.0\.1:\d+:(\d+)"', web) == [instruction("EXPOSE")]
    assert re.findall(r"\./rules\.toml:(\S+):ro", web) == [f"{instruction('WORKDIR')}/rules.toml"]
    assert f'"{instruction("VOLUME")}:uid={instruction("USER")}"' in web
    (url,) = re.findall(r"DATABASE_URL: (\S+)", SERVICES["release"])
    given = {"DATABASE_URL": url.replace("${POSTGRES_PASSWORD}", "secret"), "BOT_LOG_FORMAT": "json"}
    assert config.from_environment(ENV | given).problems == ()


@pytest.fixture
def port(free_port) -> int:
    return free_port()


@pytest.fixture
def start(tmp_path, emulator, port) -> Callable[[str], subprocess.Popen[bytes]]:
    """Start a process type of the Procfile where Parley of today lies between those files, as they are."""
    folder = build_image(tmp_path / "parley")
    shutil.copyfile(FORMER / "rules.toml", folder / "rules.toml")
    own = f"TWILIO_API_BASE_URL={emulator.url}\n"  # no test talks to Twilio
    (folder / ".env").write_text((FORMER / "env").read_text() + own)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environ = {"PATH": path, "PORT": str(port)}
    emulator.point_at(f"http://127.0.0.1:{port}/conversations/webhook", ENV["PUBLIC_URL"])
    return lambda kind: subprocess.Popen(PROCFILE[kind].split(), cwd=folder, env=environ)


@contextmanager
def running(*processes: subprocess.Popen[bytes]) -> Iterator[None]:
    try:
        yield
    finally:
        for process in processes:
            process.send_signal(signal.SIGTERM)
        ends = [process.wait(60) for process in processes]
    assert ends == [0] * len(ends)


@pytest.mark.slow
def test_its_procfile_starts_what_answers_a_customer(start, emulator, port):
    assert start("release").wait(60) == 0
    with running(start("web"), start("worker")):
        assert eventually(lambda: is_open(port))
        emulator.inbound("Where is my order?")
        is_answered = eventually(lambda: emulator.replies(author="front-desk") != [])

    assert is_answered
    assert emulator.replies(author="front-desk") == [
        "Please send us your order number, so that a colleague can look up your order."
    ]


def is_open(port: int) -> bool:
    with socket.socket() as connection:
        return connection.connect_ex(("127.0.0.1", port)) == 0
