"""A chat client acts: a human agent or a web visitor who writes, edits, removes and reads through the SDK."""

from app.emulator import messages, participants, validation
from app.emulator.account import Cause, EmulatedAccount
from app.emulator.errors import not_found
from app.emulator.messages import MessageDraft
from app.emulator.models import Conversation, EmulatedMessage, Participant
from app.emulator.participants import ParticipantDraft


def write(
    account: EmulatedAccount, conversation: Conversation, identity: str, body: str, attributes: str | None
) -> EmulatedMessage:
    """Return the message a chat client has written; it joins the conversation first if it must."""
    cause = Cause("SDK", client_identity=identity)
    if account.state.member(conversation, identity, chat_only=True) is None:
        participants.add(account, conversation, ParticipantDraft(identity=identity), cause)
    with account.state.lock:
        account.state.connect(conversation.service_sid, identity)
    text = validation.attributes(attributes, validation.MESSAGE_ATTRIBUTES)
    return messages.add(account, conversation, MessageDraft(identity, body, attributes=text), cause)


def edit(account: EmulatedAccount, message: EmulatedMessage, body: str, identity: str | None) -> EmulatedMessage:
    """Return the message as a chat client, by default its author, has edited it."""
    cause = Cause("SDK", client_identity=identity or message.author)
    messages.change(account, conversation_of(account, message), message, {"body": body}, cause)
    return message


def remove(account: EmulatedAccount, message: EmulatedMessage, identity: str | None) -> None:
    """Let a chat client, by default its author, delete a message."""
    cause = Cause("SDK", client_identity=identity or message.author)
    messages.remove(account, conversation_of(account, message), message, cause)


def read(account: EmulatedAccount, conversation: Conversation, identity: str, index: int) -> Participant:
    """Return the participant whose read horizon a chat client has moved."""
    participant = account.state.participant(conversation, identity)
    cause = Cause("SDK", client_identity=identity)
    participants.read_up_to(account, conversation, participant, index, cause)
    return participant


def conversation_by_sid(account: EmulatedAccount, sid: str) -> Conversation:
    """Return a conversation of any service, or raise 20404."""
    if sid not in account.state.conversations:
        raise not_found(f"/Conversations/{sid}")
    return account.state.conversations[sid]


def message_by_sid(account: EmulatedAccount, sid: str) -> EmulatedMessage:
    """Return a message of any conversation, or raise 20404."""
    if sid not in account.state.messages:
        raise not_found(f"/Messages/{sid}")
    return account.state.messages[sid]


def conversation_of(account: EmulatedAccount, message: EmulatedMessage) -> Conversation:
    """Return the conversation a message is in."""
    return conversation_by_sid(account, message.conversation_sid)
