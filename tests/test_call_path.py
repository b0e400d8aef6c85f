"""How far a message goes through the code: no further than it should, and as README.md shows it."""

import pytest

from tests import call_path


@pytest.fixture(scope="module")
def paths(emulator_process, tmp_path_factory):
    """What one message crosses as it arrives and as it is answered."""
    emulator_process.reset()
    emulator_process.point_at("")
    return call_path.play(emulator_process, tmp_path_factory.mktemp("path"))


def test_a_message_arrives_through_five_packages_and_twelve_files(paths):
    arriving, _ = paths

    assert len(arriving.packages) <= 5, arriving.packages
    assert len(arriving.files) <= 12, arriving.files


def test_a_message_is_answered_through_seven_packages_and_44_files(paths):
    _, answered = paths

    assert len(answered.packages) <= 7, answered.packages
    assert len(answered.files) <= 44, answered.files  # 30 are aimed at; this is what it is, and it must not grow


def test_readme_shows_the_paths_as_they_are_measured(paths):
    readme = call_path.README.read_text(encoding="utf-8")

    assert readme == call_path.written(readme, call_path.picture(*paths)), "run: python -m tests.call_path --write"


def test_what_runs_is_told_apart_from_what_is_only_imported():
    with call_path.followed() as path:
        from app.rules import reply_length

        reply_length.parts("hello")

    assert path.files == ["rules/reply_length.py"]
