"""What Twilio shows of its resources, as dictionaries; and one sentence for what is not there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from app.operations.validation import Refused
from app.twilio_api.errors import SendError


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
