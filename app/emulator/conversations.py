"""Conversations as they are created, changed, closed and removed, and the timers that do it by themselves."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from app.emulator import strictness, validation
from app.emulator.account import TWILIO_ITSELF, Cause, EmulatedAccount
from app.emulator.clock import read_duration
from app.emulator.errors import TwilioError
from app.emulator.models import Conversation, Participant
from app.emulator.webhook_forms import conversation_form, state_form

STATES = ("initializing", "active", "inactive", "closed")


@dataclass(frozen=True)
class ConversationDraft:
    """What a new conversation shall be."""

    friendly_name: str | None = None
    unique_name: str | None = None
    attributes: str = "{}"
    messaging_service_sid: str | None = None
    state: str = "active"
    inactive_after: float | None = None
    closed_after: float | None = None
    created: datetime | None = None
    updated: datetime | None = None
    created_by: str = "system"
    email_binding: Mapping[str, str] | None = None


def create(account: EmulatedAccount, service_sid: str, draft: ConversationDraft, cause: Cause) -> Conversation:
    """Create a conversation after asking the pre-action webhook, and tell of it."""
    state = account.state
    with state.lock:
        state.service(service_sid)
        conversation = new(account, service_sid, draft)
    form = conversation_form("onConversationAdd", conversation, conversation.created)
    wanted = account.ask("onConversationAdd", form, cause, service_sid=service_sid)
    if "friendly_name" in wanted:
        conversation.friendly_name = str(wanted["friendly_name"])
    with state.lock:
        store(account, conversation)
        tell(account, "onConversationAdded", conversation, cause)
    return conversation


def new(account: EmulatedAccount, service_sid: str, draft: ConversationDraft) -> Conversation:
    """Return a conversation that is not stored yet. Called with the state locked."""
    state, now = account.state, account.clock.now()
    if draft.unique_name and (service_sid, draft.unique_name) in state.unique_names:
        raise TwilioError(50353, "Conversation with provided unique name already exists")
    defaults = state.configuration
    return Conversation(
        sid=state.sid("CH"),
        serial=state.serial(),
        service_sid=service_sid,
        messaging_service_sid=draft.messaging_service_sid or defaults.messaging_service_sid,
        friendly_name=draft.friendly_name,
        unique_name=draft.unique_name,
        attributes=draft.attributes,
        state=draft.state,
        created=draft.created or now,
        updated=draft.updated or draft.created or now,
        active_at=now,
        created_by=draft.created_by,
        inactive_after=draft.inactive_after or read_duration(defaults.inactive_timer or ""),
        closed_after=draft.closed_after or read_duration(defaults.closed_timer or ""),
        email_binding=dict(draft.email_binding or {}),
    )


def store(account: EmulatedAccount, conversation: Conversation) -> None:
    """Put a new conversation into the account. Called with the state locked."""
    state = account.state
    if conversation.unique_name:
        key = (conversation.service_sid, conversation.unique_name)
        if key in state.unique_names:
            raise TwilioError(50353, "Conversation with provided unique name already exists")
        state.unique_names[key] = conversation.sid
    state.conversations[conversation.sid] = conversation


def tell(
    account: EmulatedAccount,
    event_type: str,
    conversation: Conversation,
    cause: Cause,
    first: Participant | None = None,
) -> None:
    """Fire a conversation event. Called with the state locked."""
    form = conversation_form(event_type, conversation, account.clock.now(), first)
    service_sid = conversation.service_sid
    account.fire(event_type, form, cause, service_sid=service_sid, conversation=conversation)


def must_be_open(conversation: Conversation) -> None:
    """Raise 50377 when the conversation is closed: nothing in it can be changed any more."""
    if conversation.state == "closed":
        raise TwilioError(50377, "Conversation is closed and cannot be changed")


def change(account: EmulatedAccount, conversation: Conversation, form: Mapping[str, str], cause: Cause) -> None:
    """Change what the form names (Twilio's parameter names), after asking the pre-action webhook."""
    account.count_write(conversation.sid)
    with account.state.lock:
        must_be_open(conversation)
        wanted = _wanted(account, conversation, form)
        planned = replace(conversation, **wanted)
    now = account.clock.now()
    question = conversation_form("onConversationUpdate", planned, now)
    changes = account.ask("onConversationUpdate", question, cause, service_sid=conversation.service_sid)
    if "friendly_name" in changes:
        wanted["friendly_name"] = str(changes["friendly_name"])
    with account.state.lock:
        _apply(account, conversation, wanted)
        new_state = str(wanted.get("state") or conversation.state)
        set_state(account, conversation, new_state, "API", cause)
        tell(account, "onConversationUpdated", conversation, cause)


def _wanted(account: EmulatedAccount, conversation: Conversation, form: Mapping[str, str]) -> dict[str, Any]:
    wanted: dict[str, Any] = {}
    if form.get("FriendlyName"):  # an empty one does not clear it
        wanted["friendly_name"] = validation.name("FriendlyName", form["FriendlyName"])
    if "UniqueName" in form:
        wanted["unique_name"] = _free_name(account, conversation, form["UniqueName"])
    if "Attributes" in form:
        wanted["attributes"] = validation.attributes(form["Attributes"], validation.CONVERSATION_ATTRIBUTES)
    if "MessagingServiceSid" in form:
        strictness.messaging_service(account, form["MessagingServiceSid"])
        wanted["messaging_service_sid"] = form["MessagingServiceSid"]
    if "Timers.Inactive" in form:
        wanted["inactive_after"] = validation.inactive_timer(form["Timers.Inactive"])
    if "Timers.Closed" in form:
        wanted["closed_after"] = validation.closed_timer(form["Timers.Closed"])
    if "State" in form:
        wanted["state"] = read_state(form["State"])
    return wanted


def _free_name(account: EmulatedAccount, conversation: Conversation, unique_name: str) -> str | None:
    validation.name("UniqueName", unique_name)
    strictness.unique_name(account, unique_name)
    holder = account.state.unique_names.get((conversation.service_sid, unique_name))
    if unique_name and holder not in (None, conversation.sid):
        raise TwilioError(50353, "Conversation with provided unique name already exists")
    return unique_name or None


def _apply(account: EmulatedAccount, conversation: Conversation, wanted: Mapping[str, Any]) -> None:
    names, service_sid = account.state.unique_names, conversation.service_sid
    if "unique_name" in wanted:
        names.pop((service_sid, conversation.unique_name or ""), None)
        if wanted["unique_name"]:
            names[service_sid, str(wanted["unique_name"])] = conversation.sid
    for key, value in wanted.items():
        if key != "state":
            setattr(conversation, key, value)
    conversation.updated = conversation.active_at = account.clock.now()


def read_state(text: str) -> str:
    """Return a state that a request may ask for; raise 20001 for any other word."""
    if text not in STATES[1:]:
        raise TwilioError(20001, f"State must be one of {', '.join(STATES[1:])}")
    return text


def set_state(account: EmulatedAccount, conversation: Conversation, new_state: str, reason: str, cause: Cause) -> None:
    """Move a conversation to a state and tell of it; closing frees its address pairs. State locked."""
    before, now = conversation.state, account.clock.now()
    if new_state == before:
        return
    conversation.state, conversation.updated = new_state, now
    if new_state == "closed":
        free_pairs(account, conversation)
    form = state_form(conversation, before, reason, now)
    service_sid = conversation.service_sid
    account.fire("onConversationStateUpdated", form, cause, service_sid=service_sid, conversation=conversation)


def record_activity(account: EmulatedAccount, conversation: Conversation, cause: Cause) -> None:
    """Start the timers anew; an inactive conversation becomes active again. State locked."""
    conversation.active_at = account.clock.now()
    if conversation.state == "inactive":
        event = Cause(cause.source, client_identity=cause.client_identity)
        set_state(account, conversation, "active", "EVENT", event)


def free_pairs(account: EmulatedAccount, conversation: Conversation) -> None:
    """Let the conversation's address pairs be used elsewhere. State locked."""
    for participant in conversation.participants.values():
        account.state.free_pair(participant)


def remove(account: EmulatedAccount, conversation: Conversation, cause: Cause) -> None:
    """Delete a conversation and everything in it, after asking the pre-action webhook."""
    state = account.state
    question = conversation_form("onConversationRemove", conversation, account.clock.now())
    account.ask("onConversationRemove", question, cause, service_sid=conversation.service_sid)
    with state.lock:
        if conversation.sid not in state.conversations:
            return
        tell(account, "onConversationRemoved", conversation, cause)
        state.drop(conversation)


def run_timers(account: EmulatedAccount) -> None:
    """Move every conversation whose timer has ended: to inactive, then to closed."""
    with account.state.lock:
        now = account.clock.now()
        for conversation in list(account.state.conversations.values()):
            _run_timers_of(account, conversation, now)


def _run_timers_of(account: EmulatedAccount, conversation: Conversation, now: datetime) -> None:
    inactive_at = conversation.due_at(conversation.inactive_after)
    closed_at = conversation.due_at(conversation.closed_after)
    if conversation.state == "active" and inactive_at and now >= inactive_at:
        set_state(account, conversation, "inactive", "TIMER", TWILIO_ITSELF)
    if conversation.state in ("active", "inactive") and closed_at and now >= closed_at:
        set_state(account, conversation, "closed", "TIMER", TWILIO_ITSELF)
