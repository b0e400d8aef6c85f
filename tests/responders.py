"""Responders for tests: a module that BOT_RESPONDER can name, whose function each test replaces."""

import sys
import threading
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

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
        assert self.may_answer.wait(20)
        return f"You wrote: {message.text}"


@pytest.fixture
def slow(responds: Callable[[Function], None]) -> Any:
    """The responder answers when slow.may_answer is set; at the end of the test it is."""
    responder = Slow()
    responds(responder)
    yield responder
    responder.may_answer.set()
