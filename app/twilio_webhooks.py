"""Twilio's global webhook: what it is, set it, and which services do not heed it. Every failure is a SendError."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from app.conversations import Conversations

MOST_SERVICES = 200  # looked at; one request each


@dataclass(frozen=True)
class GlobalWebhook:
    """The account's webhook; what is not set is "" or (). `filters` are in the order of the alphabet.

    Source: conversations-classic/api/webhook-configuration-resource, read 2026-11-22.
    """

    method: str = ""
    filters: tuple[str, ...] = ()
    pre_webhook_url: str = ""
    post_webhook_url: str = ""
    target: str = ""


def fetch_global(twilio: Conversations) -> GlobalWebhook:
    """Return the account's webhook as it is now. Raises SendError."""
    return _read(twilio.ask(lambda client: client.conversations.v1.configuration.webhooks().fetch()))


def set_global(twilio: Conversations, webhook: GlobalWebhook) -> GlobalWebhook:
    """Set the account's webhook and return what it is now; what is empty is emptied. Raises SendError."""
    chosen = {"method": webhook.method, "target": webhook.target}
    wanted = {name: value for name, value in chosen.items() if value}
    updated = twilio.ask(
        lambda client: client.conversations.v1.configuration.webhooks().update(
            filters=list(webhook.filters) or [""],
            pre_webhook_url=webhook.pre_webhook_url,
            post_webhook_url=webhook.post_webhook_url,
            **wanted,
        )
    )
    return _read(updated)


def silencing_services(twilio: Conversations) -> list[str]:
    """Return the SIDs of services with a webhook of their own: the global one gets nothing of theirs. Raises SendError.

    Source: conversations-classic/api/per-service-webhook-resource, read 2026-11-22.
    """
    services = twilio.ask(lambda client: client.conversations.v1.services.list(limit=MOST_SERVICES, page_size=100))
    return [str(service.sid) for service in services if _has_own_webhook(twilio, str(service.sid))]


def _has_own_webhook(twilio: Conversations, service_sid: str) -> bool:
    own = twilio.ask(lambda client: client.conversations.v1.services(service_sid).configuration.webhooks().fetch())
    return bool(own.post_webhook_url or own.pre_webhook_url)


def _read(found: Any) -> GlobalWebhook:
    return GlobalWebhook(
        method=str(found.method or ""),
        filters=tuple(sorted(found.filters or ())),
        pre_webhook_url=str(found.pre_webhook_url or ""),
        post_webhook_url=str(found.post_webhook_url or ""),
        target=str(found.target or ""),
    )
