"""Settings from the environment and `.env`: what is good, what is bad, and how one is told."""

import os
import shutil
import subprocess
import sys
from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from app.config import PROJECT, from_environment, problems_for_rest, problems_for_serving, problems_for_worker

SECRET = "5ecret" * 6
SID = "1" * 32
COMPLETE = {"TWILIO_ACCOUNT_SID": f"AC{SID}", "TWILIO_AUTH_TOKEN": SECRET, "PUBLIC_URL": "https://bot.example.com"}

GOOD = [
    ("TWILIO_ACCOUNT_SID", f"AC{SID}", "account_sid", f"AC{SID}"),
    ("TWILIO_ACCOUNT_SID", f"  AC{SID}\n", "account_sid", f"AC{SID}"),
    ("TWILIO_AUTH_TOKEN", SECRET, "auth_token", SECRET),
    ("TWILIO_AUTH_TOKEN", "", "auth_token", ""),
    ("TWILIO_SECONDARY_AUTH_TOKEN", SECRET, "secondary_auth_token", SECRET),
    ("TWILIO_SHARED_KEYS", "WK1:one, WK2:t:wo,", "shared_keys", {"WK1": "one", "WK2": "t:wo"}),
    ("TWILIO_API_KEY", f"SK{SID}", "api_key", f"SK{SID}"),
    ("TWILIO_API_SECRET", SECRET, "api_secret", SECRET),
    ("TWILIO_SERVICE_SID", "IS" + "aF" * 16, "service_sid", "IS" + "aF" * 16),
    ("TWILIO_API_BASE_URL", "http://127.0.0.1:4010/", "api_base_url", "http://127.0.0.1:4010"),
    ("PUBLIC_URL", "https://bot.example.com/", "public_url", "https://bot.example.com"),
    ("PUBLIC_URL", "https://example.com/behind/a/prefix", "public_url", "https://example.com/behind/a/prefix"),
    ("PUBLIC_URL", "http://[::1]:8000", "public_url", "http://[::1]:8000"),
    ("DATABASE_URL", "", "database_url", f"sqlite:///{PROJECT}/instance/parley.db"),
    ("DATABASE_URL", "sqlite:///data/a.db", "database_url", f"sqlite:///{PROJECT}/data/a.db"),
    ("DATABASE_URL", "sqlite:////var/a.db", "database_url", "sqlite:////var/a.db"),
    ("DATABASE_URL", "postgres://u:p@h/n", "database_url", "postgresql+psycopg://u:p@h/n"),
    ("DATABASE_URL", "postgresql://h:5432/n", "database_url", "postgresql+psycopg://h:5432/n"),
    ("DATABASE_URL", "postgresql+psycopg://[::1]/n?a=b", "database_url", "postgresql+psycopg://[::1]/n?a=b"),
    ("DATABASE_URL", "postgresql:///n?host=/run/x", "database_url", "postgresql+psycopg:///n?host=/run/x"),
    ("BOT_AUTHOR", "café ☎", "bot_author", "café ☎"),
    ("BOT_AGENTS", "anna, agent-*,, RL1", "bot_agents", ("anna", "agent-*", "RL1")),
    ("BOT_RULES", "/etc/rules.toml", "bot_rules", Path("/etc/rules.toml")),
    ("BOT_RULES", "other.toml", "bot_rules", PROJECT / "other.toml"),
    ("BOT_INLINE_WORKER", "off", "inline_worker", "off"),
    ("BOT_WORKER_THREADS", "64", "worker_threads", 64),
    ("BOT_MAX_REPLY_AGE_SECONDS", "0", "max_reply_age", None),
    ("BOT_RETENTION_DAYS", "1", "retention_days", 1),
    ("BOT_LOG_FORMAT", "json", "log_format", "json"),
    ("WEB_CONCURRENCY", "4", "web_concurrency", 4),
]

