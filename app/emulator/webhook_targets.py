"""Which webhook URLs an event goes to: global, service and conversation scope, by filter and trigger.

A service's own configuration silences the global one; hooks of a conversation are added to either.
Source: conversations-classic/api/per-service-webhook-resource, read 2026-11-22.
"""

from dataclasses import dataclass

from app.emulator.models import Conversation, Hooks, ScopedHook
from app.emulator.state import State


@dataclass(frozen=True)
class Target:
    """A URL to call, and how."""

    url: str
    method: str


def post_targets(
    state: State, event_type: str, service_sid: str, conversation: Conversation | None, body: str
) -> list[Target]:
    """Return where a thing that has happened is told; the account's or service's URL comes first."""
    hooks = scope_hooks(state, service_sid)
    targets = []
    if hooks.post_webhook_url and event_type in hooks.filters:
        targets.append(Target(hooks.post_webhook_url, hooks.method))
    for hook in conversation.hooks.values() if conversation else ():
        if hook.url and _wants(hook, event_type, body):
            targets.append(Target(hook.url, hook.method.upper()))
    return targets


def pre_target(state: State, event_type: str, service_sid: str) -> Target | None:
    """Return where to ask before a thing happens, or None when nobody wants to be asked."""
    hooks = scope_hooks(state, service_sid)
    if hooks.pre_webhook_url and event_type in hooks.filters:
        return Target(hooks.pre_webhook_url, hooks.method)
    return None


def scope_hooks(state: State, service_sid: str) -> Hooks:
    """Return the configuration in force for a service: its own if it names a URL, else the global one."""
    service = state.services.get(service_sid)
    own = service.hooks if service else None
    return own if own and (own.post_webhook_url or own.pre_webhook_url) else state.global_hooks


def _wants(hook: ScopedHook, event_type: str, body: str) -> bool:
    if hook.target == "trigger":
        words = body.lower()
        return event_type == "onMessageAdded" and any(word.lower() in words for word in hook.triggers)
    return hook.target == "webhook" and event_type in hook.filters
