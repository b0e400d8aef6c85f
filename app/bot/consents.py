"""Opt-outs and opt-ins: checked before a reply is sent, and stored when a message contains one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from fnmatch import fnmatchcase

from sqlalchemy import Connection

from app.bot.context import HandlerContext
from app.db.database import Record
from app.rules import consent_words, facts, guards
from app.store import consent, conversations
from app.store.consent import ConsentChange, Person, Standing
from app.twilio_api.addresses import channel_of


def address_of(message: facts.Inbound) -> str:
    """Return the phone number or other address of the author; "" for a chat identity."""
    return message.author if message.channel != "chat" else ""


def with_people(
    tx: Connection, message: facts.Inbound, known: facts.ConversationFacts, context: HandlerContext
) -> facts.ConversationFacts:
    """Return the same with who is in the conversation, and whether one of them wants silence: a reply reaches all."""
    rows = conversations.people_of(tx, message.conversation_sid, address_of(message))
    here = [row for row in rows if row.conversation_sid == message.conversation_sid]
    author = Person(message.author, message.channel)
    people = {author: _rows_of_author(message, rows)}
    for row in customers_of(here, context.policy):
        if row not in people[author]:
            people.setdefault(_person(row), []).append(row)
    found = consent.standings(tx, people, per_channel=context.rules.bot.opt_out_per_channel)
    own, others = found[author], [_is_silent(found[one], people[one]) for one in people if one != author]
    since = own.undecided_since
    return replace(
        known,
        has_messaging_participant=any(row.address for row in here),
        opted_out=_has_opted_out(own, people[author]),
        may_opt_out=since is not None and since >= message.sent_at,
        wished_before=since is not None and since < message.sent_at,
        others_opted_out=any(others),
    )


def _rows_of_author(message: facts.Inbound, rows: Sequence[Record]) -> list[Record]:
    """Return the rows of the author, here and elsewhere."""
    name, is_chat = message.author, message.channel == "chat"
    return [
        row
        for row in rows
        if (row.participant_sid == message.participant_sid and row.participant_sid)
        or (name and name == (row.identity if is_chat else row.address))
    ]


def customers_of(here: Sequence[Record], policy: facts.Policy) -> Iterator[Record]:
    """Yield who may be a customer: beside a phone every chat user is one of ours."""
    beside_phones = any(row.address for row in here)
    for row in here:
        if row.address or (row.identity and not beside_phones and not _is_ours(row.identity, policy)):
            yield row


def _is_ours(identity: str, policy: facts.Policy) -> bool:
    return identity == policy.bot_author or any(fnmatchcase(identity, one) for one in policy.agents)


def _person(row: Record) -> Person:
    return Person(row.address, channel_of(row.address, "")) if row.address else Person(row.identity, "chat")


def _is_silent(standing: Standing, rows: Sequence[Record]) -> bool:
    return standing.undecided_since is not None or _has_opted_out(standing, rows)


def _has_opted_out(standing: Standing, rows: Sequence[Record]) -> bool:
    return consent.has_opted_out(standing, [row.opted_out_at for row in rows])


def record_wish(message: facts.Inbound, known: facts.ConversationFacts, code: str, context: HandlerContext) -> bool:
    """Store what a customer's message says about hearing from us, if anything; `code` is that of the decision.

    Return whether it may be a wish to opt out that nobody knew of.
    """
    texts, words = message.texts or (message.text,), context.rules.bot
    if code in ("opt-out word", "opt-in word"):
        word = consent_words.word_of(texts, words, message.channel, code)
        _record(message, consent.OPTED_OUT if code == "opt-out word" else consent.OPTED_IN, word, context)
    elif code == guards.MAY_OPT_OUT and (wish := guards.wish_of(message, words)):
        return _record(message, consent.MAY_OPT_OUT, wish, context) and not known.wished_before
    elif known.wished_before:
        _record(message, consent.WROTE_AGAIN, "", context)
    return False


def _record(message: facts.Inbound, change: consent.Kind, word: str, context: HandlerContext) -> bool:
    at = message.sent_at if change in (consent.MAY_OPT_OUT, consent.WROTE_AGAIN) else min(message.sent_at, context.now)
    entry = ConsentChange(
        person=Person(message.author, message.channel),
        change=change,
        at=at,
        word=word,
        message_sid=message.message_sid,
        conversation_sid=message.conversation_sid,
        participant_sid=message.participant_sid,
    )
    return consent.record(context.tx, entry, per_channel=context.rules.bot.opt_out_per_channel)


def record_refusal_of_carrier(
    participant_sid: str, code: int, conversation_sid: str, message_sid: str, at: datetime, context: HandlerContext
) -> None:
    """Store that the carrier takes no message for a participant, because they have opted out there."""
    row = conversations.participant(context.tx, participant_sid)
    person = _person(row) if row and (row.address or row.identity) else Person(participant_sid)
    if row is None:
        conversations.record_participant(context.tx, participant_sid, {"conversation_sid": conversation_sid})
    entry = ConsentChange(
        person=person,
        change=consent.OPTED_OUT,
        at=at,
        word=str(code),
        actor=consent.CARRIER,
        message_sid=message_sid,
        conversation_sid=conversation_sid,
        participant_sid=participant_sid,
    )
    consent.record(context.tx, entry, per_channel=context.rules.bot.opt_out_per_channel)