BAD = [
    ("TWILIO_ACCOUNT_SID", f"AC{SID}0"),
    ("TWILIO_ACCOUNT_SID", f"SK{SID}"),
    ("TWILIO_ACCOUNT_SID", SECRET),
    ("TWILIO_AUTH_TOKEN", f"{SECRET} {SECRET}"),
    ("TWILIO_AUTH_TOKEN", f"{SECRET}\x00"),
    ("TWILIO_SECONDARY_AUTH_TOKEN", f"{SECRET}\udcff"),
    ("TWILIO_SHARED_KEYS", SECRET),
    ("TWILIO_SHARED_KEYS", f"WK1:{SECRET},:{SECRET}"),
    ("TWILIO_API_KEY", SECRET),
    ("TWILIO_API_SECRET", f"{SECRET}\t{SECRET}"),
    ("TWILIO_SERVICE_SID", "IS" + "g" * 32),
    ("TWILIO_API_BASE_URL", "127.0.0.1:4010"),
    ("TWILIO_API_BASE_URL", f"https://user:{SECRET}@[::1"),
    ("PUBLIC_URL", "bot.example.com"),
    ("PUBLIC_URL", "ftp://bot.example.com"),
    ("PUBLIC_URL", "https://"),
    ("PUBLIC_URL", "https://bot.example.com:port"),
    ("PUBLIC_URL", "https://bot.example.com/?a=b"),
    ("PUBLIC_URL", "https://bot.example.com/conversations/webhook"),
    ("DATABASE_URL", f"mysql://user:{SECRET}@host/name"),
    ("DATABASE_URL", f"postgresql://user:{SECRET}@host:port/name"),
    ("DATABASE_URL", f"postgresql://user:{SECRET}@[::1/name"),
    ("DATABASE_URL", "sqlite://"),
    ("DATABASE_URL", "sqlite:///"),
    ("DATABASE_URL", "sqlite:///:memory:"),
    ("DATABASE_URL", "sqlite:///file:x?mode=memory"),
    ("BOT_AUTHOR", "x" * 257),
    ("BOT_AUTHOR", "support\r\nbot"),
    ("BOT_INLINE_WORKER", "yes"),
    ("BOT_WORKER_THREADS", "0"),
    ("BOT_WORKER_THREADS", "65"),
    ("BOT_WORKER_THREADS", "eight"),
    ("BOT_MAX_REPLY_AGE_SECONDS", "-1"),
    ("BOT_RETENTION_DAYS", "1.5"),
    ("BOT_LOG_FORMAT", "JSON"),
    ("WEB_CONCURRENCY", "many"),
]


@pytest.mark.parametrize(("name", "text", "attribute", "value"), GOOD, ids=lambda part: ascii(part)[:40])
def test_a_good_value_is_read(name, text, attribute, value):
    settings = from_environment({name: text})

    assert settings.problems == ()
    assert getattr(settings, attribute) == value


@pytest.mark.parametrize(("name", "text"), BAD, ids=lambda part: ascii(part)[:40])
def test_a_bad_value_is_one_sentence_that_names_the_setting_and_the_default_stays(name, text):
    settings = from_environment({name: text})

    (fault,) = settings.problems
    assert fault.startswith(f"{name} ")
    assert fault.endswith(" (see .env.example)")
    assert SECRET[:3] not in fault
    assert settings.problems != from_environment({}).problems == ()


@pytest.mark.parametrize("text", [row[1] for row in GOOD if row[0] == "DATABASE_URL"])
def test_every_database_address_that_is_accepted_can_be_taken_apart(text):
    assert make_url(from_environment({"DATABASE_URL": text}).database_url).drivername


def test_all_faults_are_told_at_once_in_the_order_of_the_settings():
    names = [name for name, _ in dict(BAD).items()]

    problems = from_environment(dict(BAD)).problems

    assert sorted(fault.split()[0] for fault in problems) == sorted(names)


def test_no_secret_is_in_a_repr():
    names = ["TWILIO_AUTH_TOKEN", "TWILIO_SECONDARY_AUTH_TOKEN", "TWILIO_API_SECRET"]
    environ = dict.fromkeys(names, SECRET) | {
        "TWILIO_SHARED_KEYS": f"WK1:{SECRET}",
        "DATABASE_URL": f"postgresql://user:{SECRET}@host/name",
        "PUBLIC_URL": f"https://user:{SECRET}@bot.example.com",
        "TWILIO_API_BASE_URL": f"https://user:{SECRET}@twilio.example.com",
    }

    assert from_environment(environ).problems == ()
    assert SECRET not in repr(from_environment(environ))


def test_settings_cannot_be_changed():
    with pytest.raises(FrozenInstanceError):
        from_environment({}).auth_token = "other"  # type: ignore[misc]


