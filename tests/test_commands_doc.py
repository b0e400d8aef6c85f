"""docs/commands.md is true: every command is in it, every SDK call in it exists, every file it names is there."""

import inspect
import re
from pathlib import Path

import pytest
from twilio.rest import Client

from tests.support.documented_files import ROOT
from tests.support.our_commands import OURS

TEXT = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
CALLS = sorted(set(re.findall(r"`((?:v1|client)\.[^`]+\))`", TEXT)))
COMMANDS = sorted(set(re.findall(r"`flask ([a-z ]+?)(?: --[a-z]+)?`", TEXT)))


def called(expression):
    """Return the SDK's method that an expression such as `v1.conversations(CH).messages.list(limit)` calls."""
    client = Client("AC" + "0" * 32, "token")
    steps, _, _ = expression.rpartition("(")
    found = client if steps.startswith("client.") else client.conversations.v1
    for step in steps.split(".")[1:]:
        name, _, argument = step.partition("(")
        found = getattr(found, name)
        found = found(*filter(None, [argument.rstrip(")")])) if "(" in step else found
    return found


@pytest.mark.parametrize("command", sorted(OURS))
def test_every_command_is_in_the_table(command):
    assert f"`flask {command}`" in TEXT


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_in_the_table_exists(command):
    assert command in OURS


@pytest.mark.parametrize("expression", CALLS)
def test_every_call_in_the_table_is_one_of_the_sdk(expression):
    parameters = expression.rpartition("(")[2].rstrip(")").split(", ")

    assert set(filter(None, parameters)) <= set(inspect.signature(called(expression)).parameters)


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`(app/[a-z_/.]+)`", TEXT))))
def test_every_file_it_names_is_there(path):
    assert Path(ROOT / path).exists()
