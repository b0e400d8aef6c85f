"""`flask version`: which Parley this is, and on what it runs; `parley` is the same commands in any folder."""

import json
import platform
import sqlite3
import subprocess
import sys
from importlib import metadata

import pytest

from app.config import PROJECT, VERSION
from app.db.schema import newest_revision

pytestmark = pytest.mark.engines("sqlite")
PARLEY = [sys.executable, "-c", "from app.cli.main import main; main()"]


def parley(folder, *arguments):
    environ = {"PYTHONPATH": str(PROJECT), "DATABASE_URL": f"sqlite:///{folder}/parley.db"}
    return subprocess.run(
        [*PARLEY, *arguments], cwd=folder, env=environ, capture_output=True, text=True, timeout=60, check=False
    )


def test_scripts_read_every_version(flask_command):
    told = json.loads(flask_command("version", "--json"))

    assert (told["parley"], told["schema"]) == (VERSION, newest_revision())
    assert (told["python"], told["sqlite"]) == (platform.python_version(), sqlite3.sqlite_version)
    assert (told["libraries"]["flask"], told["libraries"]["twilio"]) == (
        metadata.version("flask"),
        metadata.version("twilio"),
    )


def test_people_read_one_line_for_each(flask_command):
    lines = [line.split() for line in flask_command("version").splitlines()]

    assert lines[0] == ["parley", VERSION]
    assert ["sqlalchemy", metadata.version("sqlalchemy")] in lines


def test_the_changelog_tells_of_this_version_and_its_day():
    changelog = (PROJECT / "CHANGELOG.md").read_text(encoding="utf-8")

    assert f"\n## {VERSION} (20" in changelog


def test_parley_works_where_no_wsgi_file_is(tmp_path):
    assert parley(tmp_path, "--version").stdout == f"parley, version {VERSION}\n"
    assert parley(tmp_path, "db", "upgrade").returncode == 0
    assert parley(tmp_path, "inbox", "list").stdout == "No such event.\n"
