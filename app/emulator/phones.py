"""A person with a phone, or before a web chat: what they have on their screen, and what happens when they look at it.

Somebody nobody has looked for is read as carriers report it, by itself; see carrier.py.
"""

from app.emulator import conversations, participants
from app.emulator.account import Cause, EmulatedAccount
from app.emulator.conversations import ConversationDraft
from app.emulator.models import Conversation, EmulatedMessage, Participant
from app.emulator.participants import ParticipantDraft


def messages_of(account: EmulatedAccount, name: str) -> list[EmulatedMessage]:
    """Return the messages of all conversations that an address or identity is in, in the order they were stored."""
    with account.state.lock:
        sids = {conversation.sid for conversation, _ in _memberships(account, name)}
        return [it for it in account.state.messages.values() if it.conversation_sid in sids]


def look(account: EmulatedAccount, name: str) -> int:
    """Let a person look at the screen; return how many receipts or read horizons moved.

    By WhatsApp what is delivered becomes read, and from now on nothing is read before the next look. A chat client
    reads up to the last message. SMS knows no such thing.
    """
    with account.state.lock:
        account.carrier.hold(name)
        places = _memberships(account, name)
        moved = sum(account.carrier.read(conversation, participant) for conversation, participant in places)
    return moved + sum(_read_to_the_end(account, *place) for place in places if place[1].identity)


def web_chat_of(account: EmulatedAccount, identity: str) -> Conversation:
    """Return the open conversation that a visitor has begun in the web chat; a new one if there is none."""
    state = account.state
    with state.lock:
        for conversation, participant in _memberships(account, identity):
            if participant.identity and conversation.created_by == identity and conversation.state != "closed":
                return conversation
        service_sid = state.configuration.chat_service_sid
    cause = Cause("SDK", client_identity=identity)
    draft = ConversationDraft(friendly_name=f"Web chat with {identity}", created_by=identity)
    conversation = conversations.create(account, service_sid, draft, cause)
    participants.add(account, conversation, ParticipantDraft(identity=identity), cause)
    return conversation


def _memberships(account: EmulatedAccount, name: str) -> list[tuple[Conversation, Participant]]:
    found = account.state.named.get(name, {}).values()
    places = [(account.state.conversations.get(it.conversation_sid), it) for it in found]
    return [(conversation, it) for conversation, it in places if conversation]


def _read_to_the_end(account: EmulatedAccount, conversation: Conversation, participant: Participant) -> bool:
    last = max((it.index for it in conversation.messages.values()), default=-1)
    seen = -1 if participant.last_read_index is None else participant.last_read_index
    if last <= seen or conversation.state == "closed":
        return False
    cause = Cause("SDK", client_identity=participant.identity or "")
    participants.read_up_to(account, conversation, participant, last, cause)
    return True
