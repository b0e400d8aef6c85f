"""Participants as they join, change, read and leave; and the users behind chat identities."""

import dataclasses
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.emulator import validation
from app.emulator.account import Cause, EmulatedAccount
from app.emulator.conversations import must_be_open, record_activity
from app.emulator.errors import TwilioError
from app.emulator.models import Conversation, Participant, User
from app.emulator.webhook_forms import participant_form, user_form

MOST_PARTICIPANTS = 1000
MOST_NON_CHAT = 50
MOST_IN_GROUP = 10


@dataclass(frozen=True)
class ParticipantDraft:
    """Who shall join: a chat identity, or an address behind a proxy address."""

    identity: str | None = None
    address: str | None = None
    proxy_address: str | None = None
    projected_address: str | None = None
    attributes: str = "{}"
    role_sid: str | None = None
    created: datetime | None = None
    updated: datetime | None = None


def add(account: EmulatedAccount, conversation: Conversation, draft: ParticipantDraft, cause: Cause) -> Participant:
    """Let somebody join after asking the pre-action webhook, and tell of it."""
    account.count_write(conversation.sid)
    with account.state.lock:
        participant = new(account, conversation, draft)
    question = participant_form("onParticipantAdd", participant, participant.created)
    account.ask("onParticipantAdd", question, cause, service_sid=conversation.service_sid)
    with account.state.lock:
        check(account, conversation, draft)
        join(account, conversation, participant, cause)
    return participant


def new(account: EmulatedAccount, conversation: Conversation, draft: ParticipantDraft) -> Participant:
    """Return a participant that has not joined yet, or raise what Twilio would refuse. State locked."""
    kind = check(account, conversation, draft)
    state, now = account.state, account.clock.now()
    role_sid = draft.role_sid or state.service(conversation.service_sid).roles["channel user"]
    return Participant(
        sid=state.sid("MB"),
        serial=state.serial(),
        conversation_sid=conversation.sid,
        identity=draft.identity,
        kind=kind,
        address=draft.address,
        proxy_address=draft.proxy_address,
        projected_address=draft.projected_address,
        role_sid=role_sid,
        attributes=draft.attributes,
        created=draft.created or now,
        updated=draft.updated or draft.created or now,
    )


def check(account: EmulatedAccount, conversation: Conversation, draft: ParticipantDraft) -> str:
    """Return the kind (sms, whatsapp, chat) of who wants to join, or raise why he cannot. State locked."""
    must_be_open(conversation)
    if draft.identity and draft.address:
        raise TwilioError(50211, "A participant has either an identity or an address, not both")
    if not (draft.identity or draft.address or draft.projected_address):
        raise TwilioError(20001, "Identity or MessagingBinding.Address is required")
    _check_room(conversation, draft)
    if draft.identity and account.state.member(conversation, draft.identity, chat_only=True):
        raise TwilioError(50433, "Participant already exists")
    if draft.address:
        return _check_binding(account, conversation, draft, draft.address)
    if draft.projected_address:
        return validation.channel_of(draft.projected_address, 50408, "projected address")
    return "chat"


def _check_room(conversation: Conversation, draft: ParticipantDraft) -> None:
    members = conversation.participants.values()
    if len(members) >= MOST_PARTICIPANTS:
        raise TwilioError(50417, f"A conversation has at most {MOST_PARTICIPANTS} participants")
    phones = sum(1 for member in members if member.address)
    if not draft.address:
        return
    if conversation.is_group and phones >= MOST_IN_GROUP:
        raise TwilioError(50436, f"A group conversation has at most {MOST_IN_GROUP} participants")
    if phones >= MOST_NON_CHAT:
        raise TwilioError(50418, f"A conversation has at most {MOST_NON_CHAT} non-chat participants")


def _check_binding(account: EmulatedAccount, conversation: Conversation, draft: ParticipantDraft, address: str) -> str:
    channel = validation.binding(address, draft.proxy_address, account.options.numbers)
    if draft.proxy_address is None:
        if account.state.member(conversation, address):
            raise TwilioError(50437, "Group participant already exists")
        return channel
    holder = account.state.pairs.get((address, draft.proxy_address))
    if holder:
        sentence = "A binding for this participant and proxy address already exists in Conversation"
        raise TwilioError(50416, f"{sentence} {holder}")
    return channel


