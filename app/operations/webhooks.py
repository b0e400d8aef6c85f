"""Webhooks of the account and of services: read, change, point here; and which services override the account's."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from app.common.quoting import quoted
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
class WebhookChange:
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

    What was there before can be put back so, whatever it was; `plan` checks what a person wants. A URL of a service
    stays, unasked: the description forbids empty ones there (format: uri), and nothing else takes one away.
    Source: Twilio's OpenAPI description of 2026-04-14, UpdateServiceWebhookConfigurationRequest.
    """
    urls = {"pre_webhook_url": webhook.pre_webhook_url, "post_webhook_url": webhook.post_webhook_url}
    chosen = {"method": webhook.method, "target": "" if account.service_sid else webhook.target}
    chosen |= urls if account.service_sid else {}
    wanted = {name: value for name, value in chosen.items() if value} | ({} if account.service_sid else urls)
    filters = list(webhook.filters) or [""]
    return _read(account.ask(lambda scope: scope.configuration.webhooks().update(filters=filters, **wanted)))


def clear(account: Account) -> Webhook:
    """Remove the account's webhook, or let a service's do what the account's does; return what it is now.

    A service's own cannot be removed (see `put`). Raises SendError.
    """
    if not account.service_sid:
        return put(account, Webhook())
    everyones = fetch(replace(account, service_sid=""))
    known = set(known_filters(account.service_sid))
    if not everyones.pre_webhook_url:
        known -= {name for name in known if parsing.is_pre_action(name)}
    filters = tuple(name for name in everyones.filters if name in known) if everyones.is_set else ()
    return put(account, replace(everyones, filters=filters))


def plan(now: Webhook, change: WebhookChange, service_sid: str = "") -> Webhook:
    """Return what the webhook would be after a change. Raises Refused."""
    post = now.post_webhook_url if change.post_webhook_url is None else _url_or_none(change.post_webhook_url)
    pre = now.pre_webhook_url if change.pre_webhook_url is None else _url_or_none(change.pre_webhook_url)
    if not post and not pre:
        if now.is_set:
            raise Refused("nothing would be called any more; `flask webhooks clear` does that")
        raise Refused("no URL is set yet; give --post-webhook-url (or --pre-webhook-url)")
    method = change.method or "POST"
    if method not in METHODS:
        raise Refused(f"the method {quoted(method, 20)} is not one of {', '.join(METHODS)}")
    if change.filters is None:
        filters = {*now.filters, *needed_filters()} if post else set(now.filters)
        if not pre:
            filters -= {name for name in filters if parsing.is_pre_action(name)}
    else:
        filters = set(checked_filters(change.filters, known_filters(service_sid)))
    if pre and not post and not any(parsing.is_pre_action(name) for name in filters):
        raise Refused("a pre-event webhook alone needs --filter with what it is asked about, e.g. onMessageAdd")
    target = "" if service_sid else "webhook"
    return Webhook(method, tuple(sorted(filters)), pre_webhook_url=pre, post_webhook_url=post, target=target)


def pointed_at(now: Webhook, address: str) -> Webhook:
    """Return the webhook that calls Parley at a public address (with or without our path), and no pre-event URL.

    What is asked before something happens can forbid it; where it fails, messages are lost. Raises Refused.
    Source: conversations-classic/conversations-webhooks and inbound-autocreation, read 2026-11-22.
    """
    origin = url(address).rstrip("/").removesuffix(ROUTE)
    if "?" in origin:
        raise Refused(f"{quoted(address)} has a query; give the address alone, like https://bot.example.com")
    return plan(now, WebhookChange(post_webhook_url=origin + ROUTE, pre_webhook_url=""))


def overriding_services(account: Account) -> list[ServiceWebhook]:
    """Return the services with a webhook of their own: the account's gets nothing of theirs. Raises SendError.

    Source: conversations-classic/api/per-service-webhook-resource, read 2026-11-22.
    """
    services = account.ask_account(lambda v1: v1.services.list(limit=MOST_SERVICES, page_size=100))
    found = [(one, fetch(replace(account, service_sid=str(one.sid)))) for one in services]
    return [ServiceWebhook(str(one.sid), str(one.friendly_name or ""), own) for one, own in found if own.is_set]


def in_words(webhook: Webhook) -> str:
    """Return a webhook in words, its pre-event URL too, without passwords in the URLs."""
    post, pre = (re.sub("//[^/@]*@", "//", one) for one in (webhook.post_webhook_url, webhook.pre_webhook_url))
    if not webhook.is_set:
        return "none"
    words = f"{webhook.method or 'GET'} {post or 'no post-event URL'}, {len(webhook.filters)} filters"
    if pre and any(parsing.is_pre_action(name) for name in webhook.filters):
        return f"{words}, and asks the pre-event URL {pre} before"
    return f"{words}, and a pre-event URL that no filter lets it ask ({pre})" if pre else words


def url(text: str) -> str:
    """Return a URL that Conversations can call. Raises Refused.

    Source: usage/webhooks/webhooks-connection-overrides, read 2026-11-22: not for Conversations.
    """
    if "#" in text:
        raise Refused(f"{quoted(text)} has a #; Conversations takes no connection overrides, so leave that part out")
    return validation.web_url(text)


def _url_or_none(text: str) -> str:
    return url(text) if text else ""


def checked_filters(filters: Sequence[str], known: Sequence[str]) -> tuple[str, ...]:
    """Return event types without repetition, if they are all known here. Raises Refused."""
    if unknown := [name for name in filters if name not in known]:
        raise Refused(
            f"{quoted(unknown[0], 40)} is not an event this webhook can ask for; known: {', '.join(sorted(known))}"
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
