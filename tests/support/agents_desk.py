"""An agents' desk that uses the same account at Twilio: it writes, and overwrites Attributes of what others wrote."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from app.config import Settings
from app.runtime.from_settings import make_conversations

OF_THE_DESK = '{"desk": {"task": 1}}'


class AgentsDesk:
    def __init__(self, settings: Settings) -> None:
        self._twilio = make_conversations(settings, None)

    def overwrites(self, message: Mapping[str, Any]) -> None:
        """Overwrite the Attributes of a message, as the emulator shows it. Raises SendError."""
        messages = self._messages(message["conversation_sid"])
        self._twilio.ask(lambda client: messages(client)(message["sid"]).update(attributes=OF_THE_DESK))

    def writes(self, conversation_sid: str, author: str, body: str, **attributes: Any) -> None:
        """Write a message under somebody's name. Raises SendError."""
        said = {"author": author, "body": body, "attributes": json.dumps(attributes)}
        self._twilio.ask(lambda client: self._messages(conversation_sid)(client).create(**said))

    def _messages(self, conversation_sid: str) -> Callable[[Any], Any]:
        return lambda client: client.conversations.v1.conversations(conversation_sid).messages
