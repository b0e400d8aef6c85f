"""Which services' conversations are ours: those whose webhooks go to our public address."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from app.operations.webhooks import ROUTE
from app.reconcile.paced_client import PacedClient


def with_our_webhook(calls: PacedClient, service_sids: Sequence[str], public_url: str) -> list[str]:
    """Return the services whose own webhook calls us or, where they have none, the account's.

    Raises Stopped, SendError.
    Source: conversations-classic/api/per-service-webhook-resource, read 2026-11-22: it replaces the account's.
    """
    everyones = calls.ask(lambda client: client.conversations.v1.configuration.webhooks().fetch())
    ours = []
    for sid in service_sids:
        own = calls.ask(lambda client: client.conversations.v1.services(sid).configuration.webhooks().fetch())  # noqa: B023
        is_own = own.post_webhook_url or own.pre_webhook_url
        if _calls_us(own if is_own else everyones, public_url):
            ours.append(sid)
    return ours


def _calls_us(webhook: Any, public_url: str) -> bool:
    return _place(webhook.post_webhook_url or "") == _place(public_url + ROUTE)


def _place(url: str) -> tuple[str, str]:
    """Return host and path of a URL; how it is called there is not looked at."""
    parts = urlsplit(url)
    return (parts.hostname or "", parts.path.rstrip("/"))
