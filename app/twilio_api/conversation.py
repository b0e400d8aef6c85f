"""Changes that rules make to a conversation at Twilio: attributes, participants, closing. Each may safely run twice.

Twilio tells nobody of a change that is made through REST without asking for webhooks, so none comes back to us.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.twilio_api.client import Conversations
from app.twilio_api.errors import SendError
from app.twilio_api.form import read_object, written_attributes
from app.twilio_api.resources import CLOSED, ShownConversation, conversation_of

# Source: conversations-classic/conversations-limits, read 2026-11-22
MOST_ATTRIBUTE_BYTES = 16 * 1024
# Source: api/errors/<code>, read 2026-11-22: the identity, or the member of a group, is there already.
THERE_ALREADY = (50433, 50437)
PAIR_IN_USE = 50416  # of address and our number, in an active conversation, not necessarily in this one


def merge_attributes(
    twilio: Conversations, conversation_sid: str, service_sid: str, news: Mapping[str, Any]
) -> ShownConversation:
    """Set some attributes of a conversation, keep the others, and return it as it is now. Raises SendError.

    Between reading and writing somebody else's change can be lost: Twilio has no condition for this.
    """

    def conversation() -> Any:
        return twilio.conversation(conversation_sid, service_sid)

    found = twilio.ask(lambda _client: conversation().fetch())
    before = _object(found.attributes)
    merged = before | dict(news)
    try:
        text = written_attributes(merged)
    except ValueError:
        raise SendError("the attributes have a number that JSON does not have, such as Infinity", "give up") from None
    if (size := len(text.encode())) > MOST_ATTRIBUTE_BYTES:
        raise SendError(f"the attributes would have {size} bytes, {MOST_ATTRIBUTE_BYTES} are the most", "give up")
    if merged != before:
        found = twilio.ask(lambda _client: conversation().update(attributes=text))
    return conversation_of(vars(found))


def add_participant(twilio: Conversations, conversation_sid: str, service_sid: str, who: Mapping[str, str]) -> None:
    """Add a chat `identity`, or an `address` with our `proxy_address`; one who is there stays. Raises SendError."""
    wanted = {
        "identity": who.get("identity"),
        "messaging_binding_address": who.get("address"),
        "messaging_binding_proxy_address": who.get("proxy_address"),
    }
    given = {name: value for name, value in wanted.items() if value}

    def participants() -> Any:
        return twilio.conversation(conversation_sid, service_sid).participants

    try:
        twilio.ask(lambda _client: participants().create(**given))
    except SendError as error:
        if error.code in THERE_ALREADY:
            return
        if error.code != PAIR_IN_USE:
            raise
        bindings = twilio.ask(lambda _client: [one.messaging_binding or {} for one in participants().list()])
        if not any(binding.get("address") == who.get("address") for binding in bindings):
            raise SendError("this address and our number meet in another conversation (50416)", "give up") from error


def close(twilio: Conversations, conversation_sid: str, service_sid: str) -> None:
    """Close a conversation, for ever; one that is closed stays so. Raises SendError."""
    try:
        twilio.ask(lambda _client: twilio.conversation(conversation_sid, service_sid).update(state="closed"))
    except SendError as error:
        if error.code != CLOSED:
            raise


def _object(text: str | None) -> dict[str, Any]:
    found = read_object(text)
    if found is None:
        raise SendError("the attributes at Twilio are not a JSON object", "give up")
    return found
