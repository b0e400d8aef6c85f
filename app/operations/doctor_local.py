"""Doctor's checks on this machine: settings, database, rules, token key, and the round trip through PUBLIC_URL."""

from __future__ import annotations

from pathlib import Path

from app import config
from app.db import schema
from app.db.database import DatabaseUnavailable
from app.operations import round_trip, webhooks
from app.operations.doctor_report import NOT_CHECKED, OK, PROBLEM, WARNING, DoctorContext, Finding
from app.rules import lint, loader
from app.rules.lint_notices import unknown_targets
from app.rules.reachability import taking_all
from app.rules.schema import Rules
from app.twilio_api.signature import Keys

_NOT_MIGRATED = Finding("migrations", PROBLEM, "missing", "run `flask db upgrade`", repair="migrations")


def settings(context: DoctorContext) -> list[Finding]:
    """Return every fault of the settings, or that there is none."""
    problems = config.problems_for_serving(context.settings)
    return [Finding("settings", PROBLEM, fault) for fault in problems] or [Finding("settings", OK, "complete")]


def database(context: DoctorContext) -> list[Finding]:
    """Return whether the database answers, and whether its schema is this version's."""
    where = context.db.url.render_as_string(hide_password=True)
    if context.db.is_sqlite and not Path(context.db.url.database or "").exists():  # to look into it would make it
        return [Finding("database", NOT_CHECKED, f"{where} is not there yet"), _NOT_MIGRATED]
    try:
        with context.db.read() as tx:
            migrated = schema.is_migrated(tx)
    except DatabaseUnavailable as unavailable:
        return [Finding("database", PROBLEM, f"{where}: {unavailable}", "check DATABASE_URL and the server")]
    return [Finding("database", OK, where), Finding("migrations", OK, "up to date") if migrated else _NOT_MIGRATED]


def rules(context: DoctorContext) -> list[Finding]:
    """Return whether the rules file can be used, and whether it most likely means what it says."""
    path = context.settings.bot_rules
    try:
        found = loader.load(loader.read(path))
    except (ValueError, OSError) as error:
        step = "mend the file, or name another with BOT_RULES; `flask rules check` shows the lines"
        return [Finding("rules", PROBLEM, f"{path.name}: {_in_one_line(error)}", step)]
    doubts = lint.lint(found, folder=path.parent, has_responder=bool(context.settings.bot_responder))
    doubts += unknown_targets(found, context.settings.notify)
    count = f"{path.name}: {len(found.rules)} rules"
    responder = _responder(context, found)
    if not doubts:
        return [Finding("rules", OK, count), *responder]
    state = PROBLEM if any(one.severity == "error" for one in doubts) else WARNING
    return [Finding("rules", state, f"{count}, {len(doubts)} doubt(s)", "`flask rules check` shows why"), *responder]


def _responder(context: DoctorContext, found: Rules) -> list[Finding]:
    """Return when the responder is asked, where there is one."""
    if not (name := context.settings.bot_responder):
        return []
    taking, left = taking_all(found)
    sentence = f"{name}: {lint.responder_sentence(found)}"
    if left or not taking:
        return [Finding("responder", OK, sentence)]
    step = "remove from the rules what it shall answer; docs/responders.md shows a rules file for a responder"
    return [Finding("responder", WARNING, sentence, step)]


def token_key(context: DoctorContext) -> list[Finding]:
    """Return whether tokens for chat clients can be made."""
    if context.settings.api_key and context.settings.api_secret:
        return [Finding("api key", OK, "set; tokens for chat clients can be made")]
    step = "set TWILIO_API_KEY and TWILIO_API_SECRET if chat clients need tokens; else nothing"
    return [Finding("api key", WARNING, "none; `flask tokens create` needs one", step)]


def signature(context: DoctorContext) -> list[Finding]:
    """Return whether a webhook at the public address reaches us: welcome when signed, refused when not."""
    tokens = tuple(one for one in (context.settings.auth_token, context.settings.secondary_auth_token) if one)
    keys = Keys(tokens, context.settings.shared_keys)
    if not context.settings.public_url or not (tokens or keys.shared):
        return [Finding("signature", NOT_CHECKED, "needs PUBLIC_URL and TWILIO_AUTH_TOKEN")]
    url = context.settings.public_url + webhooks.ROUTE
    signed, unsigned = round_trip.post_signed(url, keys), round_trip.post_unsigned(url, keys)
    if (signed, unsigned) == (200, 403):
        return [Finding("signature", OK, f"{url} takes what is signed and refuses what is not")]
    return [_fault_of_trip(url, signed, unsigned)]


def _fault_of_trip(url: str, signed: int, unsigned: int) -> Finding:
    if not signed or not unsigned:
        step = "is the app running, and PUBLIC_URL the address that leads to it?"
        return Finding("signature", PROBLEM, f"{url} does not answer", step)
    if signed == unsigned == 403:
        step = "start the app again with these settings; `flask signature explain` shows why it refuses"
        return Finding("signature", PROBLEM, f"{url} refuses what is signed", step)
    if 200 <= unsigned < 300:
        step = "PUBLIC_URL must lead to Parley, which refuses that"
        return Finding("signature", PROBLEM, f"{url} takes a webhook without a signature ({unsigned})", step)
    step = "PUBLIC_URL must lead to Parley, without a redirect or a page in between"
    return Finding("signature", PROBLEM, f"{url} answers {signed} when signed and {unsigned} when not", step)


def _in_one_line(error: Exception) -> str:
    return " ".join(line.strip() for line in str(error).splitlines())
