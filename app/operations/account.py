"""The account that operations work on, through the SDK: default or other service, fetched resources, refusals."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from app.operations import validation
from app.operations.validation import Refused
from app.twilio_api.client import Conversations
from app.twilio_api.errors import SendError

Result = TypeVar("Result")

_TRIES, _WAIT_SECONDS, _LONGEST_WAIT_SECONDS = 5, 1.0, 30.0


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


def patiently(wait: Callable[[float], None], request: Callable[[], Result]) -> Result:
    """Return what a request brings; one that was asked to wait (429) did nothing and is made again, 4 times at most.

    Raises SendError, also where Twilio asks for more than half a minute.
    """
    for _ in range(_TRIES - 1):
        try:
            return request()
        except SendError as error:
            seconds = error.retry_after.total_seconds() if error.retry_after else _WAIT_SECONDS
            if not error.is_rate_limit or seconds > _LONGEST_WAIT_SECONDS:
                raise
            wait(seconds)
    return request()


def document(resource: Any) -> dict[str, Any]:
    """Return a resource of the SDK as Twilio shows it: its fields in snake_case, times as datetimes."""
    return {name: value for name, value in vars(resource).items() if not name.startswith("_")}


@contextmanager
def must_exist(what: str, next_step: str) -> Iterator[None]:
    """Turn Twilio's "not found" into Refused: there is no such thing, and where to look."""
    try:
        yield
    except SendError as error:
        if error.status != 404:
            raise
        raise Refused(f"there is no {what} ({error.code}); {next_step}") from error
