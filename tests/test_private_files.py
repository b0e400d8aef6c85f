"""What Parley writes is for its owner alone, whatever the umask of whoever starts it."""

import os
from pathlib import Path

import pytest

from app import config
from app.common import private_files
from app.db.database import Database
from app.db.schema import migrate
from tests.support.eventually import eventually
from tests.support.gunicorn_process import serving

pytestmark = pytest.mark.engines("sqlite")


@pytest.fixture(params=[0o000, 0o002, 0o022, 0o077], ids=oct)
def umask(request):
    """A umask for this test."""
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def modes(folder: Path) -> dict[str, int]:
    """Return the permissions of everything in and below a folder."""
    return {str(path.relative_to(folder)): path.stat().st_mode & 0o777 for path in folder.rglob("*")}


def are_private(folder: Path) -> bool:
    return all(mode == (0o700 if (folder / name).is_dir() else 0o600) for name, mode in modes(folder).items())


def test_a_new_database_and_its_folders_are_private(umask, tmp_path):
    database = Database(f"sqlite:///{tmp_path}/new/instance/parley.db")
    migrate(database)

    found = modes(tmp_path)
    database.close()

    assert {"new", "new/instance", "new/instance/parley.db", "new/instance/parley.db-wal"} <= set(found)
    assert {name: mode for name, mode in found.items() if mode not in (0o600, 0o700)} == {}


def test_what_is_there_already_keeps_its_permissions(umask, tmp_path):
    (tmp_path / "instance").mkdir()
    (tmp_path / "instance").chmod(0o750)
    (tmp_path / "instance" / "parley.db").touch()
    (tmp_path / "instance" / "parley.db").chmod(0o640)
    database = Database(f"sqlite:///{tmp_path}/instance/parley.db")
    migrate(database)
    database.close()

    assert modes(tmp_path)["instance"] == 0o750
    assert modes(tmp_path)["instance/parley.db"] == 0o640


def test_files_and_folders_are_written_private(umask, tmp_path):
    private_files.make_folder(tmp_path / "a" / "b")
    private_files.write(tmp_path / "a" / "b" / "file", b"x")
    private_files.touch(tmp_path / "a" / "b" / "other")

    assert modes(tmp_path) == {"a": 0o700, "a/b": 0o700, "a/b/file": 0o600, "a/b/other": 0o600}


def test_recordings_are_private(umask, customer_writes, run_worker, flask_command, tmp_path):
    customer_writes("hello")
    run_worker()

    flask_command("record", "--out", str(tmp_path / "recordings" / "today"))

    assert list((tmp_path / "recordings" / "today").iterdir())
    assert are_private(tmp_path / "recordings")


def test_a_server_that_runs_leaves_no_file_that_others_can_read(tmp_path, emulator, rules_file):
    (tmp_path / "place").mkdir()
    environ = {
        "TWILIO_ACCOUNT_SID": "AC" + "1".zfill(32),
        "TWILIO_AUTH_TOKEN": "0123456789abcdef0123456789abcdef",
        "TWILIO_API_BASE_URL": emulator.url,
        "PUBLIC_URL": "https://bot.example.com",
        "DATABASE_URL": f"sqlite:///{tmp_path}/place/instance/parley.db",
        "BOT_RULES": str(rules_file),
        "WEB_CONCURRENCY": "1",
    }
    before = os.umask(0)
    try:
        with serving(environ, tmp_path / "output") as server:
            emulator.point_at(f"http://127.0.0.1:{server.port}/conversations/webhook", "https://other.example.com")
            emulator.inbound("refused: signed for another address")
            assert eventually((tmp_path / "place" / "instance" / "refused.jsonl").exists, seconds=30)
            assert "instance/parley.db-wal" in modes(tmp_path / "place")
            assert are_private(tmp_path / "place")
    finally:
        os.umask(before)
    assert config.from_environment(environ).problems == ()
