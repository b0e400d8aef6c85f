"""A customer writes from a phone: the message finds its conversation, or one is created for it.

Source: conversations-classic/inbound-autocreation, read 2026-11-22.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from app.emulator import conversation_webhooks, conversations, messages, participants, validation
from app.emulator.account import Cause, EmulatedAccount
from app.emulator.conversations import ConversationDraft
from app.emulator.errors import TwilioError
from app.emulator.media_store import keep
from app.emulator.messages import MessageDraft
from app.emulator.models import AddressConfiguration, Conversation, EmulatedMessage, StoredMedia
from app.emulator.participants import ParticipantDraft
from app.emulator.webhook_forms import conversation_form, media_text

LOST = (
    "No conversation, and autocreation is off for this address: the message is lost. Twilio would tell nobody. Let the "
    "number begin conversations: POST /v1/Configuration/Addresses with AutoCreation.Enabled=true "
    "(flask addresses create --address +1... --enabled)"
)
_log = logging.getLogger(__name__)
CHANNELS = {"sms": "SMS", "whatsapp": "WHATSAPP"}


def receive(
    account: EmulatedAccount,
    *,
    channel: str,
    sender: str,
    recipient: str,
    body: str | None,
    media: Sequence[Mapping[str, Any]] = (),
    service_sid: str | None = None,
) -> EmulatedMessage:
    """Return the message as stored. Raises TwilioError when it is lost, with the reason."""
    address, proxy_address = _address(channel, sender), _address(channel, recipient)
    validation.binding(address, proxy_address, account.options.numbers)
    cause = Cause(CHANNELS[channel])
    with account.state.lock:
        account.carrier.hear((address, proxy_address), body or "")
        bound = account.state.pairs.get((address, proxy_address))
        conversation = account.state.conversations[bound] if bound else None
    if conversation is None:
        return _autocreate(account, address, proxy_address, body, media, service_sid, cause)
    files = keep(account.state, conversation.service_sid, address, media)
    return messages.add(account, conversation, MessageDraft(address, body, media=files), cause)


def _address(channel: str, number: str) -> str:
    if channel not in CHANNELS:
        raise TwilioError(20001, f"channel must be one of {', '.join(CHANNELS)}")
    prefix = "" if channel == "sms" else f"{channel}:"
    return number if number.startswith(prefix) else prefix + number


def _autocreate(
    account: EmulatedAccount,
    address: str,
    proxy_address: str,
    body: str | None,
    media: Sequence[Mapping[str, Any]],
    service_sid: str | None,
    cause: Cause,
) -> EmulatedMessage:
    """Create conversation, participant and message; only onConversationAdd can stop it."""
    state = account.state
    with state.lock:
        rule = _rule_for(account, proxy_address)
        default_sid = (rule and rule.auto_creation.get("conversation_service_sid")) or (
            state.configuration.chat_service_sid
        )
        service = state.service(service_sid or default_sid)
        draft = ConversationDraft(friendly_name=address, created_by=address)
        conversation = conversations.new(account, service.sid, draft)
        person = ParticipantDraft(address=address, proxy_address=proxy_address)
        customer = participants.new(account, conversation, person)
    files = keep(state, service.sid, address, media)
    unnamed = replace(conversation, friendly_name=None)  # nobody has named it yet
    question = conversation_form("onConversationAdd", unnamed, conversation.created, customer)
    wanted = account.ask("onConversationAdd", question | _content(body, files), cause, service_sid=service.sid)
    if "friendly_name" in wanted:
        conversation.friendly_name = str(wanted["friendly_name"])
    with state.lock:
        if (address, proxy_address) not in state.pairs:
            conversations.store(account, conversation)
            _attach_hook(account, conversation, rule)
            conversations.tell(account, "onConversationAdded", conversation, cause, customer)
            participants.join(account, conversation, customer, cause)
        conversation = state.conversations[state.pairs[address, proxy_address]]
        message = MessageDraft(address, body, media=files)
        return messages.add(account, conversation, message, cause, asks=False)


def _rule_for(account: EmulatedAccount, proxy_address: str) -> AddressConfiguration | None:
    """Return the address configuration that applies; None where the messaging service lets every number create."""
    rules = account.state.addresses.values()
    if not rules and account.options.autocreates:
        return None
    for rule in rules:
        if rule.address == proxy_address and rule.auto_creation["enabled"]:
            return rule
    _log.warning('emulator.message_lost reason="%s"', LOST)
    raise TwilioError(20404, LOST)


def _attach_hook(account: EmulatedAccount, conversation: Conversation, rule: AddressConfiguration | None) -> None:
    kind = rule.auto_creation["type"] if rule else "default"
    if rule and kind in ("webhook", "studio"):
        hook = conversation_webhooks.of_address(account.state, rule.auto_creation)
        conversation.hooks[hook.sid] = hook


def _content(body: str | None, files: tuple[StoredMedia, ...]) -> dict[str, str]:
    media = media_text(files)
    return ({"MessageBody": body} if body else {}) | ({"Media": media} if media else {})
