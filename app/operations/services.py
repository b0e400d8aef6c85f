"""Conversation services: create, list, show, delete."""

from __future__ import annotations

from typing import Any

from app.operations import validation
from app.operations.account import Account, document, must_exist

PAGE = 100  # Source: the largest PageSize of Services in Twilio's OpenAPI description, 2026-04-14.
_SHOWS = "`flask services list` shows what there is"


def create(account: Account, friendly_name: str) -> dict[str, Any]:
    """Return a new conversation service. Raises Refused, SendError."""
    validation.name(friendly_name, "the friendly name")
    return document(account.ask_account(lambda v1: v1.services.create(friendly_name=friendly_name)))


def list_services(account: Account, *, limit: int = 20) -> list[dict[str, Any]]:
    """Return the account's services; `is_default` marks the one that requests without a service go to."""
    found = account.ask_account(lambda v1: v1.services.list(limit=limit, page_size=min(limit, PAGE)))
    default = _default(account)
    return [document(service) | {"is_default": service.sid == default} for service in found]


def show(account: Account, sid: str) -> dict[str, Any]:
    """Return a service; `is_default` as in a list. Raises Refused, SendError."""
    validation.sid("IS", sid)
    with must_exist(f"service {sid}", _SHOWS):
        found = account.ask_account(lambda v1: v1.services(sid).fetch())
    return document(found) | {"is_default": found.sid == _default(account)}


def delete(account: Account, sid: str) -> None:
    """Delete a service with all its conversations, messages and users. Raises Refused, SendError."""
    validation.sid("IS", sid)
    with must_exist(f"service {sid}", _SHOWS):
        account.ask_account(lambda v1: v1.services(sid).delete())


def _default(account: Account) -> str:
    configuration = account.ask_account(lambda v1: v1.configuration().fetch())
    return str(configuration.default_chat_service_sid or "")
