"""Webhooks of a single conversation: what may be configured, and replay of what was said before.

Source: conversations-classic/api/conversation-scoped-webhook-resource and api/errors/5036x, 5037x, read 2026-11-22.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from app.emulator import strictness
from app.emulator.account import EmulatedAccount
from app.emulator.errors import TwilioError
from app.emulator.models import Conversation, ScopedHook
from app.emulator.state import GLOBAL_EVENTS, State
from app.emulator.validation import whole_number

MOST_HOOKS = 5
MOST_TRIGGERS = 5
LONGEST_TRIGGER = 248
LONGEST_URL = 512
TARGETS = ("webhook", "trigger", "studio")


def create(
    account: EmulatedAccount,
    conversation: Conversation,
    target: str,
    settings: Mapping[str, str],
    lists: Mapping[str, Any],
) -> ScopedHook:
    """Return a new hook of the conversation, or raise what Twilio would refuse. State locked."""
    if len(conversation.hooks) >= MOST_HOOKS:
        raise TwilioError(50361, f"A conversation has at most {MOST_HOOKS} webhooks")
    if target not in TARGETS:
        raise TwilioError(50364 if target else 50368, f"Target must be one of {', '.join(TARGETS)}")
    state = account.state
    now = state.clock.now()
    replay_after = settings.get("ReplayAfter")
    hook = ScopedHook(
        sid=state.sid("WH"),
        serial=state.serial(),
        target=target,
        url=settings.get("Url"),
        method=settings.get("Method", "post").lower(),
        filters=tuple(lists.get("Filters", ())),
        triggers=tuple(lists.get("Triggers", ())),
        flow_sid=settings.get("FlowSid"),
        replay_after=whole_number("Configuration.ReplayAfter", replay_after) if replay_after else None,
        created=now,
        updated=now,
    )
    _check(account, hook)
    conversation.hooks[hook.sid] = hook
    return hook


def change(
    account: EmulatedAccount, hook: ScopedHook, settings: Mapping[str, str], lists: Mapping[str, Sequence[str]]
) -> None:
    """Change what is named, or raise what Twilio would refuse. State locked."""
    before = (hook.url, hook.method, hook.filters, hook.triggers, hook.flow_sid)
    hook.url = settings.get("Url", hook.url)
    hook.method = settings.get("Method", hook.method).lower()
    hook.filters = tuple(lists.get("Filters") or hook.filters)
    hook.triggers = tuple(lists.get("Triggers") or hook.triggers)
    hook.flow_sid = settings.get("FlowSid", hook.flow_sid)
    try:
        _check(account, hook)
    except TwilioError:
        hook.url, hook.method, hook.filters, hook.triggers, hook.flow_sid = before
        raise
    hook.updated = account.clock.now()


def of_address(state: State, auto_creation: Mapping[str, Any]) -> ScopedHook:
    """Return the hook that an address configuration attaches to a conversation it creates."""
    now = state.clock.now()
    return ScopedHook(
        sid=state.sid("WH"),
        serial=state.serial(),
        target=auto_creation["type"],
        url=auto_creation.get("webhook_url"),
        method=(auto_creation.get("webhook_method") or "post").lower(),
        filters=tuple(auto_creation.get("webhook_filters") or ()),
        triggers=(),
        flow_sid=auto_creation.get("studio_flow_sid"),
        replay_after=None,
        created=now,
        updated=now,
    )


def _check(account: EmulatedAccount, hook: ScopedHook) -> None:
    if hook.target == "studio":
        strictness.flow(account, hook.flow_sid)
        return
    if not hook.url:
        raise TwilioError(50369, "Configuration.Url is required")
    strictness.url(account, hook.url, 20001, "Configuration.Url")
    if len(hook.url) > LONGEST_URL:
        raise TwilioError(50372, f"Configuration.Url is longer than {LONGEST_URL} characters")
    if hook.method not in ("get", "post"):
        raise TwilioError(20001, "Configuration.Method must be get or post")
    if hook.target == "webhook":
        _check_filters(hook)
        strictness.scoped_filters(account, hook.filters)
    else:
        _check_triggers(hook)


def _check_filters(hook: ScopedHook) -> None:
    if not hook.filters:
        raise TwilioError(50370, "Configuration.Filters must name at least one event")
    if not set(hook.filters) <= set(GLOBAL_EVENTS):
        raise TwilioError(50365, "Configuration.Filters must name known events only")


def _check_triggers(hook: ScopedHook) -> None:
    if not 1 <= len(hook.triggers) <= MOST_TRIGGERS:
        raise TwilioError(50362, f"Configuration.Triggers must hold 1 to {MOST_TRIGGERS} words")
    if not all(1 <= len(word) <= LONGEST_TRIGGER for word in hook.triggers):
        raise TwilioError(50366, f"Each of Configuration.Triggers must have 1 to {LONGEST_TRIGGER} characters")
