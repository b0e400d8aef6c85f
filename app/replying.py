"""From an inbound message to a reply: decide once, write the answer down, send it once."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection

from app import delivery_log, events, inbox, memory, rules
from app.bot import Bot
from app.conversations import SendError
from app.db import Record
from app.delivery_log import Reply
from app.dispatch import handles
from app.events import MessageAdded, MessageEvent
from app.work import Postponed

LOOK_UP_AFTER = timedelta(seconds=2)  # after a request without an answer, Twilio may need this long to store it
GATE_CLOSED_FOR = timedelta(seconds=1)  # after a 429 without Retry-After


@handles(MessageAdded)
def reply_to_message(event: MessageAdded, bot: Bot) -> str:
    """Decide once whether to answer, write the answer down, then send what is written down and not yet sent."""
    message = _message(event, bot)
    with bot.work.look() as tx:
        earlier = memory.decision(tx, event.message_sid)
        known = _known(tx, message, bot)
    reason = earlier.reason if earlier else _decide(event, message, known, bot)
    replies = delivery_log.open_replies(bot.tx, event.message_sid)
    if not replies:
        return f"no reply: {reason}"
    return "; ".join(_settle(reply, event, known, bot, met_again=earlier is not None) for reply in replies)


def note_message(event: MessageEvent, bot: Bot, **more: Any) -> None:
    """Store the message that an event describes; an event older than what is stored only fills gaps."""
    facts = {
        "conversation_sid": event.conversation_sid,
        "message_index": event.index,
        "author": event.author,
        "participant_sid": event.participant_sid,
        "body": event.body,
        "attributes": event.attributes,
        "media": [{name: getattr(one, name) for name in ("sid", "content_type", "filename", "size")}
                  for one in event.media],
        "source": event.source,
        "created_at": event.date_created,
        **more,
    }  # fmt: skip
    dated = event.date_removed or event.date_updated or event.date_created
    memory.note_message(bot.tx, event.message_sid, facts, dated=dated, now=bot.now)


def _decide(event: MessageAdded, message: rules.Message, known: rules.Known, bot: Bot) -> str:
    """Decide outside of any transaction, then store message, author, decision and the reply that is due."""
    decision = rules.decide(message, known, bot.rules, bot.policy, bot.now)
    note_message(event, bot)
    _note_author(message, rules.writer_of(message, known, bot.policy), decision.code, bot)
    memory.note_decision(
        bot.tx, event.message_sid, event.conversation_sid, code=decision.code, rule=decision.rule,
        reason=decision.reason, tried=[[one.name, one.failed] for one in decision.tried], now=bot.now,
    )  # fmt: skip
    if decision.reply is not None:
        bodies = [decision.reply]
        delivery_log.intend(bot.tx, event.message_sid, event.conversation_sid, decision.rule, bodies, bot.now)
    return decision.reason


def _message(event: MessageEvent, bot: Bot) -> rules.Message:
    return rules.Message(
        message_sid=event.message_sid,
        conversation_sid=event.conversation_sid,
        author=event.author,
        text=event.body,
        channel=rules.channel_of(event.author, event.source),
        source=event.source,
        attributes=event.attributes,
        client_identity=event.client_identity,
        participant_sid=event.participant_sid,
        has_media=bool(event.media),
        sent_at=event.date_created or bot.work.claimed.received_at,
    )


def _known(tx: Connection, message: rules.Message, bot: Bot) -> rules.Known:
    """Return what is known of the conversation and the author."""
    now, sid = bot.now, message.conversation_sid
    author = memory.participant(tx, message.participant_sid)
    cooldowns = [rule.cooldown for rule in bot.rules.rules if rule.cooldown]
    known = rules.Known(
        has_messaging_participant=memory.has_messaging_participant(tx, sid),
        author_role=_role(author, bot),
        last_inbound_at=max(filter(None, [message.sent_at, author and author.last_inbound_at])),
        recent_replies=delivery_log.count_replies(tx, sid, now - bot.rules.bot.reply_budget.per),
        rule_fired_at=delivery_log.rules_fired(tx, sid, now - max(cooldowns)) if cooldowns else {},
    )
    return _as_of_now(tx, message, known)


def _as_of_now(tx: Connection, message: rules.Message, known: rules.Known) -> rules.Known:
    """Return the same with what may have changed since: state, pause, opt-out."""
    known = replace(known, opted_out=memory.is_opted_out(tx, _address(message), message.participant_sid))
    here = memory.conversation(tx, message.conversation_sid)
    if here is None:
        return known
    return replace(
        known,
        state="closed" if here.removed_at else here.state,
        friendly_name=here.friendly_name,
        attributes=here.attributes,
        paused_until=here.paused_until,
        paused_why=here.paused_why,
        first_contact=here.last_inbound_at is None,
    )


def _role(author: Record | None, bot: Bot) -> str:
    """Return "agent" for a participant whose attributes or role SID say so."""
    if author is None:
        return ""
    return "agent" if author.attributes.get("role") == "agent" or author.role_sid in bot.policy.agents else ""


def _address(message: rules.Message) -> str:
    return message.author if message.channel != "chat" else ""


def _note_author(message: rules.Message, writer: str, code: str, bot: Bot) -> None:
    """Store what a message tells of its author: who they are, that they wrote, took over, or want silence."""
    tx, sid = bot.tx, message.conversation_sid
    memory.note_conversation(tx, sid, {})
    if message.participant_sid and writer in ("customer", "agent"):
        address = _address(message)
        facts = {"conversation_sid": sid, "address": address, "identity": "" if address else message.author}
        memory.note_participant(tx, message.participant_sid, facts)
    if writer == "agent":
        memory.note_agent(tx, sid, message.sent_at)
        memory.pause(tx, sid, message.sent_at + bot.rules.bot.pause_after_agent, "an agent wrote")
    elif writer == "customer":
        memory.note_inbound(tx, sid, message.participant_sid, message.sent_at)
    if code == "opt-out word":
        memory.opt_out(tx, sid, message.participant_sid, bot.now, address=_address(message))
    elif code == "opt-in word":
        memory.opt_in(tx, _address(message))


def _settle(reply: Reply, event: MessageAdded, known: rules.Known, bot: Bot, *, met_again: bool) -> str:
    """Send a reply that is written down, unless it was sent already or must not be sent any more."""
    try:
        if met_again and (sid := _look_up(reply, event, bot)):
            delivery_log.note_sent(bot.tx, reply, sid, bot.work.now())
            return f"rule {reply.rule} -> {sid}, sent by an earlier attempt"
        if reason := _changed(event, known, bot):
            delivery_log.suppress(bot.tx, reply, reason)
            return f"rule {reply.rule} not sent: {reason}"
        if opens_at := inbox.gate_opens_at(bot.tx, event.conversation_sid, bot.work.now()):
            raise Postponed(opens_at, "Twilio asked us to wait")
        return f"rule {reply.rule} -> {_send(reply, event, bot)}"
    except SendError as error:
        return _write_down(error, reply, bot)


def _send(reply: Reply, event: MessageAdded, bot: Bot) -> str:
    delivery_log.note_try(bot.tx, reply, bot.work.now())
    bot.work.commit()  # on disk before Twilio hears of it
    with bot.work.away():
        sid = bot.twilio.send_message(
            event.conversation_sid,
            event.chat_service_sid,
            author=bot.policy.bot_author,
            body=reply.body,
            marker=_marker(reply),
        )
    delivery_log.note_sent(bot.tx, reply, sid, bot.work.now())
    return sid


def _look_up(reply: Reply, event: MessageAdded, bot: Bot) -> str | None:
    """Return the MessageSid of a reply that an earlier attempt has sent, or None."""
    if reply.tried_at and bot.work.now() < reply.tried_at + LOOK_UP_AFTER:
        raise Postponed(reply.tried_at + LOOK_UP_AFTER, "the earlier request may still be on its way")
    bot.work.commit()
    with bot.work.away():
        return bot.twilio.find_message(
            event.conversation_sid,
            event.chat_service_sid,
            author=bot.policy.bot_author,
            marker=_marker(reply),
            back_to=event.message_sid,
        )


def _marker(reply: Reply) -> dict[str, object]:
    return {"reply_to": reply.reply_to, "n": reply.n}


def _write_down(error: SendError, reply: Reply, bot: Bot) -> str:
    """Store what became of a reply that Twilio did not take; raises the error again where it is not final."""
    if error.decision == "suppress":
        delivery_log.suppress(bot.tx, reply, error.reason)
        return f"rule {reply.rule} not sent: {error.reason}"
    if error.decision == "give up" or (bot.work.is_last_attempt and bot.work.is_spent_by(error.asks_to_wait)):
        delivery_log.note_failed(bot.tx, reply, error.reason)
    if error.scope:
        scope = inbox.ACCOUNT if error.scope == "account" else reply.conversation_sid
        inbox.close_gate(bot.tx, scope, bot.work.now() + (error.retry_after or GATE_CLOSED_FOR))
    bot.work.commit()
    raise error


def _changed(event: MessageAdded, known: rules.Known, bot: Bot) -> str | None:
    """Ask the guards that can change once more; return the reason for silence, or None."""
    message = _message(event, bot)
    known = _as_of_now(bot.tx, message, known)
    human_wrote = _human_waits(message, known, bot)
    return rules.changed_guards(message, known, bot.policy, bot.work.now(), human_wrote)


def _human_waits(message: rules.Message, known: rules.Known, bot: Bot) -> bool:
    """Return whether a human agent's message is stored behind this one and not yet worked on."""
    stored = inbox.waiting_from_clients(bot.tx, bot.work.claimed, MessageAdded.event_type)
    waiting = (events.parse(events.read_form(one.method, one.target, one.body)) for one in stored)
    by_author = {one.author: one for one in waiting if isinstance(one, MessageAdded) and one.author != message.author}
    return any(_is_agent(one, known, bot) for one in by_author.values())


def _is_agent(event: MessageAdded, known: rules.Known, bot: Bot) -> bool:
    role = _role(memory.participant(bot.tx, event.participant_sid), bot)
    return rules.writer_of(_message(event, bot), replace(known, author_role=role), bot.policy) == "agent"
