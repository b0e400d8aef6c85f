"""An operator's messages: send a plan, show, delete, find the conversation of one."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import select, union_all

from app.db.database import Database, DatabaseUnavailable
from app.db.tables import deliveries, messages, replies
from app.operations import media, validation
from app.operations.account import Account, document, must_exist, patiently
from app.operations.message_plan import MessagePlan, Part
from app.operations.validation import Refused
from app.twilio_api.errors import SendError, meaning, named

_RECEIPTS_PAGE = 50  # Source: Twilio's OpenAPI description: the most receipts of one page
Document = dict[str, Any]


def send(
    account: Account,
    ready: MessagePlan,
    sent: Callable[[Document], None] = lambda _message: None,
    *,
    uploaded: Callable[[], None] = lambda: None,
    wait: Callable[[float], None] = time.sleep,
) -> list[Document]:
    """Send a plan and return its messages, each passed to `sent` at once. Raises SendError, saying what was sent.

    `uploaded` is called after each file.

    All files are uploaded before the first message, so that one that fails leaves nothing half said. What Twilio
    asks to wait for (429) was not done, so it is waited for.
    """
    sids = [_stored(account, ready, part, uploaded) for part in ready.parts]
    done: list[Document] = []
    for part, media_sid in zip(ready.parts, sids, strict=True):
        try:
            done.append(_create(account, ready, part, media_sid, wait))
        except SendError as error:
            raise _explained(error, ready, done) from error
        sent(done[-1])
    return done


def _stored(account: Account, ready: MessagePlan, part: Part, uploaded: Callable[[], None]) -> str:
    if part.file is None:
        return ""
    sid = media.stored(account, ready.service_sid, part.file)
    uploaded()
    return sid


def show(account: Account, conversation: str, message_sid: str) -> Document:
    """Return a message with `delivery_receipts`: for each recipient what became of it, and what a code means.

    Raises Refused, SendError.
    """
    name, sid = validation.conversation(conversation), validation.sid("IM", message_sid)

    def look(v1: Any) -> Document:
        message = v1.conversations(name).messages(sid)
        receipts = message.delivery_receipts.list(page_size=_RECEIPTS_PAGE)
        return document(message.fetch()) | {"delivery_receipts": [document(receipt) for receipt in receipts]}

    with _message_must_exist(name, sid):
        found = account.ask(look)
    for receipt in found["delivery_receipts"]:
        receipt["meaning"] = meaning(int(receipt["error_code"] or 0))
    return found


def fetch_message(account: Account, conversation: str, message_sid: str) -> Document:
    """Return a message. Raises Refused, SendError."""
    name, sid = validation.conversation(conversation), validation.sid("IM", message_sid)
    with _message_must_exist(name, sid):
        return account.ask(lambda v1: document(v1.conversations(name).messages(sid).fetch()))


def delete(account: Account, conversation: str, message_sid: str) -> None:
    """Delete a message; phones keep what they have received. Raises Refused, SendError."""
    name, sid = validation.conversation(conversation), validation.sid("IM", message_sid)
    with _message_must_exist(name, sid):
        account.ask(lambda v1: v1.conversations(name).messages(sid).delete())


def conversation_of(db: Database, message_sid: str) -> str:
    """Return the ConversationSid of a message as our database knows it: Twilio cannot be asked without.

    Raises Refused when it is not known here.
    """
    sid = validation.sid("IM", message_sid)
    places = [
        select(table.c.conversation_sid).where(table.c.message_sid == sid) for table in (messages, deliveries, replies)
    ]
    try:
        with db.read() as tx:
            found = tx.scalar(union_all(*places).limit(1))
    except DatabaseUnavailable:
        found = None
    if not found:
        raise Refused(f"our database does not know {sid}; name its conversation too: CH... {sid}")
    return str(found)


def _message_must_exist(conversation: str, sid: str) -> Any:
    return must_exist(
        f"message {sid} in {conversation}", f"`flask messages history {conversation}` shows what there is"
    )


def _create(
    account: Account, ready: MessagePlan, part: Part, media_sid: str, wait: Callable[[float], None]
) -> Document:
    wanted = _parameters(ready, part, media_sid)
    return patiently(wait, lambda: _created(account, ready, wanted))


def _created(account: Account, ready: MessagePlan, wanted: Mapping[str, str]) -> Document:
    made = account.ask(lambda v1: v1.conversations(ready.conversation_sid).messages.create(**wanted))
    named("IM", made.sid)
    return document(made)


def _parameters(ready: MessagePlan, part: Part, media_sid: str) -> dict[str, str]:
    draft = ready.draft
    given = {
        "author": ready.author,
        "body": part.body,
        "media_sid": media_sid,
        "attributes": validation.as_json(draft.attributes, validation.OTHER_ATTRIBUTES) if draft.attributes else "",
        "subject": draft.subject,
        "content_sid": draft.content_sid,
        "content_variables": draft.content_variables,
    }
    return {name: value for name, value in given.items() if value}


def _explained(error: SendError, ready: MessagePlan, done: list[Document]) -> SendError:
    """Return the error with what was sent before it, and whether sending again could say it twice."""
    reason, code = error.reason, error.code
    if done:
        sids, code = ", ".join(message["sid"] for message in done), 0  # no general advice fits half a success
        reason = f"{len(done)} of {len(ready.parts)} messages were sent ({sids}), then: {reason}; send only the others"
    if error.uncertain:
        reason += f"; it may have arrived all the same, so look at `flask messages history {ready.conversation_sid}`"
    return SendError(
        reason,
        error.decision,
        status=error.status,
        code=code,
        uncertain=error.uncertain,
        retry_after=error.retry_after,
        scope=error.scope,
    )
