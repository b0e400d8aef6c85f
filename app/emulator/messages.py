"""Messages as they are written, edited and removed; a new one also goes out to the phones."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.emulator import validation
from app.emulator.account import Cause, EmulatedAccount
from app.emulator.conversations import must_be_open, record_activity
from app.emulator.errors import TwilioError
from app.emulator.models import Conversation, EmulatedMessage, StoredMedia
from app.emulator.webhook_forms import media_text, message_form, present


@dataclass(frozen=True)
class MessageDraft:
    """What a new message shall be."""

    author: str
    body: str | None = None
    attributes: str = "{}"
    media: tuple[StoredMedia, ...] = ()
    content_sid: str | None = None
    subject: str | None = None
    created: datetime | None = None
    updated: datetime | None = None


def add(
    account: EmulatedAccount, conversation: Conversation, draft: MessageDraft, cause: Cause, *, asks: bool = True
) -> EmulatedMessage:
    """Store a message, tell of it and send it to the phones, after asking the pre-action webhook."""
    if cause.source == "API":
        account.count_write(conversation.sid)
    with account.state.lock:
        check(conversation, draft, limited=cause.source in ("API", "SDK"))
        question = _question(account, conversation, draft)
    if asks:
        wanted = account.ask("onMessageAdd", question, cause, service_sid=conversation.service_sid)
        draft = dataclasses.replace(draft, **_changes(wanted))
    with account.state.lock:
        check(conversation, draft, limited=cause.source in ("API", "SDK"))
        return _store(account, conversation, draft, cause)


def check(conversation: Conversation, draft: MessageDraft, *, limited: bool) -> None:
    """Raise what Twilio would refuse. State locked."""
    must_be_open(conversation)
    if not limited:
        return
    if not (draft.body or draft.media or draft.content_sid):
        raise TwilioError(20001, "Body, MediaSid or ContentSid is required")
    phones = any(member.address for member in conversation.participants.values())
    validation.body(draft.body, reaches_phones=phones)
    known = (draft.author in member.names for member in conversation.participants.values())
    if conversation.is_group and not any(known):
        raise TwilioError(50513, "The author is not a participant of the group conversation")


def _question(account: EmulatedAccount, conversation: Conversation, draft: MessageDraft) -> dict[str, str]:
    """Return the parameters of onMessageAdd: no SID, index or date yet."""
    member = account.state.member(conversation, draft.author)
    return present(
        ConversationSid=conversation.sid,
        ChatServiceSid=conversation.service_sid,
        Body=draft.body,
        Author=draft.author,
        ParticipantSid=member.sid if member else None,
        Attributes=draft.attributes,
        Media=media_text(draft.media),
    )


def _changes(wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a pre-action answer may change: body, author and attributes."""
    changes: dict[str, Any] = {key: str(wanted[key]) for key in ("body", "author") if key in wanted}
    if "attributes" in wanted:
        changes["attributes"] = validation.attributes(str(wanted["attributes"]), validation.MESSAGE_ATTRIBUTES)
    return changes


def _store(account: EmulatedAccount, conversation: Conversation, draft: MessageDraft, cause: Cause) -> EmulatedMessage:
    state, now = account.state, account.clock.now()
    member = state.member(conversation, draft.author)
    message = EmulatedMessage(
        sid=state.sid("IM"),
        serial=state.serial(),
        conversation_sid=conversation.sid,
        index=conversation.next_index,
        author=draft.author,
        body=draft.body,
        attributes=draft.attributes,
        participant_sid=member.sid if member else None,
        source=cause.source,
        created=draft.created or now,
        updated=draft.updated or draft.created or now,
        media=draft.media,
        content_sid=draft.content_sid,
        subject=draft.subject,
    )
    for file in draft.media:
        file.message_sid, file.conversation_sid = message.sid, conversation.sid
    conversation.next_index += 1
    conversation.messages[message.sid] = state.messages[message.sid] = message
    record_activity(account, conversation, cause)
    tell(account, "onMessageAdded", conversation, message, cause)
    account.carrier.send(conversation, message)
    return message


def tell(
    account: EmulatedAccount, event_type: str, conversation: Conversation, message: EmulatedMessage, cause: Cause
) -> None:
    """Fire a message event. State locked."""
    form = message_form(event_type, conversation, message, account.clock.now())
    service_sid = conversation.service_sid
    account.fire(event_type, form, cause, service_sid=service_sid, conversation=conversation)


def change(
    account: EmulatedAccount,
    conversation: Conversation,
    message: EmulatedMessage,
    changes: dict[str, Any],
    cause: Cause,
) -> None:
    """Edit what `changes` names, after asking the pre-action webhook. Edits do not reach phones."""
    account.count_write(conversation.sid)
    must_be_open(conversation)
    if changes.get("body") and message.media:
        raise TwilioError(50509, "The body of a media message cannot be edited")
    planned = dataclasses.replace(message, **changes)
    question = message_form("onMessageUpdate", conversation, planned, account.clock.now())
    wanted = account.ask("onMessageUpdate", question, cause, service_sid=conversation.service_sid)
    with account.state.lock:
        for key, value in (changes | _changes(wanted)).items():
            setattr(message, key, value)
        message.updated = changes.get("updated") or account.clock.now()
        tell(account, "onMessageUpdated", conversation, message, cause)


def remove(account: EmulatedAccount, conversation: Conversation, message: EmulatedMessage, cause: Cause) -> None:
    """Delete a message, after asking the pre-action webhook."""
    account.count_write(conversation.sid)
    must_be_open(conversation)
    question = message_form("onMessageRemove", conversation, message, account.clock.now())
    account.ask("onMessageRemove", question, cause, service_sid=conversation.service_sid)
    with account.state.lock:
        if conversation.messages.pop(message.sid, None) is None:
            return
        account.state.messages.pop(message.sid, None)
        tell(account, "onMessageRemoved", conversation, message, cause)
