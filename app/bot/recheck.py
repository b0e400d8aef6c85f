"""Asks once more, right before something is sent or done, whether anything forbids it that has come meanwhile.

What is stored and not yet worked on counts too: a human's answer, a wish for silence, that the message is gone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from app.bot import consents
from app.bot.context import HandlerContext
from app.bot.facts_loader import ReplyContext, as_of_now, is_agent, read_messages
from app.db.database import Record
from app.inbox import internal_events, waiting
from app.rules import facts, guards
from app.rules.consent_words import Wanted, wanted_by
from app.store import conversations
from app.twilio_api.addresses import channel_of, person_of, spellings
from app.twilio_api.events import MessageAdded, MessageRemoved
from app.twilio_api.form import read_text

_LAST_WORDS = 20  # messages; who wants silence says so at the end
_TOLD = (MessageAdded.event_type, MessageRemoved.event_type)


@dataclass(frozen=True)
class Suppression:
    """Why nothing may be said now; `human`: because of a person's act or wish, so that nothing else is done either."""

    reason: str
    human: bool


def recheck_guards(occasion: ReplyContext, context: HandlerContext) -> Suppression | None:
    """Ask the guards that can change once more; return why nothing may be said, or None."""
    message, now = occasion.message, context.job.now()
    here = conversations.conversation(context.tx, message.conversation_sid)
    known = as_of_now(context.tx, message, occasion.known, context, now, here)
    told = waiting.newest(
        context.tx, context.job.claimed, *_TOLD, addresses=_addresses_of(message, context), limit=_LAST_WORDS
    )
    if _was_removed(message, told):
        return Suppression(guards.REMOVED[1], human=True)
    said = [one for one in told if one.event_type == MessageAdded.event_type]
    known = _with_wishes(known, _wishes_that_wait(said, message, context), message.author)
    is_followed = any(one.lane == message.conversation_sid for one in said)
    human_wrote = _human_answered(occasion, context) or (is_followed and _human_waits(message, known, context))
    reason = guards.changed_guards(
        message, known, context.policy, now, human_wrote, bot=context.rules.bot, timer=occasion.timer
    )
    if reason is None:
        return None
    agent_took_over = known.paused_by == "agent" and known.paused_until is not None and known.paused_until > now
    unwanted = known.opted_out or known.may_opt_out or known.others_opted_out
    return Suppression(reason, human_wrote or unwanted or known.state == "closed" or agent_took_over)


def _human_answered(occasion: ReplyContext, context: HandlerContext) -> bool:
    """Return whether the wait that a follow-up is about is over."""
    if not occasion.key.timer_seconds:
        return False
    here = conversations.conversation(context.tx, occasion.conversation_sid)
    return here is None or here.waiting_since != occasion.waiting_since


def _human_waits(message: facts.Inbound, known: facts.ConversationFacts, context: HandlerContext) -> bool:
    """Return whether a human agent's message is stored behind this one and not yet worked on."""
    stored = waiting.from_clients(context.tx, context.job.claimed, MessageAdded.event_type)
    by_author = {one.author: one for one in read_messages(stored) if one.author != message.author}
    return any(is_agent(context.tx, one, known, context) for one in by_author.values())


def _addresses_of(message: facts.Inbound, context: HandlerContext) -> Sequence[str]:
    """Return under which addresses the author may have asked for silence in another conversation."""
    address = consents.address_of(message)
    if not address or context.rules.bot.opt_out_per_channel:
        return [address] if address else []
    return spellings(address)


def _was_removed(message: facts.Inbound, told: Sequence[Record]) -> bool:
    removals = (one for one in told if one.event_type == MessageRemoved.event_type)
    return any(read_text(one.method, one.target, one.body, "MessageSid") == message.message_sid for one in removals)


def _wishes_that_wait(said: Sequence[Record], message: facts.Inbound, context: HandlerContext) -> dict[str, Wanted]:
    """Return what each author wants whose opt-out or opt-in is stored behind this message and not yet worked on.

    In other conversations only what the author of this message says counts, in whatever spelling of the address.
    """
    found: dict[str, Wanted] = {}
    for one in said:
        author, text = internal_events.read_said(one.method, one.target, one.body)
        channel = message.channel if author == message.author else channel_of(author, "")
        if one.lane != message.conversation_sid:
            if person_of(author) != person_of(message.author):
                continue
            author = message.author
        if not found.get(author):
            found[author] = wanted_by(text, context.rules.bot, channel)
    return found


def _with_wishes(known: facts.ConversationFacts, wishes: Mapping[str, Wanted], author: str) -> facts.ConversationFacts:
    return replace(
        known,
        opted_out=known.opted_out or wishes.get(author) == "out",
        may_opt_out=known.may_opt_out or wishes.get(author) == "perhaps out",
        others_opted_out=known.others_opted_out
        or any(wish in ("out", "perhaps out") for name, wish in wishes.items() if name != author),
    )
