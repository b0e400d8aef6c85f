"""Who is told of what the bot decided or met: asked of the rules, written down in the commit of the cause."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

from app.bot.context import HandlerContext
from app.bot.facts_loader import ReplyContext
from app.notify.recording import NotificationCause
from app.rules import engine, facts
from app.rules.engine import Decision
from app.rules.notices import Notice
from app.twilio_api.events import DeliveryUpdated

OUTAGE_BEGAN, OUTAGE_ENDED = "began", "ended"


def record_decided(decision: Decision, occasion: ReplyContext, context: HandlerContext) -> None:
    """Write down whom a rule, or what it does, wants to tell; each target once, in the words of the first that asks."""
    if context.recorder is None:
        return
    sid, after = occasion.message.message_sid, occasion.key.timer_seconds
    for kind, notice, reason in _asked(decision, after, context):
        cause = NotificationCause(
            kind=kind,
            key=f"decision {sid} {after}",
            reason=reason,
            path=f"/c/{occasion.conversation_sid}",
            conversation_sid=occasion.conversation_sid,
            facts={"rule": decision.rule, "message_sid": sid, "channel": occasion.message.channel},
        )

        def values() -> Mapping[str, object]:
            return engine.template_values(occasion.message, occasion.known, context.rules.bot, context.now)

        context.recorder.record(context.tx, notice, cause, context.now, values)


def _asked(decision: Decision, after: int, context: HandlerContext) -> Iterator[tuple[str, Notice | None, str]]:
    if decision.actions.hand_over:
        yield "hand_over", context.rules.notify.hand_over, f'"{decision.rule}" handed over to a human'
    if after and decision.code in ("replied", "acted", "stopped"):
        waited = f'no human has answered for {after // 60} min; the rule "{decision.rule}" applies'
        yield "unanswered", context.rules.notify.unanswered, waited
    yield "rule", decision.actions.notify, f'the rule "{decision.rule}" applies'


def record_wish(message: facts.Inbound, known: facts.ConversationFacts, context: HandlerContext) -> None:
    """Write down whom to tell that a customer may want to opt out."""
    if context.recorder is None:
        return
    cause = NotificationCause(
        kind="opt_out_wish",
        key=f"wish {message.message_sid}",
        reason="what they wrote reads like it; the bot is silent there until somebody decides",
        path=f"/c/{message.conversation_sid}/consent",
        conversation_sid=message.conversation_sid,
        facts={"rule": "", "message_sid": message.message_sid, "channel": message.channel},
    )

    def values() -> Mapping[str, object]:
        return engine.template_values(message, known, context.rules.bot, context.now)

    context.recorder.record(context.tx, context.rules.notify.opt_out_wish, cause, context.now, values)


def record_failed_answer(
    receipt: DeliveryUpdated, code: int, agent: str, meaning: str, context: HandlerContext
) -> None:
    """Write down whom to tell that what a human wrote did not reach the customer."""
    if context.recorder is None:
        return
    cause = NotificationCause(
        kind="human_answer_failed",
        key=f"receipt {receipt.delivery_receipt_sid}",
        reason=f"the carrier did not deliver what a human wrote: {meaning or receipt.status}",
        path=f"/c/{receipt.conversation_sid}",
        conversation_sid=receipt.conversation_sid,
        facts={"message_sid": receipt.message_sid, "agent": agent, "error_code": code},
    )
    context.recorder.record(context.tx, context.rules.notify.human_answer_failed, cause, context.now)


def record_outage(since: datetime, what: str, reason: str, now: datetime, context: HandlerContext) -> None:
    """Write down whom to tell that Twilio fails again and again, or that it works again."""
    if context.recorder is None:
        return
    words = {OUTAGE_BEGAN: f"it fails since {since:%H:%M:%S} UTC ({reason}); replies wait and are sent later"}
    ended = f"it works again; it had failed since {since:%H:%M:%S} UTC, and what waited is sent now"
    cause = NotificationCause(
        "outage", f"outage {what} {since.isoformat()}", words.get(what, ended), facts={"outage": what}
    )
    context.recorder.record(context.tx, context.rules.notify.outage, cause, now)