LACKING = [
    ("TWILIO_ACCOUNT_SID", {}, (1, 1, 1)),
    ("TWILIO_AUTH_TOKEN", {}, (1, 1, 1)),
    ("TWILIO_AUTH_TOKEN", {"TWILIO_API_KEY": f"SK{SID}", "TWILIO_API_SECRET": "x"}, (0, 0, 1)),
    ("TWILIO_AUTH_TOKEN", {"TWILIO_API_KEY": f"SK{SID}"}, (1, 1, 2)),
    ("TWILIO_AUTH_TOKEN", {"TWILIO_SHARED_KEYS": "WK1:x"}, (1, 1, 1)),
    ("PUBLIC_URL", {}, (0, 0, 1)),
    ("PUBLIC_URL", {"DYNO": "web.1"}, (0, 1, 2)),
    ("PUBLIC_URL", {"DYNO": "web.1", "DATABASE_URL": "postgres://h/n"}, (0, 0, 1)),
]


@pytest.mark.parametrize(("missing", "more", "problems"), LACKING, ids=lambda part: ascii(part)[:40])
def test_each_process_asks_only_for_what_it_uses(missing, more, problems):
    environ = COMPLETE | {missing: ""} | more
    settings = from_environment(environ)

    told = problems_for_rest(settings), problems_for_worker(settings, environ), problems_for_serving(settings, environ)

    assert tuple(len(sentences) for sentences in told) == problems


def test_complete_settings_may_serve():
    assert problems_for_serving(from_environment(COMPLETE), {}) == []


def test_a_malformed_setting_is_not_called_missing_as_well():
    problems = problems_for_serving(from_environment(COMPLETE | {"PUBLIC_URL": "nowhere"}), {})

    assert [fault.split()[0] for fault in problems] == ["PUBLIC_URL"]


@pytest.mark.parametrize(
    ("url", "said", "runs"),
    [
        ("sqlite:///a.db", "auto", True),
        ("sqlite:///a.db", "off", False),
        ("postgres://h/n", "auto", False),
        ("postgres://h/n", "on", True),
    ],
)
def test_a_web_process_works_too_on_sqlite_unless_told_otherwise(url, said, runs):
    settings = from_environment({"DATABASE_URL": url, "BOT_INLINE_WORKER": said})

    assert settings.runs_inline_worker is runs


ENV_FILES = {
    "plain": (b"BOT_AUTHOR=from-file\nBOT_AGENTS=anna\n", "from-file anna"),
    "quotes and comments": (
        b"# hi\nexport BOT_AUTHOR='from file'  # why\nBOT_AGENTS = \"anna\"\n",
        "from file anna",
    ),
    "byte order mark of Windows": (b"\xef\xbb\xbfBOT_AUTHOR=from-file\r\nBOT_AGENTS=anna\r\n", "from-file anna"),
    "not UTF-8 in a comment": (b"# gr\xfc\xdfe\nBOT_AUTHOR=from-file\nBOT_AGENTS=anna\n", "from-file anna"),
    "overruled": (b"BOT_AUTHOR=from-file\nBOT_AGENTS=anna\nBOT_AUTHOR=again\n", "again anna"),
    "empty": (b"", "support-bot support-agent"),
}
SHOW = "from app.config import from_environment as read; print(read().bot_author, *read().bot_agents)"


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the code, beside which a `.env` may lie."""
    folder = tmp_path_factory.mktemp("checkout")
    (folder / "app" / "common").mkdir(parents=True)
    for name in ("config.py", "common/__init__.py", "common/setting_addresses.py"):
        shutil.copy(PROJECT / "app" / name, folder / "app" / name)
    (folder / "app" / "__init__.py").touch()
    return folder


def settings_of(checkout: Path, **environ: str) -> str:
    """Return author and agents of a process that is started elsewhere."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("BOT_")}
    command = [sys.executable, "-c", SHOW]
    environ = kept | environ | {"PYTHONPATH": str(checkout), "PYTHONIOENCODING": "utf-8"}
    return subprocess.run(command, cwd="/", env=environ, capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.parametrize(("content", "expected"), ENV_FILES.values(), ids=ENV_FILES)
def test_the_file_beside_the_code_is_read(content, expected, checkout):
    (checkout / ".env").write_bytes(content)

    assert settings_of(checkout) == expected


def test_the_environment_wins_over_the_file(checkout):
    (checkout / ".env").write_text("BOT_AUTHOR=from-file\nBOT_AGENTS=anna\n")

    assert settings_of(checkout, BOT_AUTHOR="from-environment") == "from-environment anna"
    assert settings_of(checkout, BOT_AUTHOR="", BOT_AGENTS="ben") == "support-bot ben"
