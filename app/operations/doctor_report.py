"""Doctor's findings and context: the types that all checks share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from app.config import Settings
from app.db.database import Database
from app.operations.account import Account
from app.twilio_api.errors import SendError

OK, WARNING, PROBLEM, NOT_CHECKED = "ok", "warning", "problem", "not checked"


@dataclass(frozen=True)
class Finding:
    """One line of the report: what was looked at, how it is, and what to do. `repair` names what can be mended."""

    check: str
    state: str
    found: str
    next_step: str = ""
    repair: str = ""


@dataclass(frozen=True)
class DoctorContext:
    """What is examined; `account` is None when the settings do not let us call Twilio. `now` is this machine's time."""

    settings: Settings
    db: Database
    account: Account | None
    now: Callable[[], datetime]


Check = Callable[[DoctorContext], list[Finding]]


def account_scope(context: DoctorContext) -> Account:
    """Return the account without a service: where the global webhook is."""
    if context.account is None:
        raise SendError("the settings do not let us call Twilio", "give up")
    return Account(context.account.twilio)
