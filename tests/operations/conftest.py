"""The account that operations are tried on: the emulator's, through the settings of the app."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from app.emulator.client import Emulator
from app.operations.account import Account
from app.runtime.from_settings import make_conversations
from tests.support.channel_conversations import chat, file, group, refuse, send, sms, whatsapp  # noqa: F401 - fixtures
from tests.support.loopback_site import certificate, secure_site, serve, site  # noqa: F401 - fixtures


@pytest.fixture
def account(app: Flask) -> Account:
    parley = app.extensions["parley"]
    return Account(make_conversations(parley.settings, parley.db))


@pytest.fixture
def in_json(flask_command: Callable[..., str]) -> Callable[..., Any]:
    """Run a command with --json and return its document."""
    return lambda *arguments: json.loads(flask_command(*arguments, "--json"))


@pytest.fixture
def refused(app: Flask, emulator: Emulator) -> Callable[..., str]:
    """Run a command that must end with 1 before anything is changed at Twilio, and return what it said."""

    def run(*arguments: str) -> str:
        before = len(emulator.requests())
        result = app.test_cli_runner().invoke(args=list(arguments))
        assert result.exit_code == 1, result.output
        assert [it for it in emulator.requests()[before:] if it["method"] != "GET"] == []
        return str(result.output)

    return run
