"""An unknown command, at any depth, is answered with the one that was meant."""

import subprocess
import sys

import pytest

from app.config import PROJECT


def said_by(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "flask", *arguments],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [(["inbx"], "inbox"), (["deliverys", "list"], "deliveries"), (["inbox", "lst"], "list"), (["setp"], "setup")],
    ids=" ".join,
)
def test_the_nearest_command_is_named(arguments, meant):
    result = said_by(*arguments)

    assert result.returncode == 2
    assert f"Did you mean '{meant}'?" in result.stderr


def test_what_is_near_to_nothing_is_only_unknown():
    result = said_by("xylophone")

    assert (result.returncode, "No such command 'xylophone'." in result.stderr) == (2, True)


def test_flasks_own_commands_are_there_still():
    assert "/conversations/webhook" in said_by("routes").stdout
