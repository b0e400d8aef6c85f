"""Makes what a recorded webhook speaks of exist, with the SIDs it had; fires nothing.

So that an app which is shown a recording can answer it here, as it would at Twilio.
"""

import re
from collections.abc import Mapping
from dataclasses import replace

from app.common.quoting import quoted
from app.emulator import conversations
from app.emulator.account import EmulatedAccount
from app.emulator.conversations import ConversationDraft
from app.emulator.models import Conversation, EmulatedMessage, Participant
from app.emulator.strictness import is_sid

OUR_NUMBER = "+15550100099"


def adopt(account: EmulatedAccount, form: Mapping[str, str]) -> Conversation:
    """Create the service, conversation, author and message of an onMessageAdded form, unless they exist.

    Raises ValueError for a form without a ConversationSid.
    """
    sid = form.get("ConversationSid", "")
    if not is_sid("CH", sid):
        raise ValueError(f"ConversationSid {quoted(sid, 40)} is not CH and 32 hexadecimal digits")
    state = account.state
    with state.lock:
        service_sid = form.get("ChatServiceSid") or state.configuration.chat_service_sid
        if service_sid not in state.services:
            state.add_service("Adopted", sid=service_sid)
        if sid not in state.conversations:
            draft = ConversationDraft(messaging_service_sid=form.get("MessagingServiceSid", ""))
            conversations.store(account, replace(conversations.new(account, service_sid, draft), sid=sid))
        conversation = state.conversations[sid]
        _adopt_author(account, conversation, form)
        _adopt_message(account, conversation, form)
    return conversation


def _adopt_author(account: EmulatedAccount, conversation: Conversation, form: Mapping[str, str]) -> None:
    sid, author = form.get("ParticipantSid", ""), form.get("Author", "")
    if not sid or not author or sid in conversation.participants:
        return
    whatsapp = author.startswith("whatsapp:")
    is_phone = whatsapp or author.startswith("+")
    now = account.clock.now()
    participant = Participant(
        sid=sid,
        serial=account.state.serial(),
        conversation_sid=conversation.sid,
        identity=None if is_phone else author,
        kind="whatsapp" if whatsapp else "sms" if is_phone else "chat",
        address=author if is_phone else None,
        proxy_address=("whatsapp:" if whatsapp else "") + OUR_NUMBER if is_phone else None,
        projected_address=None,
        role_sid=account.state.service(conversation.service_sid).roles["channel user"],
        attributes="{}",
        created=now,
        updated=now,
    )
    conversation.participants[sid] = participant
    account.state.remember(participant)
    if is_phone:  # they have just written: WhatsApp's window is open
        account.state.last_inbound[author, participant.proxy_address or ""] = now


def _adopt_message(account: EmulatedAccount, conversation: Conversation, form: Mapping[str, str]) -> None:
    sid = form.get("MessageSid", "")
    if not sid or sid in conversation.messages:
        return
    now = account.clock.now()
    text = form.get("Index", "")
    index = int(text) if re.fullmatch(r"\d{1,9}", text) else conversation.next_index
    message = EmulatedMessage(
        sid=sid,
        serial=account.state.serial(),
        conversation_sid=conversation.sid,
        index=index,
        author=form.get("Author", ""),
        body=form.get("Body"),
        attributes=form.get("Attributes") or "{}",
        participant_sid=form.get("ParticipantSid"),
        source=form.get("Source", "SMS"),
        created=now,
        updated=now,
    )
    conversation.next_index = max(conversation.next_index, index + 1)
    conversation.messages[sid] = account.state.messages[sid] = message
