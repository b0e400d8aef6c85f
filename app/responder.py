"""The public interface of responders: Message, Context, Reply, and loading "module:function"; it calls none.

from app.responder import Context, Message, Reply

def answer(message: Message, context: Context) -> Reply | str | None: ...
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from importlib import import_module
from typing import Any, Literal

from app.logs import describe_error

NAME = "BOT_RESPONDER"  # stands where the name of a rule would stand
LONGEST = 16_000  # characters; as much as the reply of a rule may have
SEE = "see docs/responders.md"


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a conversation. `texts` are those of a burst that is answered as one; `text` is all of them."""

    text: str
    author: str  # a phone number, an address such as whatsapp:+1..., or a chat identity
    at: datetime
    by: Literal["customer", "agent", "bot", "api", "system"] = "customer"
    message_sid: str = ""
    attributes: Mapping[str, Any] = field(default_factory=dict)
    has_media: bool = False
    texts: tuple[str, ...] = ()
    media_type: str = ""  # of its first file: "image/jpeg"
    button: str = ""  # the button that was pressed, and what is behind it; these three on channels that tell them
    button_payload: str = ""
    profile_name: str = ""
    channel_metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Context:
    """What is known of the conversation; times are in the time zone of rules.toml."""

    conversation_sid: str
    channel: str  # "sms", "whatsapp", "chat", ...
    now: datetime
    friendly_name: str = ""
    attributes: Mapping[str, Any] = field(default_factory=dict)
    participant_attributes: Mapping[str, Any] = field(default_factory=dict)
    first_contact: bool = True
    is_open: bool = True
    recent: tuple[Message, ...] = ()  # the newest 20 before this one, oldest first


@dataclass(frozen=True, slots=True)
class Reply:
    """What to answer: a text, media (a file or ME..., as in a rule), and whether a human shall take over after it."""

    text: str = ""
    media: str = ""
    hand_over: bool = False


Function = Callable[[Message, Context], Reply | str | None]


class ResponderError(ValueError):
    """A responder cannot be used, or what it returned cannot; the message holds no words of a customer."""


def load(name: str) -> Function:
    """Return the function that "module:function" names. Raises ResponderError with the next step."""
    module_name, _, path = name.partition(":")
    found: Any = _module(module_name)
    for step in path.split("."):
        if not hasattr(found, step):
            raise ResponderError(f'the module {module_name} has no "{path}"; write the name of its function ({SEE})')
        found = getattr(found, step)
    if not callable(found):
        raise ResponderError(f"is {type(found).__name__}, not a function; name one that takes message, context ({SEE})")
    if inspect.iscoroutinefunction(found) or inspect.iscoroutinefunction(getattr(found, "__call__", None)):  # noqa: B004
        raise ResponderError(f"is async; name a plain function, which may call asyncio.run ({SEE})")
    if not _takes_two(found):
        raise ResponderError(f"cannot be called with (message, context); let it take these two ({SEE})")
    function: Function = found
    return function


def _module(name: str) -> Any:
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        missing = error.name or name
        if name == missing or name.startswith(f"{missing}."):
            raise ResponderError(f'there is no module "{missing}"; put {missing}.py beside wsgi.py ({SEE})') from None
        raise ResponderError(f'{name} imports "{missing}", which is not there; install it') from None
    except Exception as error:  # noqa: BLE001 - somebody else's module may raise anything
        raise ResponderError(f"importing {name} failed: {describe_error(error)}; correct it") from None


def _takes_two(function: Callable[..., Any]) -> bool:
    try:
        inspect.signature(function).bind(None, None)
    except TypeError:
        return False
    except ValueError:  # a function without a signature, written in C
        return True
    return True


def checked_reply(answer: object) -> Reply | None:
    """Return what a responder returned as a Reply, None when it has no answer. Raises ResponderError."""
    if answer is None:
        return None
    reply = Reply(answer) if isinstance(answer, str) else answer
    if not isinstance(reply, Reply):
        raise ResponderError(f"returned {type(answer).__name__}; return a Reply, a text or None ({SEE})")
    for name in ("text", "media"):
        if not isinstance(value := getattr(reply, name), str):
            raise ResponderError(f"returned Reply with {name} {type(value).__name__}; write a str ({SEE})")
    text = reply.text.strip()
    if len(text) > LONGEST:
        raise ResponderError(f"returned {len(text)} characters; {LONGEST} are the most")
    if not (text or reply.media or reply.hand_over):
        return None
    return Reply(text, reply.media, bool(reply.hand_over))
