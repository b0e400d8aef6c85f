"""The webhook of the account and of a service: read it, change it, point it here; and who silences the account's."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from app.operations import validation
from app.operations.account import Account
from app.operations.validation import Refused
from app.twilio_api import events, parsing

ROUTE = "/conversations/webhook"  # where Parley listens, below PUBLIC_URL
MOST_SERVICES = 200  # looked at; one request each
METHODS = ("GET", "POST")


@dataclass(frozen=True)
class Webhook:
    """The webhook of the account or of a service; what is not set is "" or (). `filters` are in alphabetical order.

    Source: conversations-classic/api/webhook-configuration-resource and per-service-webhook-resource, read 2026-11-22.
    """

    method: str = ""
    filters: tuple[str, ...] = ()
    pre_webhook_url: str = ""
    post_webhook_url: str = ""
    target: str = ""  # webhook or flex; a service has none

    @property
    def is_set(self) -> bool:
        """Whether anything is called."""
        return bool(self.post_webhook_url or self.pre_webhook_url)


@dataclass(frozen=True)
class Change:
    """What is wanted of a webhook; None leaves a thing as it is, and missing filters are added."""

    post_webhook_url: str | None = None
    pre_webhook_url: str | None = None
    method: str | None = None
    filters: tuple[str, ...] | None = None


@dataclass(frozen=True)
class ServiceWebhook:
    """A service with a webhook of its own: the account's gets nothing of its conversations."""

    service_sid: str
    friendly_name: str
    webhook: Webhook


def known_filters(service_sid: str = "") -> tuple[str, ...]:
    """Return the event types that a webhook can ask for; a service's knows no users.

    Source: conversations-classic/api/per-service-webhook-resource (20 names), read 2026-11-22.
    """
    return tuple(name for name in events.EVENT_CLASSES if not service_sid or not _is_of_user(name))


def needed_filters() -> tuple[str, ...]:
    """Return the event types that Parley acts on: everything that has happened to conversations."""
    return tuple(name for name in events.EVENT_CLASSES if not parsing.is_pre_action(name) and not _is_of_user(name))


def fetch(account: Account) -> Webhook:
    """Return the webhook of the service, or of the account when none is chosen. Raises SendError."""
    return _read(account.ask(lambda scope: scope.configuration.webhooks().fetch()))


def put(account: Account, webhook: Webhook) -> Webhook:
    """Make the webhook exactly this, unchecked, and return what it is now; what is empty is emptied. Raises SendError.

    What was there before can be put back so, whatever it was; `plan` checks what a person wants.
    """
    chosen = {"method": webhook.method, "target": "" if account.service_sid else webhook.target}
    wanted = {name: value for name, value in chosen.items() if value}
    updated = account.ask(
        lambda scope: scope.configuration.webhooks().update(
            filters=list(webhook.filters) or [""],
            pre_webhook_url=webhook.pre_webhook_url,
            post_webhook_url=webhook.post_webhook_url,
            **wanted,
        )
    )
    return _read(updated)


def plan(now: Webhook, change: Change, service_sid: str = "") -> Webhook:
    """Return what the webhook would be after a change. Raises Refused."""
    post = now.post_webhook_url if change.post_webhook_url is None else url(change.post_webhook_url)
    pre = now.pre_webhook_url if change.pre_webhook_url is None else url(change.pre_webhook_url)
    if not post and not pre:
        raise Refused("no URL is set yet; give --post-webhook-url (or --pre-webhook-url)")
    method = change.method or "POST"
    if method not in METHODS:
        raise Refused(f"the method {method[:20]!r} is not one of {', '.join(METHODS)}")
    if change.filters is None:
        filters = {*now.filters, *needed_filters()} if post else set(now.filters)
    else:
        filters = set(checked_filters(change.filters, known_filters(service_sid)))
    if pre and not post and not any(parsing.is_pre_action(name) for name in filters):
        raise Refused("a pre-event webhook alone needs --filter with what it is asked about, e.g. onMessageAdd")
    target = "" if service_sid else "webhook"
    return Webhook(method, tuple(sorted(filters)), pre_webhook_url=pre, post_webhook_url=post, target=target)


def pointed_at(now: Webhook, address: str) -> Webhook:
    """Return the webhook that calls Parley at a public address (with or without our path). Raises Refused."""
    origin = url(address).rstrip("/").removesuffix(ROUTE)
    if "?" in origin:
        raise Refused(f"{address[:80]!r} has a query; give the address alone, like https://bot.example.com")
    return plan(now, Change(post_webhook_url=origin + ROUTE))


def overriding_services(account: Account) -> list[ServiceWebhook]:
    """Return the services with a webhook of their own: the account's gets nothing of theirs. Raises SendError.

    Source: conversations-classic/api/per-service-webhook-resource, read 2026-11-22.
    """
    services = account.ask_account(lambda v1: v1.services.list(limit=MOST_SERVICES, page_size=100))
    found = [(one, fetch(replace(account, service_sid=str(one.sid)))) for one in services]
    return [ServiceWebhook(str(one.sid), str(one.friendly_name or ""), own) for one, own in found if own.is_set]


def in_words(webhook: Webhook) -> str:
    """Return a webhook in words, without a password in its URL."""
    post = re.sub("//[^/@]*@", "//", webhook.post_webhook_url)
    if post:
        return f"{webhook.method or 'GET'} {post}, {len(webhook.filters)} filters"
    return "a pre-event webhook only" if webhook.pre_webhook_url else "none"


def url(text: str) -> str:
    """Return a URL that Conversations can call. Raises Refused.

    Source: usage/webhooks/webhooks-connection-overrides, read 2026-11-22: not for Conversations.
    """
    if "#" in text:
        raise Refused(f"{text[:80]!r} has a #; Conversations takes no connection overrides, so leave that part out")
    return validation.web_url(text)


def checked_filters(filters: Sequence[str], known: Sequence[str]) -> tuple[str, ...]:
    """Return event types without repetition, if they are all known here. Raises Refused."""
    if unknown := [name for name in filters if name not in known]:
        raise Refused(
            f"{unknown[0][:40]!r} is not an event this webhook can ask for; known: {', '.join(sorted(known))}"
        )
    return tuple(dict.fromkeys(filters))


def _is_of_user(name: str) -> bool:
    return issubclass(events.EVENT_CLASSES[name], events.UserEvent)


def _read(found: Any) -> Webhook:
    return Webhook(
        method=str(found.method or ""),
        filters=tuple(sorted(found.filters or ())),
        pre_webhook_url=str(found.pre_webhook_url or ""),
        post_webhook_url=str(found.post_webhook_url or ""),
        target=str(getattr(found, "target", "") or ""),
    )
