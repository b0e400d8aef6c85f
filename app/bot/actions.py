"""Carries out what rules do beside replying: attributes, participants, pauses, closing; each may safely run twice."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from app.bot import gates
from app.bot.context import HandlerContext
from app.bot.facts_loader import ReplyContext
from app.bot.recheck import recheck_guards
from app.bot.sending import is_final
from app.config import FOREVER
from app.rules.engine import Actions
from app.store import actions as action_log
from app.store import conversations, mirror, replies
from app.store.actions import Action
from app.twilio_api import conversation
from app.twilio_api.errors import SendError

log = logging.getLogger("parley.actions")


def planned_actions(actions: Actions) -> list[tuple[str, Mapping[str, Any]]]:
    """Return the actions of a decision as they are written down, in the order in which they are done."""
    found: list[tuple[str, Mapping[str, Any]]] = []
    if actions.set_attributes:
        found.append(("set_attributes", dict(actions.set_attributes)))
    if actions.add_participant:
        found.append(("add_participant", dict(actions.add_participant)))
    if actions.hand_over:
        found.append(("hand_over", {}))
    if actions.pause:
        found.append(("pause", {"seconds": actions.pause.total_seconds()}))
    if actions.close:
        found.append(("close", {}))
    return found


def run_actions(occasion: ReplyContext, context: HandlerContext) -> list[str]:
    """Do what is written down and not yet done; return one line for each, saying what became of it.

    What cannot be done is written down as failed, and the rest is done all the same. Raises SendError, Reschedule.
    """
    actions = action_log.open_actions(context.tx, occasion.key)
    if not actions:
        return []
    if not replies.replies_of(context.tx, occasion.key):  # a reply has asked the guards already
        stop = recheck_guards(occasion, context)
        if stop and stop.human:
            action_log.skip(context.tx, occasion.key, stop.reason)
            return [f"{action.kind} skipped: {stop.reason}" for action in actions]
    return [_perform(action, occasion, context) for action in actions]


def _perform(action: Action, occasion: ReplyContext, context: HandlerContext) -> str:
    try:
        _DOING[action.kind](action, occasion, context)
    except SendError as error:
        return _write_down(error, action, context)
    action_log.record_done(context.tx, action, context.job.now())
    return action.kind


def _set_attributes(action: Action, occasion: ReplyContext, context: HandlerContext) -> None:
    shown = _at_twilio(conversation.merge_attributes, action.arguments, occasion, context)
    mirror.show_conversation(context.tx, shown, in_order=True)


def _add_participant(action: Action, occasion: ReplyContext, context: HandlerContext) -> None:
    _at_twilio(conversation.add_participant, action.arguments, occasion, context)


def _hand_over(action: Action, _occasion: ReplyContext, context: HandlerContext) -> None:
    why = f'the rule "{action.rule}" handed over to a human'
    conversations.pause(context.tx, action.conversation_sid, FOREVER, why, by="rule")


def _pause(action: Action, _occasion: ReplyContext, context: HandlerContext) -> None:
    until = context.job.now() + timedelta(seconds=action.arguments["seconds"])
    conversations.pause(context.tx, action.conversation_sid, until, f'the rule "{action.rule}" says so', by="rule")


def _close(action: Action, occasion: ReplyContext, context: HandlerContext) -> None:
    _at_twilio(conversation.close, None, occasion, context)
    conversations.record_state(context.tx, action.conversation_sid, "closed", dated=None)


_DOING: dict[str, Callable[[Action, ReplyContext, HandlerContext], None]] = {
    "set_attributes": _set_attributes,
    "add_participant": _add_participant,
    "hand_over": _hand_over,
    "pause": _pause,
    "close": _close,
}


def _at_twilio(change: Callable[..., Any], arguments: Any, occasion: ReplyContext, context: HandlerContext) -> Any:
    sid, service_sid = occasion.conversation_sid, occasion.chat_service_sid
    more = () if arguments is None else (arguments,)
    return gates.ask(lambda twilio: change(twilio, sid, service_sid, *more), sid, context)


def _write_down(error: SendError, action: Action, context: HandlerContext) -> str:
    """Store why an action could not be done; raises the error again where another attempt may help."""
    final = is_final(error, context)
    if final or error.decision == "suppress":
        action_log.record_failed(context.tx, action, error.reason)
    if error.decision == "retry":
        context.job.commit()
        raise error
    facts = {"conversation_sid": action.conversation_sid, "message_sid": action.message_sid}
    log.warning("action.failed", extra={"kind": action.kind, **facts, "reason": error.reason})
    return f"{action.kind} failed: {error.reason}"
