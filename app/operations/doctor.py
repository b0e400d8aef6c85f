"""Runs all checks of `flask doctor`: settings, database, rules, account, the way in between.

Changes nothing by itself: `repair` mends what is ours, when it is told to.
"""

from __future__ import annotations

from collections.abc import Iterator

from app.db.schema import migrate
from app.operations import doctor_account, doctor_inbox, doctor_local, doctor_notify, webhooks
from app.operations.doctor_report import NOT_CHECKED, OK, PROBLEM, WARNING, Check, DoctorContext, Finding, account_scope
from app.twilio_api.errors import SendError, sentence

REFUSED_CREDENTIALS = 20003


def examine(context: DoctorContext) -> Iterator[Finding]:
    """Yield what is found, one thing after the other, in the order in which to mend it."""
    yield from doctor_local.settings(context)
    stored = doctor_local.database(context)
    yield from stored
    can_be_read = stored[0].state == OK  # to look into an SQLite file that is not there would make it
    if can_be_read:
        yield from doctor_inbox.gates(context)
        yield from doctor_inbox.clock_set_back(context)
    yield from doctor_local.rules(context)
    if can_be_read:
        yield from doctor_notify.targets(context)
    yield from doctor_local.token_key(context)
    credentials = _asked("credentials", doctor_account.credentials, context)
    yield from credentials
    for name, check in doctor_account.CHECKS.items():
        if any(finding.state in (PROBLEM, NOT_CHECKED) for finding in credentials if finding.check == "credentials"):
            yield Finding(name, NOT_CHECKED, "needs credentials that Twilio accepts")
        else:
            yield from _asked(name, check, context)
    yield from doctor_local.signature(context)


def repair(context: DoctorContext, what: str) -> str:
    """Mend what a finding names and return what was done. Raises DatabaseUnavailable, SendError, Refused."""
    if what == "migrations":
        migrate(context.db)
        return "The schema is up to date now."
    account = account_scope(context)
    wanted = webhooks.pointed_at(webhooks.fetch(account), context.settings.public_url)
    return f"The global webhook is {webhooks.in_words(webhooks.put(account, wanted))} now."


def _asked(name: str, check: Check, context: DoctorContext) -> list[Finding]:
    """Return what a check found; where Twilio refuses to tell, that is what is found."""
    if context.account is None:
        return [Finding(name, NOT_CHECKED, "needs the settings named above")]
    try:
        return check(context)
    except SendError as error:
        state = PROBLEM if name == "credentials" else WARNING
        said = error.reason if error.code == REFUSED_CREDENTIALS else sentence(error)  # the rest of which names us
        return [Finding(name, state, f"could not be looked at: {said}")]
