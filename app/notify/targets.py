"""Targets of notifications: which are posted to and which go through Apprise; how one is shown without its secrets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

Result = Literal["sent", "again", "failed", "uncertain"]


@dataclass(frozen=True, slots=True)
class NotifyTarget:
    """One target of BOT_NOTIFY."""

    name: str
    address: str = field(repr=False)

    @property
    def is_posted(self) -> bool:
        """Return whether it is posted to, signed; else Apprise knows how to reach it."""
        return self.scheme in ("http", "https")

    @property
    def scheme(self) -> str:
        return self.address.partition("://")[0].lower()

    @property
    def shown(self) -> str:
        """Return what may be shown of the address: of most kinds even the host is a secret."""
        if not self.is_posted:
            return f"{self.scheme}://..."
        parts = urlsplit(self.address)
        return f"{parts.scheme}://{parts.netloc}{'/...' if parts.path.strip('/') or parts.query else ''}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an attempt: "again" for what surely was not taken and may be later; why, without any address."""

    result: Result
    reason: str = ""
    retry_after: float = 0.0  # seconds, as the target asks


def targets_of(addresses: Mapping[str, str]) -> list[NotifyTarget]:
    """Return the targets of the setting, by name."""
    return [NotifyTarget(name, address) for name, address in sorted(addresses.items())]
