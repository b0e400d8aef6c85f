"""Address configurations: what Twilio makes of a message to an address that finds no conversation (autocreation)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app.common.quoting import quoted
from app.operations import validation
from app.operations.account import Account, document, must_exist
from app.operations.validation import Refused
from app.twilio_api.errors import SendError

# Source: api/address-configuration-resource and Twilio's OpenAPI description of 2026-04-14.
TYPES = ("sms", "whatsapp", "messenger", "gbm", "email", "rcs", "apple", "chat")
CREATES = ("webhook", "studio", "default")
METHODS = ("get", "post")
FILTERS = (
    "onMessageAdded",
    "onMessageUpdated",
    "onMessageRemoved",
    "onConversationUpdated",
    "onConversationStateUpdated",
    "onConversationRemoved",
    "onParticipantAdded",
    "onParticipantUpdated",
    "onParticipantRemoved",
    "onDeliveryUpdated",
)
PAGE, URL_CHARS = 50, 512
_SHOWS = "`flask addresses list` shows what there is"
Document = dict[str, Any]


@dataclass(frozen=True)
class AutoCreation:
    """Whether and how a conversation is made for a message that finds none; what is not given stays as it is."""

    enabled: bool | None = None
    type: str = ""  # webhook, studio or default
    service_sid: str = ""
    webhook_url: str = ""
    webhook_method: str = ""
    webhook_filters: tuple[str, ...] = ()
    studio_flow_sid: str = ""
    studio_retry_count: int | None = None

    def parameters(self) -> dict[str, Any]:
        """Return the SDK's parameters for what is given, checked. Raises Refused."""
        _refuse_mixtures(self)
        url = self.webhook_url
        found = {
            "type": self.type and _known(self.type, CREATES, "kind of autocreation"),
            "conversation_service_sid": self.service_sid and validation.sid("IS", self.service_sid),
            "webhook_url": url and _url(url),
            "webhook_method": self.webhook_method and _known(self.webhook_method.lower(), METHODS, "method"),
            "webhook_filters": [_known(name, FILTERS, "event here") for name in self.webhook_filters],
            "studio_flow_sid": self.studio_flow_sid and validation.sid("FW", self.studio_flow_sid),
        }
        given: dict[str, Any] = {name: value for name, value in found.items() if value}
        counts = {"enabled": self.enabled, "studio_retry_count": self.studio_retry_count}
        given |= {name: value for name, value in counts.items() if value is not None}
        return {f"auto_creation_{name}": value for name, value in given.items()}


def create(
    account: Account,
    address: str,
    *,
    type: str = "",
    friendly_name: str = "",
    address_country: str = "",
    auto_creation: AutoCreation = AutoCreation(),
) -> Document:
    """Return a new configuration; the type is told by the address where none is given. Raises Refused, SendError."""
    type = type or ("whatsapp" if address.startswith("whatsapp:") else "sms")
    where = address_of(type, address)
    wanted = auto_creation.parameters() | _name(friendly_name)
    if auto_creation.type == "webhook" and not auto_creation.webhook_url:
        raise Refused("autocreation of type webhook needs a URL; give it with --auto-creation-webhook-url")
    if auto_creation.type == "studio" and not auto_creation.studio_flow_sid:
        raise Refused("autocreation of type studio needs a flow; give it with --auto-creation-studio-flow-sid FW...")
    if address_country:
        if not re.fullmatch(r"[A-Za-z]{2}", address_country):
            raise Refused(f"{quoted(address_country, 20)} is no country; write two letters, like US")
        wanted["address_country"] = address_country.upper()
    try:
        made = account.ask_account(lambda v1: v1.address_configurations.create(type=type, address=where, **wanted))
    except SendError as refused:
        if refused.status in (400, 409) and (there := _configured(account, where)):
            raise Refused(_in_words(there, where)) from refused
        raise
    return document(made)


def _configured(account: Account, address: str) -> Document | None:
    """Return the configuration that an address has already, if Twilio tells."""
    try:
        return document(account.ask_account(lambda v1: v1.address_configurations(address).fetch()))
    except SendError:
        return None


def _in_words(there: Document, address: str) -> str:
    begins = bool((there.get("auto_creation") or {}).get("enabled"))
    does, switch = ("begins conversations by itself", "--disabled") if begins else ("begins none", "--enabled")
    return (
        f"{address} has a configuration already, {there['sid']}, and {does}; `flask addresses show {address}` shows "
        f"it, `flask addresses update {address} {switch}` changes that"
    )


