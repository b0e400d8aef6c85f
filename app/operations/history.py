"""What was said in a conversation: the newest messages, those that come, and all of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from app.operations import validation
from app.operations.account import Account, document, must_exist
from app.twilio_api.errors import SendError

PAGE = 100  # Source: Twilio's OpenAPI description: the most messages of one page
_WATCHED = 50  # so many of the newest messages are looked at for receipts that came
_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 2.0, 30.0
_FAILURES = 5
_STEPS = ("failed", "undelivered", "read", "delivered", "sent")
Document = dict[str, Any]


def recent(account: Account, conversation: str, *, limit: int = 50) -> list[Document]:
    """Return the newest messages, the oldest of them first. Raises Refused, SendError."""
    name = validation.conversation(conversation)
    with _must_exist(name):
        return account.ask(lambda v1: _newest(v1, name, limit))[::-1]


def follow(
    account: Account,
    conversation: str,
    shown: list[Document],
    *,
    wait: Callable[[float], None] = time.sleep,
    complain: Callable[[str], None] = lambda _reason: None,
) -> Iterator[Document]:
    """Yield messages that come after those in `shown`, and again when they are edited or receipts come; never ends.

    Looks every 2 seconds, less often while Twilio does not answer; gives up with its SendError after five failures.
    """
    name, known = validation.conversation(conversation), {message["sid"]: _mark(message) for message in shown}
    last = max((message["index"] for message in shown), default=-1)
    failures = 0
    while True:
        wait(min(_LONGEST_PAUSE_SECONDS, _PAUSE_SECONDS * 2**failures))
        try:
            found = _since(account, name, last)
        except SendError as error:
            failures += 1
            if error.decision != "retry" or failures == _FAILURES:
                raise
            complain(error.reason)
            continue
        failures = 0
        for message in found:
            if message["index"] > last or known.get(message["sid"], _mark(message)) != _mark(message):
                yield message
        last = max([last, *(message["index"] for message in found)])
        known = {message["sid"]: _mark(message) for message in found}


def count(account: Account, conversation: str) -> int:
    """Return about how many messages there are: those that were deleted are counted too. Raises Refused, SendError."""
    newest = recent(account, conversation, limit=1)
    return int(newest[-1]["index"]) + 1 if newest else 0


def everything(account: Account, conversation: str) -> Iterator[Document]:
    """Yield all messages, the oldest first, a page at a time. Raises Refused, SendError."""
    name = validation.conversation(conversation)
    with _must_exist(name):
        page = account.ask(lambda v1: v1.conversations(name).messages.page(order="asc", page_size=PAGE))
    while page is not None:
        yield from [document(message) for message in page]
        page = account.ask(partial(_page_after, page))


def delivery_state(message: Mapping[str, Any]) -> str:
    """Return what became of a message on its way to phones, in a word or two; "" when it went to none.

    Source: conversations-classic/delivery-receipts, read 2026-11-22: each is all, some or none of the recipients.
    """
    summary = message.get("delivery")
    if not summary or not summary.get("total"):
        return ""
    for step in _STEPS:
        reached = summary.get(step, "none")
        if reached != "none":
            return step if reached == "all" else f"{step} to some"
    return "on its way"


def media_names(message: Mapping[str, Any]) -> str:
    """Return what files a message has, by name, else by type."""
    files = message.get("media") or []
    return ", ".join(str(file.get("filename") or file.get("content_type") or file.get("sid")) for file in files)


def _page_after(page: Any, _v1: Any) -> Any:
    return page.next_page()


def _newest(v1: Any, name: str, limit: int) -> list[Document]:
    listed = v1.conversations(name).messages.list(order="desc", limit=limit, page_size=min(limit, PAGE))
    return [document(message) for message in listed]


def _since(account: Account, name: str, last: int) -> list[Document]:
    """Return what came after the index `last`, behind the newest of what was there before, the oldest first."""

    def look(v1: Any) -> list[Document]:
        found: list[Document] = []
        for message in v1.conversations(name).messages.stream(order="desc", page_size=_WATCHED):
            found.append(document(message))
            if len(found) >= _WATCHED and message.index <= last + 1:
                break
        return found

    with _must_exist(name):
        return account.ask(look)[::-1]


def _mark(message: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return what makes a message worth showing again."""
    return message["body"], media_names(message), delivery_state(message)


def _must_exist(name: str) -> Any:
    return must_exist(f"conversation {name}", "`flask conversations list` shows what there is")
