"""The folder of the counters: each gunicorn has its own, and none stays behind."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.monitoring import multiprocess


@pytest.fixture
def place(tmp_path):
    """Where folders are made, of this test alone."""
    return tmp_path


def test_two_that_live_have_folders_of_their_own(place):
    first, second = multiprocess.create(place), multiprocess.create(place)

    assert first != second
    assert {first, second} == set(place.glob("parley-metrics-*"))
    assert first.stat().st_mode & 0o077 == 0


def test_the_folder_of_one_that_was_killed_is_removed_by_the_next(place):
    killed = f"""
import os, pathlib
from app.monitoring import multiprocess
print(multiprocess.create(pathlib.Path({str(place)!r})), flush=True)
os._exit(9)
"""
    ended = subprocess.run(
        [sys.executable, "-c", killed], capture_output=True, text=True, cwd=Path(__file__).parents[2]
    )
    left = Path(ended.stdout.strip())
    assert left.is_dir()

    multiprocess.create(place)

    assert not left.exists()


def test_the_files_of_a_process_have_their_room_before_it_counts(place):
    folder = multiprocess.create(place)

    multiprocess.reserve(folder, os.getpid())

    files = {path.name: path.stat() for path in folder.glob("*.db")}
    assert set(files) == {f"counter_{os.getpid()}.db", f"histogram_{os.getpid()}.db"}
    assert all(found.st_blocks * 512 >= found.st_size > 0 for found in files.values())


def test_removing_twice_is_no_fault(place):
    folder = multiprocess.create(place)

    multiprocess.remove(folder)
    multiprocess.remove(folder)

    assert not folder.exists()