def list_addresses(account: Account, *, type: str = "", limit: int = 20) -> list[Document]:
    """Return the configurations, of one type if given. Raises Refused, SendError."""
    wanted = {"type": _known(type, TYPES, "type of address")} if type else {}
    size = min(limit, PAGE)
    found = account.ask_account(lambda v1: v1.address_configurations.list(limit=limit, page_size=size, **wanted))
    return [document(one) for one in found]


def show(account: Account, which: str) -> Document:
    """Return a configuration by its SID or its address. Raises Refused, SendError."""
    name = _named(which)
    with must_exist(f"address configuration {name}", _SHOWS):
        return document(account.ask_account(lambda v1: v1.address_configurations(name).fetch()))


def update(
    account: Account, which: str, *, friendly_name: str = "", auto_creation: AutoCreation = AutoCreation()
) -> Document:
    """Change a configuration and return it. Raises Refused, SendError."""
    name, wanted = _named(which), auto_creation.parameters() | _name(friendly_name)
    if not wanted:
        raise Refused("nothing to change; give --friendly-name, --enabled, --disabled or another setting")
    with must_exist(f"address configuration {name}", _SHOWS):
        return document(account.ask_account(lambda v1: v1.address_configurations(name).update(**wanted)))


def delete(account: Account, which: str) -> None:
    """Delete a configuration; messages to that address then make no conversation. Raises Refused, SendError."""
    name = _named(which)
    with must_exist(f"address configuration {name}", _SHOWS):
        account.ask_account(lambda v1: v1.address_configurations(name).delete())


def address_of(type: str, text: str) -> str:
    """Return the address as Twilio wants it for its type. Raises Refused."""
    _known(type, TYPES, "type of address")
    if type == "whatsapp":
        return validation.whatsapp_address(text)
    if type == "sms":
        short_code = re.fullmatch(r"\d{4,8}", text)
        return text if short_code else validation.phone_number(text)
    if not text or len(text) > validation.NAME_CHARS or not text.isprintable() or re.search(r"\s", text):
        raise Refused(
            f"{quoted(text, 40)} is no address; it needs 1 to {validation.NAME_CHARS} characters without spaces"
        )
    return text


def _named(which: str) -> str:
    """Return a SID or an address that can stand in a URL. Raises Refused.

    Source: api/address-configuration-resource, fetch (read 2026-11-22): either may be given.
    """
    if re.fullmatch(r"IG\w*", which):
        return validation.sid("IG", which)
    if re.fullmatch(r"(whatsapp:)?\+.*", which):
        return validation.address(which)
    if not re.fullmatch(r"[\w.~+@:-]{1,256}", which, re.ASCII) or which in (".", ".."):
        raise Refused(f"{quoted(which, 40)} is neither the SID of an address configuration (IG...) nor an address")
    return which


def _name(friendly_name: str) -> dict[str, str]:
    return {"friendly_name": validation.name(friendly_name, "the friendly name")} if friendly_name else {}


def _refuse_mixtures(it: AutoCreation) -> None:
    webhook = it.webhook_url or it.webhook_method or it.webhook_filters
    studio = it.studio_flow_sid or it.studio_retry_count is not None
    if it.type in ("studio", "default") and webhook:
        raise Refused(f"autocreation of type {it.type} has no webhook; leave it out, or make its type webhook")
    if it.type in ("webhook", "default") and studio:
        raise Refused(f"autocreation of type {it.type} has no Studio flow; leave it out, or make its type studio")
    if webhook and studio:
        raise Refused("a message goes to a webhook or to a Studio flow, not to both")
    if it.studio_retry_count is not None and it.studio_retry_count < 0:
        raise Refused(f"{it.studio_retry_count} retries of a Studio flow are not possible; give 0 or more")


def _url(text: str) -> str:
    if len(text) > URL_CHARS:
        raise Refused(f"the URL has {len(text)} characters; Twilio takes {URL_CHARS} (50372)")
    return validation.web_url(text)


def _known(value: str, among: Sequence[str], what: str) -> str:
    if value not in among:
        raise Refused(f"{quoted(value, 40)} is no {what}; use one of {', '.join(among)}")
    return value
