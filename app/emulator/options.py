"""The choices an emulator is started with; they never change while it runs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

DEFAULT_AUTH_TOKEN = "0123456789abcdef0123456789abcdef"  # noqa: S105  a dummy, for loopback only
DEFAULT_ACCOUNT_SID = "AC00000000000000000000000000000001"


@dataclass(frozen=True)
class Options:
    """What the command line offers.

    Times are in seconds. `seed` None gives new SIDs at each start, so that a database which outlives
    the emulator never meets an old SID again. `numbers`, when given, are the only proxy addresses owned.
    `owned` are SIDs of content templates (HX...) and messaging services (MG...) that the account has; a prefix alone
    means every one. `autocreate` is the switch of the account's messaging service that lets every number begin
    conversations, in force while there is no address configuration. `webhook_filters` are the events that `webhook_url`
    is told of; none: all that tell of something done.
    """

    webhook_url: str = ""
    webhook_filters: tuple[str, ...] = ()
    public_url: str = ""
    auth_token: str = DEFAULT_AUTH_TOKEN
    account_sid: str = DEFAULT_ACCOUNT_SID
    seed: int | None = None
    receipt_delay: float = 0.05
    webhook_timeout: float = 5.0
    rate_limit: bool | None = None
    autocreate: bool = False
    lenient: bool = False
    owned: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()
    faults: Mapping[str, Any] = field(default_factory=dict)

    @property
    def limits_writes(self) -> bool:
        """Whether there are 429s: as asked for, else unless all is lenient."""
        return not self.lenient if self.rate_limit is None else self.rate_limit

    @property
    def autocreates(self) -> bool:
        """Whether a number needs no address configuration to begin conversations."""
        return self.autocreate or self.lenient
