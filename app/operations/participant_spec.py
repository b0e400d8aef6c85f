"""ParticipantSpec: a participant to add, validated in full before anything is sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from app.common.quoting import quoted
from app.operations import validation
from app.operations.validation import Refused

Kind = Literal["sms", "whatsapp", "chat", "group"]
KINDS: tuple[Kind, ...] = ("sms", "whatsapp", "chat", "group")


@dataclass(frozen=True)
class ParticipantSpec:
    """Somebody who may join: a chat identity, an address with a proxy address, or a part of a group MMS.

    In a group MMS the others have an address only, and our own number is a projected address.
    """

    kind: Kind
    address: str = ""
    identity: str = ""
    proxy_address: str = ""
    projected_address: str = ""
    attributes: str = ""  # JSON, "" for none

    @property
    def name(self) -> str:
        """Return the address or identity that people know this one by."""
        return self.address or self.identity or self.projected_address

    @property
    def key(self) -> tuple[str, str]:
        """Return what a conversation holds once only: an identity, or an address together with its proxy address."""
        if self.address:
            return self.address, self.proxy_address
        return ("identity", self.identity) if self.identity else ("projected", self.projected_address)

    def parameters(self) -> dict[str, str]:
        """Return the SDK's parameters for this participant, without those that are not set."""
        named = {
            "identity": self.identity,
            "messaging_binding_address": self.address,
            "messaging_binding_proxy_address": self.proxy_address,
            "messaging_binding_projected_address": self.projected_address,
            "attributes": self.attributes,
        }
        return {name: value for name, value in named.items() if value}


def make_spec(
    *,
    sms: str = "",
    whatsapp: str = "",
    group: str = "",
    identity: str = "",
    proxy_address: str = "",
    projected_address: str = "",
    attributes: Mapping[str, Any] | str | None = None,
) -> ParticipantSpec:
    """Return who shall join, with the prefix `whatsapp:` on both sides where it belongs. Raises Refused.

    Source: conversations-classic/api/conversation-participant-resource and /group-texting (read 2026-11-22).
    """
    given = [text for text in (sms, whatsapp, group, identity) if text]
    if identity and len(given) > 1:
        raise Refused(
            f"{quoted(identity, 40)} is a chat identity and {quoted(given[0], 40)} an address; add two participants"
        )
    if len(given) > 1:
        raise Refused(f"one participant has one address, not {' and '.join(given)}; add them one by one")
    text = json_of(attributes)
    if whatsapp or _is_whatsapp(group) or _is_whatsapp(projected_address):
        return _by_whatsapp(whatsapp, group, proxy_address, projected_address, text)
    if sms:
        return _by_sms(sms, proxy_address, projected_address, text)
    if proxy_address:
        raise Refused("only an SMS or WhatsApp participant has a proxy address; leave it out")
    if group and projected_address:
        raise Refused("in a group MMS only your own number is a projected address; give it without another address")
    if group:
        return ParticipantSpec("group", address=validation.phone_number(group), attributes=text)
    if not identity and not projected_address:
        raise Refused("nobody to add; give --sms, --whatsapp, --identity, --group or --projected-address")
    name = validation.identity(identity) if identity else ""
    if not projected_address:
        return ParticipantSpec("chat", identity=name, attributes=text)
    own = validation.phone_number(projected_address)
    return ParticipantSpec("group", identity=name, projected_address=own, attributes=text)


def json_of(attributes: Mapping[str, Any] | str | None) -> str:
    """Return a participant's attributes as the JSON that Twilio wants, "" for none. Raises Refused."""
    if not attributes:
        return ""
    found = validation.attributes(attributes, validation.OTHER_ATTRIBUTES)
    return validation.as_json(found, validation.OTHER_ATTRIBUTES)


def _is_whatsapp(text: str) -> bool:
    return text.startswith("whatsapp:")


def _by_sms(sms: str, proxy_address: str, projected_address: str, attributes: str) -> ParticipantSpec:
    if projected_address:
        raise Refused("a projected address belongs to a group MMS; add its members with --group instead of --sms")
    if _is_whatsapp(sms):
        raise Refused(f"{quoted(sms, 40)} is a WhatsApp address; add it with --whatsapp")
    if not proxy_address:
        raise Refused(
            f"{quoted(sms, 40)} by SMS needs one of your Twilio numbers too; give it with --proxy-address +1..."
        )
    if _is_whatsapp(proxy_address):
        raise Refused(
            f"the proxy address {quoted(proxy_address, 40)} is of WhatsApp and {quoted(sms, 40)} is not; "
            "both must be of one channel"
        )
    address, proxy = validation.phone_number(sms), validation.phone_number(proxy_address)
    return ParticipantSpec("sms", address=_unlike(address, proxy), proxy_address=proxy, attributes=attributes)


def _by_whatsapp(
    whatsapp: str, group: str, proxy_address: str, projected_address: str, attributes: str
) -> ParticipantSpec:
    if group or projected_address:
        raise Refused("Conversations has no WhatsApp groups; add each person with --whatsapp and --proxy-address")
    if not proxy_address:
        raise Refused(f"{quoted(whatsapp, 40)} needs your WhatsApp sender too; give it with --proxy-address +1...")
    address, proxy = validation.whatsapp_address(whatsapp), validation.whatsapp_address(proxy_address)
    return ParticipantSpec("whatsapp", address=_unlike(address, proxy), proxy_address=proxy, attributes=attributes)


def _unlike(address: str, proxy: str) -> str:
    if address == proxy:
        raise Refused(f"the address and the proxy address are both {address}; the proxy is your own Twilio number")
    return address
