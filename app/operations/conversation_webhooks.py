"""Webhooks of a single conversation: list, set, remove. They are added to the account's or service's.

Source: conversations-classic/api/conversation-scoped-webhook-resource and api/errors/5036x, 5037x, read 2026-11-22.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from app.common.quoting import quoted
from app.operations import validation, webhooks
from app.operations.account import Account, document, must_exist
from app.operations.validation import Refused

TARGETS = ("webhook", "trigger", "studio")
MOST_WEBHOOKS = 5
MOST_TRIGGERS = 5
LONGEST_TRIGGER = 248
LONGEST_URL = 512


@dataclass(frozen=True)
class Hook:
    """What a conversation's webhook should be: a URL with filters or trigger words, or a Studio flow."""

    target: str = "webhook"
    url: str = ""
    method: str = "POST"
    filters: tuple[str, ...] = ()
    triggers: tuple[str, ...] = ()
    flow_sid: str = ""
    replay_after: int | None = None


def list_hooks(account: Account, conversation: str) -> list[dict[str, Any]]:
    """Return the conversation's webhooks in Twilio's fields. Raises Refused, SendError."""
    validation.conversation(conversation)
    with _there(conversation):
        found = account.ask(lambda scope: _hooks(scope, conversation).list(limit=MOST_WEBHOOKS))
    return [document(hook) for hook in found]


def set_hook(account: Account, conversation: str, hook: Hook, webhook_sid: str = "") -> dict[str, Any]:
    """Return the webhook as it is now: the one named, else the one that calls the same, else a new one.

    Raises Refused, SendError.
    """
    validation.conversation(conversation)
    named = validation.sid("WH", webhook_sid) if webhook_sid else ""
    wanted = _parameters(hook)
    existing = list_hooks(account, conversation)
    found = named or _of_the_same(existing, hook)
    if found:
        if hook.replay_after is not None:
            raise Refused(f"--replay-after is for a new webhook, and {found} exists; clear it first")
        with must_exist(f"webhook {found} of {conversation}", "`flask webhooks show --conversation` lists them"):
            return document(account.ask(lambda scope: _hook(scope, conversation, found).update(**wanted)))
    if len(existing) >= MOST_WEBHOOKS:
        raise Refused(f"the conversation has {MOST_WEBHOOKS} webhooks, which is the most; clear one first")
    if hook.replay_after is not None:
        wanted["configuration_replay_after"] = hook.replay_after
    return document(account.ask(lambda scope: _hooks(scope, conversation).create(target=hook.target, **wanted)))


def delete_hooks(account: Account, conversation: str, sids: Sequence[str]) -> list[str]:
    """Delete these webhooks of the conversation and return their SIDs. Raises Refused, SendError."""
    validation.conversation(conversation)
    wanted = [validation.sid("WH", sid) for sid in sids]
    for sid in wanted:
        with must_exist(f"webhook {sid} of {conversation}", "`flask webhooks show --conversation` lists them"):
            account.ask(lambda scope, sid=sid: _hook(scope, conversation, sid).delete())  # type: ignore[misc]
    return wanted


def _parameters(hook: Hook) -> dict[str, Any]:
    """Return what the SDK is to be given for a target. Raises Refused for what is missing or does not fit."""
    if hook.target not in TARGETS:
        raise Refused(f"the target {quoted(hook.target, 20)} is not one of {', '.join(TARGETS)}")
    if hook.target == "studio":
        _want(not (hook.url or hook.filters or hook.triggers), "a studio webhook has a flow only; leave the rest out")
        return {"configuration_flow_sid": validation.sid("FW", hook.flow_sid)}
    _want(not hook.flow_sid, "--flow-sid is for --target studio")
    _want(bool(hook.url), "a URL is needed; give --post-webhook-url")
    _want(len(hook.url) <= LONGEST_URL, f"the URL has {len(hook.url)} characters; Twilio takes {LONGEST_URL}")
    _want(hook.method in webhooks.METHODS, f"the method {quoted(hook.method, 20)} is not one of GET, POST")
    called = {"configuration_url": webhooks.url(hook.url), "configuration_method": hook.method.lower()}
    if hook.target == "trigger":
        _want(not hook.filters, "--filter is for --target webhook; a trigger has words")
        return called | {"configuration_triggers": _triggers(hook.triggers)}
    _want(not hook.triggers, "--trigger is for --target trigger")
    filters = webhooks.checked_filters(hook.filters or webhooks.needed_filters(), webhooks.needed_filters())
    return called | {"configuration_filters": list(filters)}


def _triggers(words: Sequence[str]) -> list[str]:
    _want(1 <= len(words) <= MOST_TRIGGERS, f"{len(words)} trigger words are given; give 1 to {MOST_TRIGGERS}")
    fitting = all(1 <= len(word) <= LONGEST_TRIGGER for word in words)
    _want(fitting, f"a trigger word has 1 to {LONGEST_TRIGGER} characters; shorten it")
    return list(words)


def _want(fulfilled: bool, otherwise: str) -> None:
    if not fulfilled:
        raise Refused(otherwise)


def _of_the_same(existing: Sequence[dict[str, Any]], hook: Hook) -> str:
    for one in existing:
        configuration = one["configuration"] or {}
        called = configuration.get("flow_sid") if hook.target == "studio" else configuration.get("url")
        if one["target"] == hook.target and called and called == (hook.flow_sid or hook.url):
            return str(one["sid"])
    return ""


def _there(conversation: str) -> AbstractContextManager[None]:
    return must_exist(f"conversation {conversation}", "check the SID, and the service with --service IS...")


def _hooks(scope: Any, conversation: str) -> Any:
    return scope.conversations(conversation).webhooks


def _hook(scope: Any, conversation: str, sid: str) -> Any:
    return scope.conversations(conversation).webhooks(sid)
