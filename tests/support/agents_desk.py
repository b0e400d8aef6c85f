"""An agents' desk that uses the same account at Twilio: it writes, and overwrites Attributes of what others wrote."""

import json
from collections.abc import Mapping
from typing import Any

from app.config import Settings
from app.runtime.from_settings import make_conversations

OF_THE_DESK = '{"desk": {"task": 1}}'


class AgentsDesk:
    def __init__(self, settings: Settings) -> None:
        self._v1 = make_conversations(settings).ask(lambda client: client).conversations.v1

    def overwrites(self, message: Mapping[str, Any]) -> None:
        """Overwrite the Attributes of a message, as the emulator shows it."""
        self._v1.conversations(message["conversation_sid"]).messages(message["sid"]).update(attributes=OF_THE_DESK)

    def writes(self, conversation_sid: str, author: str, body: str, **attributes: Any) -> None:
        """Write a message under somebody's name."""
        conversation = self._v1.conversations(conversation_sid)
        conversation.messages.create(author=author, body=body, attributes=json.dumps(attributes))
