"""Who may serve: gunicorn refuses with one sentence for each fault, all at once, and migrates SQLite by itself."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.gunicorn_process import launch

GOOD = {
    "TWILIO_ACCOUNT_SID": "AC" + "1".zfill(32),
    "TWILIO_AUTH_TOKEN": "0123456789abcdef0123456789abcdef",
    "PUBLIC_URL": "https://bot.example.com",
}


def refusal(tmp_path: Path, environ: dict[str, str]) -> list[str]:
    """Return the lines that gunicorn printed, after it has refused to start."""
    output = tmp_path / "output"
    process = launch({"DATABASE_URL": f"sqlite:///{tmp_path}/parley.db"} | environ, output)
    assert process.wait(60) == 1
    lines = [line for line in output.read_text().splitlines() if " gunicorn.error " not in line]
    assert lines.pop(0) == "Parley does not start:"
    return [line.removeprefix("  - ") for line in lines]


def test_every_missing_setting_is_named_with_what_to_do(tmp_path):
    assert refusal(tmp_path, {}) == [
        "TWILIO_ACCOUNT_SID is empty; copy it from the Twilio console (see .env.example)",
        "TWILIO_AUTH_TOKEN is empty; copy it from the Twilio console, or set an API key (see .env.example)",
        "PUBLIC_URL is empty; set the address that Twilio calls, e.g. https://bot.example.com (see .env.example)",
    ]


def test_all_that_is_malformed_is_said_at_once_and_no_secret_with_it(tmp_path):
    (tmp_path / "rules.toml").write_text("[[rule]\n")
    secret = "deadbeef" * 4
    faults = refusal(
        tmp_path,
        {
            "TWILIO_ACCOUNT_SID": secret,
            "TWILIO_AUTH_TOKEN": f"{secret} {secret}",
            "TWILIO_API_KEY": f"x{secret}",
            "TWILIO_SHARED_KEYS": f"{secret}:",
            "PUBLIC_URL": "bot.example.com",
            "BOT_RULES": str(tmp_path / "rules.toml"),
            "BOT_WORKER_THREADS": "0",
            "DYNO": "web.1",
        },
    )

    assert {fault.split()[0] for fault in faults} == {
        "TWILIO_ACCOUNT_SID",
        "TWILIO_AUTH_TOKEN",
        "TWILIO_API_KEY",
        "TWILIO_SHARED_KEYS",
        "PUBLIC_URL",
        "BOT_RULES",
        "BOT_WORKER_THREADS",
        "DATABASE_URL",
    }
    assert len(faults) == 8
    assert "dead" not in "\n".join(faults)


def write_garbage(path: Path) -> None:
    path.write_bytes(b"this is no database" * 100)


def write_another_programs(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE alembic_version (version_num TEXT)")
        database.execute("INSERT INTO alembic_version VALUES ('ae1027a6acf1')")
        database.commit()


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (Path.mkdir, "the database cannot be used now"),
        (write_garbage, "the database cannot be used now"),
        (write_another_programs, "the database belongs to another program, whose schema is at revision 'ae1027a6acf1'"),
    ],
    ids=["directory", "garbage", "another program"],
)
def test_a_database_file_that_cannot_be_used_is_named(spoil, why, tmp_path):
    spoil(tmp_path / "parley.db")

    (fault,) = refusal(tmp_path, GOOD)

    assert fault.startswith(f"DATABASE_URL names a file that cannot be used ({why}")
