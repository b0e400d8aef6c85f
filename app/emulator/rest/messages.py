"""REST: Messages of a conversation and their delivery receipts.

`media_url` and other parameters that Twilio does not know here are ignored, as Twilio ignores them.
"""

from typing import Any

from app.emulator import messages, strictness, validation
from app.emulator.clock import read_time
from app.emulator.errors import TwilioError, not_found
from app.emulator.media_store import free_file
from app.emulator.messages import MessageDraft
from app.emulator.models import Conversation, EmulatedMessage, EmulatedReceipt
from app.emulator.rest import serializers
from app.emulator.rest.request import Answer, RestCall, Route


def _show(call: RestCall, message: EmulatedMessage) -> dict[str, Any]:
    return call.with_service(serializers.message(call.account_sid, call.base, message))


def _find(call: RestCall, name: str, sid: str) -> tuple[Conversation, EmulatedMessage]:
    conversation = call.account.state.conversation(call.service_sid, name)
    return conversation, call.account.state.message(conversation, sid)


def _draft(call: RestCall) -> MessageDraft:
    """Return what is to be sent; a ContentSid wins over Body and MediaSid."""
    form = call.form
    content_sid = form.get("ContentSid")
    strictness.content(call.account, content_sid, form.get("ContentVariables"))
    media_sids = [] if content_sid else form.getlist("MediaSid")
    return MessageDraft(
        author=validation.name("Author", form.get("Author")) or "system",
        body=None if content_sid else form.get("Body"),
        attributes=validation.attributes(form.get("Attributes"), validation.MESSAGE_ATTRIBUTES),
        media=tuple(free_file(call.account.state, call.service_sid, sid) for sid in media_sids),
        content_sid=content_sid,
        subject=validation.name("Subject", form.get("Subject")),
        created=read_time(form.get("DateCreated", "")),
        updated=read_time(form.get("DateUpdated", "")),
    )


def create(call: RestCall, name: str) -> Answer:
    """Add a message; it is stored even if no phone can be reached, receipts tell later."""
    conversation = call.account.state.conversation(call.service_sid, name)
    message = messages.add(call.account, conversation, _draft(call), call.cause)
    return 201, _show(call, message)


def list_all(call: RestCall, name: str) -> Answer:
    """List the messages, oldest first or, with Order=desc, newest first."""
    conversation = call.account.state.conversation(call.service_sid, name)
    order = call.args.get("Order", "asc")
    if order not in ("asc", "desc"):
        raise TwilioError(20001, "Order must be asc or desc")
    found = list(conversation.messages.values())
    if order == "desc":
        found.reverse()
    path = f"/Conversations/{conversation.sid}/Messages"
    return call.page(found, path, "messages", 100, lambda it: _show(call, it), descending=order == "desc")


def fetch(call: RestCall, name: str, sid: str) -> Answer:
    """Fetch a message."""
    return 200, _show(call, _find(call, name, sid)[1])


def update(call: RestCall, name: str, sid: str) -> Answer:
    """Edit a message; attributes are replaced as a whole."""
    conversation, message = _find(call, name, sid)
    messages.change(call.account, conversation, message, _changes(call), call.cause)
    return 200, _show(call, message)


def _changes(call: RestCall) -> dict[str, Any]:
    form = call.form
    changes: dict[str, Any] = {
        key: form[name]
        for name, key in (("Body", "body"), ("Author", "author"), ("Subject", "subject"))
        if name in form
    }
    if "Attributes" in form:
        changes["attributes"] = validation.attributes(form["Attributes"], validation.MESSAGE_ATTRIBUTES)
    for name, key in (("DateCreated", "created"), ("DateUpdated", "updated")):
        moment = read_time(form.get(name, ""))
        if moment:
            changes[key] = moment
    validation.body(changes.get("body"), reaches_phones=False)
    return changes


def delete(call: RestCall, name: str, sid: str) -> Answer:
    """Delete a message."""
    conversation, message = _find(call, name, sid)
    messages.remove(call.account, conversation, message, call.cause)
    return 204, None


def _show_receipt(call: RestCall, message: EmulatedMessage, receipt: EmulatedReceipt) -> dict[str, Any]:
    return call.with_service(serializers.receipt(call.account_sid, call.base, message, receipt))


def list_receipts(call: RestCall, name: str, sid: str) -> Answer:
    """List a message's receipts: one for each phone it was sent to."""
    conversation, message = _find(call, name, sid)
    path = f"/Conversations/{conversation.sid}/Messages/{message.sid}/Receipts"
    receipts = list(message.receipts.values())
    return call.page(receipts, path, "delivery_receipts", 50, lambda it: _show_receipt(call, message, it))


def fetch_receipt(call: RestCall, name: str, sid: str, receipt_sid: str) -> Answer:
    """Fetch a receipt."""
    _, message = _find(call, name, sid)
    if receipt_sid not in message.receipts:
        raise not_found(f"/Messages/{sid}/Receipts/{receipt_sid}")
    return 200, _show_receipt(call, message, message.receipts[receipt_sid])


ROUTES = (
    Route("/Conversations/<name>/Messages", {"POST": create, "GET": list_all}),
    Route("/Conversations/<name>/Messages/<sid>", {"GET": fetch, "POST": update, "DELETE": delete}),
    Route("/Conversations/<name>/Messages/<sid>/Receipts", {"GET": list_receipts}),
    Route("/Conversations/<name>/Messages/<sid>/Receipts/<receipt_sid>", {"GET": fetch_receipt}),
)
