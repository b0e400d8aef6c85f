"""The page of consent: who in a conversation has opted out or in, with history, and deciding for a person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flask import abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user  # type: ignore[import-untyped]
from sqlalchemy import Connection

from app.bot.consents import customers_of
from app.dashboard import thread_queries
from app.dashboard.agent_reply_form import known_conversation, where
from app.dashboard.participants import ShownPerson, person_of, who_is
from app.dashboard.request_context import keeps_channels_apart, policy, reading, writing
from app.db.database import Record
from app.operations import consents
from app.operations.validation import Refused
from app.store import consent as ledger
from app.store.consent import Kind

_SHOWN = 20
DECISIONS: dict[str, Kind] = {"out": ledger.OPTED_OUT, "in": ledger.OPTED_IN}


@dataclass(frozen=True)
class Consent:
    """Somebody, with the newest changes of whether they want to hear from us."""

    person: ShownPerson
    changes: Sequence[Record]


def consent(sid: str) -> ResponseReturnValue:
    """Show every customer of a conversation, and a form to decide for each."""
    known_conversation(sid)
    return _shown(sid)


def decide(sid: str, participant_sid: str) -> ResponseReturnValue:
    """Opt a person out or in, on all channels."""
    known_conversation(sid)
    decision = request.form.get("decision", "")
    if decision not in DECISIONS:
        abort(400, "say whether to opt them out or in")
    try:
        with writing() as (tx, now):
            who = _named(tx, sid, participant_sid)
            actor, why, apart = current_user.name, request.form.get("why", ""), keeps_channels_apart()
            is_news = consents.decide(
                tx,
                who,
                DECISIONS[decision],
                actor=actor,
                why=why,
                now=now,
                per_channel=apart,
                conversation_sid=sid,
            )
    except Refused as refused:
        flash(f"Nothing was changed: {refused}.", "error")
        return redirect(url_for("page.consent", sid=sid, **where()), 303)
    done = "Opted out. Nothing automatic is sent to them any more." if decision == "out" else "Opted in."
    flash(done if is_news else "That was known already.")
    return redirect(url_for("page.conversation", sid=sid, **where()), 303)


def _named(tx: Connection, sid: str, participant_sid: str) -> ledger.Person:
    """Return who a participant is; an operator's word about a number is for all channels."""
    rows = (row for row in thread_queries.people_of(tx, sid) if row.participant_sid == participant_sid)
    row = next((one for one in rows if one.address or one.identity), None)
    if row is None:
        abort(404, "No such participant in this conversation.")
    return ledger.Person(row.address) if row.address else ledger.Person(row.identity, "chat")


def _shown(sid: str) -> str:
    with reading() as (tx, _now):
        rows = list(customers_of(thread_queries.people_of(tx, sid), policy()))
        standings = thread_queries.standings_of(tx, rows, per_channel=keeps_channels_apart())
        people = [
            Consent(person_of(row, standings[row.participant_sid]), ledger.history(tx, who_is(row), limit=_SHOWN))
            for row in rows
        ]
    return render_template("consent.html", people=people, sid=sid, longest=consents.LONGEST_REASON)
