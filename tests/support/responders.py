"""Responders for tests: a module that BOT_RESPONDER can name, whose function each test replaces."""

import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from flask import Flask

from app.store import messages

NAME = "our_responder:answer"
FALLBACK = "Thanks, a colleague will write to you."
RULES = """
[bot]
timezone = "Europe/Berlin"
responder_wait = "8s"
responder_fallback = "Thanks, a colleague will write to you."

[[rule]]
name = "order"
when = { keywords = ["order"] }
reply = "Please send your order number."
"""
Function = Callable[[Any, Any], Any]


@pytest.fixture
def responds(monkeypatch: pytest.MonkeyPatch) -> Callable[[Function], None]:
    """Let a function be the responder."""
    module = ModuleType("our_responder")
    monkeypatch.setattr(module, "answer", lambda message, context: None, raising=False)
    monkeypatch.setitem(sys.modules, "our_responder", module)
    return lambda function: monkeypatch.setattr(module, "answer", function)


class Slow:
    """A responder that answers when it is told to; it notes what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.may_answer = threading.Event()

    def __call__(self, message: Any, context: Any) -> str:
        """Return an answer that quotes the question, once we may."""
        self.asked.append(message.text)
        assert self.may_answer.wait(60)
        return f"You wrote: {message.text}"


@pytest.fixture
def slow(responds: Callable[[Function], None]) -> Any:
    """The responder answers when slow.may_answer is set; at the end of the test it is."""
    responder = Slow()
    responds(responder)
    yield responder
    responder.may_answer.set()


@pytest.fixture
def rules_file(tmp_path: Path) -> Path:
    """Rules that leave most messages to the responder."""
    path = tmp_path / "rules.toml"
    path.write_text(RULES)
    return path


@pytest.fixture
def environ(environ: dict[str, str], responds: Callable[[Function], None]) -> dict[str, str]:
    return environ | {"BOT_RESPONDER": NAME, "BOT_WORKER_THREADS": "2"}


@pytest.fixture
def decision(app: Flask) -> Callable[[dict[str, Any]], Any]:
    """Return what was decided about a message, None as long as nothing is."""

    def read(message: dict[str, Any]) -> Any:
        with app.extensions["parley"].db.read() as tx:
            return messages.decision(tx, messages.DecisionKey(message["message_sid"]))

    return read


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> Callable[[], list[tuple[str, str]]]:
    """The lines that the responder's part logged."""

    def read() -> list[tuple[str, str]]:
        ours = [record for record in caplog.records if record.name == "parley.responder"]
        return [(record.message, getattr(record, "error", "")) for record in ours]

    return read
