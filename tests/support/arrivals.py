"""Messages that arrive, for tests of what happens afterwards: one webhook each, without a server in between."""

from collections.abc import Callable
from typing import Any

from app.emulator.client import Emulator

SENDER = "+15550100001"


def webhook_of(message: dict[str, Any], body: str, sender: str = SENDER) -> dict[str, str | None]:
    """Return the parameters that make the recorded SMS webhook the one of this message at the emulator."""
    sids = {"ConversationSid": "conversation_sid", "MessageSid": "message_sid", "ParticipantSid": "participant_sid"}
    told = {name: message[key] for name, key in sids.items()}
    return {**told, "Index": str(message["index"]), "Body": body, "Author": sender, "ChatServiceSid": None}


def arrive(
    emulator: Emulator, post_webhook: Callable[..., Any], body: str = "hello", *, sender: str = SENDER, **told: str
) -> dict[str, Any]:
    """Let a customer write and post the one webhook that tells of it; return the message's SIDs.

    `told` are parameters that it has beside those.
    """
    message = emulator.inbound(body, sender=sender)
    answer = post_webhook("onMessageAdded__sms_text", webhook_of(message, body, sender) | told)
    assert answer.status_code == 204
    return message
