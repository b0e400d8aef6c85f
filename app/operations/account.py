"""Where operations happen: an account through the SDK, in its default service or another one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from app.operations import validation
from app.twilio_api.client import Conversations

Result = TypeVar("Result")


@dataclass(frozen=True)
class Account:
    """An account to operate on; `service_sid` "" is its default conversation service."""

    twilio: Conversations
    service_sid: str = ""

    def __post_init__(self) -> None:
        if self.service_sid:
            validation.sid("IS", self.service_sid)

    def ask(self, request: Callable[[Any], Result]) -> Result:
        """Return what a request brings; it is given the SDK's `v1` or `v1.services(IS...)`. Raises SendError.

        Both have `.conversations`, `.users`, `.roles`, `.participant_conversations`, `.configuration`,
        `.conversation_with_participants`. Page through lists inside the request: the SDK fetches them lazily.
        """
        return self.twilio.ask(lambda client: request(self._scope(client)))

    def ask_account(self, request: Callable[[Any], Result]) -> Result:
        """Return what a request brings that no service limits; it is given the SDK's `v1`. Raises SendError."""
        return self.twilio.ask(lambda client: request(client.conversations.v1))

    def _scope(self, client: Any) -> Any:
        v1 = client.conversations.v1
        return v1.services(self.service_sid) if self.service_sid else v1
