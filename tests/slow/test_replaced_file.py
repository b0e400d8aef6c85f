"""An SQLite file that is replaced under running web processes: said at once, over after a restore with all stopped."""

import shutil
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from sqlite3 import connect

import pytest
import requests

from tests.support.eventually import eventually
from tests.support.open_door import stored_in_sqlite, web_service
from tests.support.open_load import post_at_once

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]
REPLACED = "the database file was replaced while Parley runs"


def overwrite(file: Path, backup: Path) -> None:
    subprocess.run(["cp", backup, file], check=True)


def rename(file: Path, backup: Path) -> None:
    shutil.copy(backup, file.with_name("another.db"))
    subprocess.run(["mv", file.with_name("another.db"), file], check=True)


@pytest.mark.parametrize("replace", [overwrite, rename])
def test_a_replaced_file_is_noticed_and_after_a_restore_with_all_stopped_it_goes_on(replace, sqlite_template, tmp_path):
    file, backup = tmp_path / "parley.db", tmp_path / "backup.db"
    shutil.copy(sqlite_template, file)
    with web_service(f"sqlite:///{file}", tmp_path / "log") as service:
        assert {post.status for post in post_at_once(service.url, 10).posts} == {204}
        subprocess.run([sys.executable, "-c", BACKUP, file, backup], check=True)
        assert {post.status for post in post_at_once(service.url, 10).posts} == {204}
        replace(file, backup)

        assert eventually(lambda: REPLACED in readiness(service.url))
        assert {post.status for post in post_at_once(service.url, 20).posts} == {503}
        assert REPLACED in service.log_text()

    for leftover in ("parley.db-wal", "parley.db-shm"):
        (tmp_path / leftover).unlink(missing_ok=True)
    shutil.copy(backup, file)
    with web_service(f"sqlite:///{file}", tmp_path / "log") as service:
        assert {post.status for post in post_at_once(service.url, 10).posts} == {204}
    with closing(connect(file)) as restored:
        assert restored.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert len(stored_in_sqlite(file)) == 20


BACKUP = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).backup(sqlite3.connect(sys.argv[2]))"


def readiness(url: str) -> str:
    return requests.get(url.replace("/conversations/webhook", "/readyz"), timeout=10).text
