"""Finds a message that an earlier request may have created: by our marker, else by its content.

Whoever may write a message's Attributes may overwrite the marker in them: an agents' program does. What is left then is
who wrote it, what it says and when it was stored.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from app.twilio_api.errors import named
from app.twilio_api.form import read_object

MARKER = "parley"  # our key in a message's Attributes: {"parley": {"reply_to": "IM...", "n": 0}}
FORM = "parley_answer"  # the same of a human's answer: the form on the page that it was written in
CLOCKS_APART = timedelta(seconds=60)  # ours and Twilio's


@dataclass(frozen=True, slots=True)
class Sought:
    """A message that we tried to send: its mark, a key of ours in Attributes with its value, and what else tells of it.

    `author` is None when nobody wrote down under which name it was tried: then only the mark counts, whoever wrote it.
    `tried_at` is when it was tried first, None for one that never was.
    """

    mark: tuple[str, Any]
    author: str | None
    tried_at: datetime | None
    body: str = ""
    media_sid: str = ""
    content_sid: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """The MessageSid of the message with the mark, else those of messages without any mark of ours that may be it."""

    sid: str = ""
    candidates: tuple[str, ...] = ()


def look_through(messages: Iterable[Any], sought: Sought, is_older: Callable[[Any], bool]) -> Found:
    """Return what is found among messages as the SDK lists them, newest first, until one that `is_older`."""
    candidates = []
    for message in messages:
        if sought.author in (None, message.author):
            marks = marks_of(message.attributes)
            if marks.get(sought.mark[0]) == sought.mark[1]:
                return Found(named("IM", message.sid))
            if not marks and _may_be(message, sought):
                candidates.append(named("IM", message.sid))
        if is_older(message):
            break
    return Found(candidates=tuple(candidates))


def marks_of(attributes: str | None) -> Mapping[str, Any]:
    """Return the marks of ours in a message's Attributes, by key."""
    found = read_object(attributes) or {}
    return {key: found[key] for key in (MARKER, FORM) if key in found}


def _may_be(message: Any, sought: Sought) -> bool:
    if sought.tried_at is None or sought.author is None:
        return False
    if message.date_created and message.date_created < sought.tried_at - CLOCKS_APART:
        return False
    if sought.content_sid:
        return bool(message.content_sid == sought.content_sid)
    if sought.media_sid:
        return any(one.get("sid") == sought.media_sid for one in message.media or ())
    return bool(sought.body) and _plain(message.body) == _plain(sought.body)


def _plain(text: str | None) -> str:
    """Return a text without what is added or lost on the way: line ends and space around it."""
    return (text or "").replace("\r\n", "\n").strip()