def join(account: EmulatedAccount, conversation: Conversation, participant: Participant, cause: Cause) -> None:
    """Put a participant into the conversation and tell of it. State locked."""
    conversation.participants[participant.sid] = participant
    account.state.remember(participant)
    if participant.address and participant.proxy_address:
        account.state.pairs[participant.address, participant.proxy_address] = conversation.sid
    if participant.identity:
        ensure_user(account, conversation.service_sid, participant.identity, cause)
    record_activity(account, conversation, cause)
    tell(account, "onParticipantAdded", conversation, participant, cause)


def tell(
    account: EmulatedAccount, event_type: str, conversation: Conversation, participant: Participant, cause: Cause
) -> None:
    """Fire a participant event. State locked."""
    form = participant_form(event_type, participant, account.clock.now())
    service_sid = conversation.service_sid
    account.fire(event_type, form, cause, service_sid=service_sid, conversation=conversation)


def change(
    account: EmulatedAccount,
    conversation: Conversation,
    participant: Participant,
    changes: dict[str, Any],
    cause: Cause,
) -> None:
    """Set the fields that `changes` names, after asking the pre-action webhook."""
    account.count_write(conversation.sid)
    must_be_open(conversation)
    planned = dataclasses.replace(participant, **changes)
    question = participant_form("onParticipantUpdate", planned, account.clock.now())
    account.ask("onParticipantUpdate", question, cause, service_sid=conversation.service_sid)
    with account.state.lock:
        account.state.forget(participant)
        _rebind(account, conversation, participant, changes.get("proxy_address"))
        for key, value in changes.items():
            setattr(participant, key, value)
        participant.updated = account.clock.now()
        account.state.remember(participant)
        tell(account, "onParticipantUpdated", conversation, participant, cause)


def _rebind(
    account: EmulatedAccount, conversation: Conversation, participant: Participant, proxy_address: str | None
) -> None:
    if not proxy_address or not participant.address or proxy_address == participant.proxy_address:
        return
    draft = ParticipantDraft(address=participant.address, proxy_address=proxy_address)
    _check_binding(account, conversation, draft, participant.address)
    account.state.free_pair(participant)
    account.state.pairs[participant.address, proxy_address] = conversation.sid


def read_up_to(
    account: EmulatedAccount, conversation: Conversation, participant: Participant, index: int, cause: Cause
) -> None:
    """Move a participant's read horizon."""
    seen_at = account.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")
    changes = {"last_read_index": index, "last_read_at": seen_at}
    change(account, conversation, participant, changes, cause)


def remove(account: EmulatedAccount, conversation: Conversation, participant: Participant, cause: Cause) -> None:
    """Take a participant out of the conversation, after asking the pre-action webhook."""
    account.count_write(conversation.sid)
    must_be_open(conversation)
    question = participant_form("onParticipantRemove", participant, account.clock.now())
    account.ask("onParticipantRemove", question, cause, service_sid=conversation.service_sid)
    with account.state.lock:
        if conversation.participants.pop(participant.sid, None) is None:
            return
        account.state.free_pair(participant)
        account.state.forget(participant)
        record_activity(account, conversation, cause)
        tell(account, "onParticipantRemoved", conversation, participant, cause)


def ensure_user(account: EmulatedAccount, service_sid: str, identity: str, cause: Cause) -> User:
    """Return the service's user of that identity, new if there was none. State locked."""
    state, now = account.state, account.clock.now()
    found = state.user(service_sid, identity)
    if found:
        return found
    role_sid = state.service(service_sid).roles["service user"]
    user = User(state.sid("US"), state.serial(), service_sid, identity, None, "{}", role_sid, now, now)
    state.users[user.sid] = user
    state.identities[service_sid, identity] = user.sid
    account.fire("onUserAdded", user_form("onUserAdded", user), cause, service_sid=service_sid)
    return user
